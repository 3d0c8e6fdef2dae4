"""A charge point of the simulator: the proposed state machine, the physics behind it, hostile input."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from unit.tools.pecc.rig import Rig

from vsecc_host.pep.codec import PepError, decode
from vsecc_host.pep.versions import PepVersion
from vsecc_host.power.config import PowerConfig
from vsecc_sim.pecc.config import Discharge, PeccConfig, PeccManners
from vsecc_sim.pecc.loads import Resistor
from vsecc_sim.pecc.outputs import Abort, Close, Stall
from vsecc_sim.pecc.states import STATES, TABLE, Input, PeccState


@pytest.fixture
def rig():
    return Rig().connect()


def test_every_state_knows_every_input():
    assert set(TABLE) == {(state, seen) for state in STATES for seen in Input}


def test_status_at_once_then_every_200_ms_whatever_happens(rig):
    assert len(rig.messages()) == 1
    rig.wait(10.0)
    times = [at for at, _ in rig.frames]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) in (50, 51)
    assert max(gaps) <= 0.2 + 1e-6


@pytest.mark.parametrize("version", list(PepVersion))
def test_every_frame_fits_the_schema_of_the_version(version):
    rig = Rig(version=version).connect()
    rig.plug() if version >= PepVersion.V1_7 else rig.point.supervise(True, rig.now)
    rig.ask("configuration")
    rig.ask("contactorsStatus", contactorsStatus="closed")
    rig.wait(0.5)
    rig.ask("cableCheck", voltage=500)
    rig.wait(4.0)
    rig.target(400, 2, "preCharge")
    rig.wait(1.0)
    rig.target(420, 33, "charge")
    rig.wait(2.0)
    rig.point.supervise(False, rig.now)
    rig.wait(1.0)
    for _, frame in rig.frames:
        message = decode(frame, version, "secc")
        if version < PepVersion.V1_4:
            assert all(not isinstance(value, float) for value in message.payload.values()), message


def test_a_session_from_standby_to_standby(rig):
    rig.charge()
    assert rig.point.state is PeccState.CHARGE
    assert rig.status["measuredVoltage"] == pytest.approx(420, abs=2)
    assert rig.status["measuredCurrent"] == pytest.approx(100, abs=1)
    rig.stop()
    assert rig.point.state is PeccState.STANDBY
    assert rig.status["contactorsStatus"] == "open"
    assert rig.status["operationalStatus"] == "operative"
    assert rig.status["measuredVoltage"] <= 60
    assert rig.status["drivenVoltage"] == rig.status["drivenCurrent"] == 0
    assert rig.point.stage.worst_opening_a == 0.0
    assert rig.broken() == []


def test_integers_where_float_values_is_off():
    rig = Rig(PeccConfig(manners=PeccManners(float_values=False))).connect()
    assert rig.configure()["floatValues"] is False
    rig.close()
    rig.wait(1.0)
    numbers = [v for one in rig.messages() for v in one["payload"].values() if isinstance(v, int | float)]
    assert all(isinstance(value, int) for value in numbers)


def test_discharge_limits_are_told_from_1_8_on():
    config = PeccConfig(discharge=Discharge(max_current_a=-30.0, max_power_w=-11_000.0))
    told = Rig(config).connect().configure()
    assert (told["limitDischargeCurrentMin"], told["limitDischargeCurrentMax"]) == (0, -30)
    assert told["limitDischargePowerMax"] == -11_000
    older = Rig(config, version=PepVersion.V1_7).connect().configure()
    assert not any(name.startswith("limitDischarge") for name in older)


def test_contactors_need_the_supervision_input(rig):
    rig.configure()
    answer = rig.ask("contactorsStatus", contactorsStatus="closed")
    assert (answer["type"], answer["payload"]["errorCategory"]) == ("error", "internal")
    rig.wait(1.0)
    assert rig.status["contactorsStatus"] == "open"


def test_losing_the_supervision_drops_contactors_and_current_at_once(rig):
    rig.charge()
    rig.point.supervise(False, rig.now)
    rig._collect()
    assert not rig.point.stage.closed
    assert rig.point.stage.current_a == 0.0
    assert rig.status["contactorsStatus"] == "open"
    rig.wait(1.0)
    assert rig.point.state is PeccState.STANDBY
    assert any(one["kind"] == "event" for one in rig.messages())


def test_a_reset_under_load_brings_the_current_down_before_the_contactors_open(rig):
    rig.charge(200)
    rig.ask("reset")
    rig.wait(2.0)
    assert rig.point.state is PeccState.STANDBY
    assert rig.point.stage.worst_opening_a < 1.0


def test_the_way_to_standby_refuses_everything_and_says_inoperative(rig):
    rig.charge()
    rig.ask("reset")
    for kind, payload in (("configuration", {}), ("reset", {}), ("cableCheck", {"voltage": 400})):
        assert rig.ask(kind, **payload)["payload"]["errorCategory"] == "inoperative"
    rig.wait(0.2)
    assert rig.status["operationalStatus"] == "inoperative"
    rig.wait(1.0)
    assert rig.status["operationalStatus"] == "operative"
    assert rig.ask("reset")["type"] == "response"


def test_a_pecc_without_a_transition_phase_serves_on():
    rig = Rig(PeccConfig(manners=PeccManners(transition_refuses=False))).connect()
    rig.charge()
    rig.ask("reset")
    assert rig.ask("configuration")["type"] == "response"
    assert rig.status["operationalStatus"] == "operative"


def test_too_high_a_voltage_is_an_error_and_nothing_else(rig):
    rig.charge()
    answer = rig.target(1200, 100, "charge")
    assert answer["payload"]["errorCategory"] == "value"
    rig.wait(1.0)
    assert rig.point.state is PeccState.CHARGE
    assert rig.status["measuredCurrent"] == pytest.approx(100, abs=1)
    assert rig.target(20, 100, "charge")["payload"]["errorCategory"] == "value"


def test_too_much_current_is_degraded_operation():
    rig = Rig(PeccConfig(power=PowerConfig(max_power_w=20_000.0))).connect()
    rig.charge(300)
    watts = rig.status["measuredVoltage"] * rig.status["measuredCurrent"]
    assert watts == pytest.approx(20_000, rel=0.02)
    assert rig.target(420, 900, "charge")["type"] == "response"


def test_a_hot_stage_gives_less_and_says_so():
    rig = Rig(PeccConfig(power=PowerConfig(ambient_c=95.0))).connect()
    assert rig.configure()["limitPowerMax"] == pytest.approx(75_000, rel=0.02)


def test_it_protects_itself_from_heat():
    rig = Rig(PeccConfig(power=PowerConfig(ambient_c=125.0))).connect()
    rig.wait(0.5)
    assert rig.status["operationalStatus"] == "inoperative"


def test_a_resistor_takes_what_its_voltage_drives():
    rig = Rig(load=Resistor(10.0)).connect()
    rig.charge(100)
    assert rig.status["measuredCurrent"] == pytest.approx(42, abs=0.6)
    assert rig.status["measuredVoltage"] == pytest.approx(420, abs=2)
    rig.target(420, 20, "charge")
    rig.wait(2.0)
    assert rig.status["measuredVoltage"] == pytest.approx(200, abs=2)


def test_noise_is_the_same_for_the_same_seed():
    runs = []
    for _ in range(2):
        rig = Rig().connect()
        rig.charge()
        runs.append([one["payload"]["measuredVoltage"] for one in rig.messages() if one["kind"] == "status"])
    assert runs[0] == runs[1]
    assert len(set(runs[0][-10:])) > 3


def test_a_silent_secc_sends_the_outlet_to_standby(rig):
    rig.charge()
    rig.point.pong = lambda now: None  # the peer is gone, TCP does not know
    rig.wait(4.7)
    assert rig.point.state is PeccState.CHARGE
    rig.wait(2.0)
    assert rig.point.state is PeccState.STANDBY
    assert rig.point.stage.worst_opening_a < 1.0


def test_pongs_are_signs_of_life(rig):
    rig.charge()
    rig.wait(30.0)
    assert rig.point.state is PeccState.CHARGE


def test_a_lost_connection_is_standby_at_once(rig):
    rig.charge()
    rig.point.disconnected(rig.now)
    rig.wait(1.0)
    assert rig.point.state is PeccState.STANDBY
    frames = len(rig.frames)
    rig.wait(5.0)
    assert len(rig.frames) == frames


def test_the_order_of_a_session_is_enforced(rig):
    assert rig.ask("cableCheck", voltage=400)["payload"]["errorCategory"] == "generic"
    assert rig.target(400, 2, "preCharge")["type"] == "response"
    rig.wait(1.0)
    assert rig.status["measuredVoltage"] == 0
    rig.close()
    assert rig.target(400, 100, "charge")["type"] == "response"
    rig.wait(1.0)
    assert rig.point.state is PeccState.CABLE_CHECK


def test_options_make_it_lenient():
    manners = PeccManners(accept_open_cable_check=True, accept_early_charge=True)
    rig = Rig(PeccConfig(manners=manners)).connect()
    assert rig.ask("cableCheck", voltage=400)["type"] == "response"
    rig.close()
    rig.target(400, 2, "charge")
    assert rig.point.state is PeccState.PRE_CHARGE


def test_no_new_start_after_post_charge(rig):
    rig.charge()
    rig.target(0, 0, "postCharge")
    rig.wait(1.0)
    rig.target(420, 100, "charge")
    rig.wait(1.0)
    assert (rig.point.state, rig.point.stage.current_a) == (PeccState.POST_CHARGE, 0.0)
    assert rig.point.stage.closed


HOSTILE = {
    "no JSON": ("hello", "format", 0),
    "half": ('{"type":"request","kind":"reset","sequenceNumber":4', "format", 0),
    "array": ("[1,2]", "format", 0),
    "number": ("7", "format", 0),
    "empty": ("", "format", 0),
    "NaN": (
        '{"type":"request","kind":"targetValues","sequenceNumber":4,"payload":{"targetVoltage":NaN}}',
        "format",
        0,
    ),
    "deep": ("[" * 100_000, "format", 0),
    "no type": ('{"kind":"reset","sequenceNumber":4,"payload":{}}', "format", 4),
    "unknown kind": ('{"type":"request","kind":"explode","sequenceNumber":4,"payload":{}}', "format", 4),
    "no payload": ('{"type":"request","kind":"reset","sequenceNumber":4}', "format", 4),
    "no number": ('{"type":"request","kind":"reset","payload":{}}', "format", 0),
    "wrong number": ('{"type":"request","kind":"reset","sequenceNumber":"4","payload":{}}', "format", 0),
    "negative": (
        '{"type":"request","kind":"targetValues","sequenceNumber":4,"payload":{"targetVoltage":400,'
        '"targetCurrent":-1,"batteryStateOfCharge":50,"chargingState":"charge"}}',
        "format",
        4,
    ),
    "boolean for a number": (
        '{"type":"request","kind":"cableCheck","sequenceNumber":4,"payload":{"voltage":true}}',
        "format",
        4,
    ),
    "ours": ('{"type":"request","kind":"stopCharging","sequenceNumber":4,"payload":{}}', "generic", 4),
    "binary": (b"\x00\x01", "format", 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bad_requests_are_answered_with_their_category_and_nothing_moves(name):
    frame, category, number = HOSTILE[name]
    rig = Rig().connect()
    rig.charge()
    rig.frames.clear()
    rig.send(frame)
    rig.wait(0.1)
    errors = [one for one in rig.messages() if one["type"] == "error"]
    assert [(one["payload"]["errorCategory"], one["sequenceNumber"]) for one in errors] == [
        (category, number)
    ]
    assert rig.point.state is PeccState.CHARGE
    rig.wait(1.0)
    assert rig.status["measuredCurrent"] == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"info","kind":"status","payload":{}}',
        '{"type":"info","kind":"evConnectionState","payload":{"evConnectionState":"maybe"}}',
        '{"type":"response","kind":"getInput","sequenceNumber":9,"payload":{}}',
        '{"type":"error","kind":"error","sequenceNumber":0,"payload":{"errorCategory":"x","errorDetails":""}}',
    ],
)
def test_bad_infos_and_replies_are_never_answered(rig, frame):
    rig.frames.clear()
    rig.send(frame)
    rig.wait(0.1)
    assert [one for one in rig.messages() if one["type"] != "info"] == []


def test_a_second_request_before_the_reply(rig):
    for number in (1, 2):
        rig.send(f'{{"type":"request","kind":"reset","sequenceNumber":{number},"payload":{{}}}}')
    rig.wait(0.1)
    assert [one["type"] for one in rig.messages() if "sequenceNumber" in one] == ["response", "response"]
    assert "one-in-flight" in rig.broken()
    strict = Rig(PeccConfig(manners=PeccManners(strict_pending=True))).connect()
    for number in (1, 2):
        strict.send(f'{{"type":"request","kind":"reset","sequenceNumber":{number},"payload":{{}}}}')
    strict.wait(0.1)
    assert [one["type"] for one in strict.messages() if "sequenceNumber" in one] == ["response", "error"]


# --- faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "field", "value"),
    [
        ("over-temperature", "temperature", 130),
        ("no-imd", "isolationStatus", "noImd"),
        ("inoperative", "operationalStatus", "inoperative"),
        ("contactor-drops", "contactorsStatus", "open"),
        ("isolation-fault", "isolationStatus", "fault"),
        ("isolation-warning", "isolationStatus", "warning"),
        ("supervision-denied", "contactorsStatus", "open"),
    ],
)
def test_faults_show_in_the_status(rig, fault, field, value):
    rig.charge()
    rig.fault(fault)
    rig.wait(0.8)
    assert rig.status[field] == value


@pytest.mark.parametrize("fault", ["status-garbage", "status-nan", "status-incomplete", "status-wrong-type"])
def test_bent_status_is_no_status_for_the_schema(rig, fault):
    rig.wait(1.0)
    rig.frames.clear()
    rig.fault(fault)
    rig.wait(1.0)
    assert len(rig.frames) == 5
    for _, frame in rig.frames:
        with pytest.raises(PepError):
            decode(frame, PepVersion.V1_8, "secc")


def test_extra_members_are_legal(rig):
    rig.fault("status-extra")
    rig.wait(1.0)
    assert all(decode(frame, PepVersion.V1_8, "secc").kind == "status" for _, frame in rig.frames)


def replies(rig, kind="configuration", wait_s=0.02):
    rig.frames.clear()
    number = rig.number + 1
    rig.ask(kind, wait_s)
    return number, [json.loads(frame) for _, frame in rig.frames if '"sequenceNumber"' in str(frame)]


def test_faults_of_replies(rig):
    rig.wait(0.1)
    rig.fault("reply-dropped")
    assert replies(rig)[1] == []
    rig.fault("reply-dropped", active=False)
    rig.fault("reply-late")
    assert replies(rig, wait_s=0.7)[1] == []
    assert len(replies(rig, wait_s=0.9)[1]) >= 1
    rig.fault("reply-late", active=False)
    rig.fault("reply-twice")
    number, found = replies(rig)
    assert [one["sequenceNumber"] for one in found] == [number, number]
    rig.fault("reply-twice", active=False)
    rig.fault("reply-wrong-number")
    number, found = replies(rig)
    assert found[0]["sequenceNumber"] != number
    rig.fault("reply-wrong-number", active=False)
    rig.fault("reply-wrong-kind")
    assert replies(rig)[1][0]["kind"] == "reset"
    rig.fault("reply-wrong-kind", active=False)
    for category in ("format", "value", "inoperative", "internal", "generic"):
        rig.fault(f"reply-{category}")
        assert replies(rig)[1][0]["payload"]["errorCategory"] == category
        rig.fault(f"reply-{category}", active=False)


def test_value_error_is_spelled_as_older_texts_do(rig):
    rig.fault("value-error")
    assert rig.target(400, 10, "preCharge")["payload"]["errorCategory"] == "valueError"


def test_stuck_contactors(rig):
    rig.fault("contactor-stuck-open")
    rig.close()
    rig.wait(2.0)
    assert rig.status["contactorsStatus"] == "open"
    rig.fault("contactor-stuck-open", active=False)
    rig.wait(1.0)
    assert rig.status["contactorsStatus"] == "closed"
    rig.fault("contactor-stuck-closed")
    rig.ask("reset")
    rig.wait(5.0)
    assert (rig.status["contactorsStatus"], rig.status["operationalStatus"]) == ("closed", "inoperative")
    rig.fault("contactor-stuck-closed", active=False)
    rig.wait(2.0)
    assert rig.point.state is PeccState.STANDBY


def test_a_stale_valid_survives_reset_and_a_new_test(rig):
    rig.check()
    assert rig.status["isolationStatus"] == "valid"
    rig.fault("stale-valid")
    rig.ask("reset")
    rig.wait(2.0)
    rig.close()
    assert rig.status["isolationStatus"] == "valid"


def test_without_that_fault_a_new_test_starts_invalid(rig):
    rig.check()
    rig.ask("reset")
    rig.wait(2.0)
    assert rig.status["isolationStatus"] == "invalid"


def test_floods_come_in_bursts_and_end(rig):
    rig.fault("flood")
    rig.wait(1.0)
    assert len(rig.frames) > 1500
    rig.fault("flood", active=False)
    rig.frames.clear()
    rig.wait(1.0)
    assert len(rig.frames) <= 6


def test_faults_of_the_line(rig):
    rig.fault("tcp-reset")
    assert rig.others[-1] == Abort()
    rig.fault("closed")
    assert rig.others[-1] == Close()
    rig.fault("half-open")
    assert rig.others[-1] == Stall()
    rig.frames.clear()
    rig.ask("reset")
    rig.wait(2.0)
    assert rig.frames == []
    rig.fault("half-open", active=False)
    assert rig.others[-1] == Abort()
    rig.fault("huge-frame")
    rig.wait(0.01)
    assert max(len(frame) for _, frame in rig.frames) > 10_000_000
    rig.fault("binary")
    rig.frames.clear()
    rig.wait(1.0)
    assert all(isinstance(frame, bytes) for _, frame in rig.frames)


def test_silence_hears_but_says_nothing(rig):
    rig.charge()
    rig.fault("silent")
    rig.frames.clear()
    rig.target(0, 0, "postCharge")
    rig.wait(2.0)
    assert rig.frames == []
    assert rig.point.state is PeccState.POST_CHARGE


def test_requests_of_the_pecc_wait_for_their_answer(rig):
    for name in ("stop-charging", "get-nonsense"):
        rig.fault(name)
    rig.wait(0.1)
    asked = [one for one in rig.messages() if one["type"] == "request"]
    assert [(one["kind"], one["sequenceNumber"]) for one in asked] == [("stopCharging", 1)]
    rig.send('{"type":"response","kind":"stopCharging","sequenceNumber":1,"payload":{}}')
    rig.wait(0.1)
    asked = [one for one in rig.messages() if one["type"] == "request"]
    assert [(one["kind"], one["sequenceNumber"]) for one in asked][1:] == [("getInput", 2)]
    rig.wait(1.0)
    assert "answers" in rig.broken()
