"""The SECC end beyond its queue: status, limits, cable check, standby, car, PECC requests, watchdogs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from unit.host.pep.given import CONFIGURATION, status, wire
from unit.host.pep.rig import FLOAT, Line

from vsecc_host.pep.configuration import DischargeLimits
from vsecc_host.pep.times import RESET_AGAIN_S, STATUS_WATCHDOG_S
from vsecc_host.pep.versions import PepVersion
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, CpState, EvParameters, Isolation, Phase, PowerPhase

V2, V3, V5, V6, V7, V8 = (PepVersion(number) for number in (12, 13, 15, 16, 17, 18))
CLOSED: dict[str, Any] = {"contactorsStatus": "closed"}
CHECK = c.PowerCableCheck(evse_id=1, voltage_v=500.4)
RESET = c.PowerReset(evse_id=1)
CAR = EvParameters(max_voltage_v=450.7, max_current_a=125.9, max_power_w=None)


def results(line: Line) -> list[Isolation]:
    return [event.isolation for event in line.of(e.CableCheckDone)]


# --- status -------------------------------------------------------------------------------------------------


def test_a_status_is_a_measurement() -> None:
    line = Line().ready().status(**CLOSED, measuredVoltage=400.5, measuredCurrent=12, drivenVoltage=401)
    snapshot = line.of(e.PowerMeasured)[0].snapshot
    assert (snapshot.at, snapshot.voltage_v, snapshot.current_a) == (line.now, 400.5, 12.0)
    assert (snapshot.contactors_closed, snapshot.operative, snapshot.temperature_c) == (True, True, -3.5)


@pytest.mark.parametrize(
    "change", [{"measuredVoltage": "400"}, {"operationalStatus": "ok"}, {"temperature": None}]
)
def test_a_faulty_status_is_none(change: dict[str, Any]) -> None:
    line = Line().ready().status(**change)
    assert (line.events, line.sent) == ([], [])
    assert line.machine.notes.counts == {"faulty info": 1}


def test_a_status_in_a_binary_frame_is_none() -> None:
    line = Line().ready()
    line.machine.receive(status().encode(), line.now)
    events, frames = line.machine.take()
    assert events == []
    (answer,) = [json.loads(frame.text) for frame in frames]
    assert (answer["type"], answer["sequenceNumber"], answer["payload"]["errorCategory"]) == (
        "error",
        0,
        "format",
    )


def test_without_status_the_connection_is_given_up() -> None:
    line = Line().ready().wait(STATUS_WATCHDOG_S - 0.01)
    assert line.machine.close_wanted == ""
    line.wait(0.02)
    assert line.machine.close_wanted == "no status for 5 s"
    assert line.machine.next_deadline() is None


def test_nothing_but_status_counts_as_a_sign_of_life() -> None:
    line = Line().ready()
    for _ in range(6):
        line.hear(wire("info", "event", payload={"eventDetails": "alive"})).wait(1.0)
    assert line.machine.close_wanted


def test_a_lost_connection_is_told_once_per_reason() -> None:
    line = Line()
    for reason in ("refused", "refused", "no route"):
        line.machine.disconnected(reason, line.now)
        line._take()
    assert [(x.cause, x.detail) for x in line.of(e.PowerLost)] == [
        (Cause.POWER_STALE, "refused"),
        (Cause.POWER_STALE, "no route"),
    ]


def test_a_lost_connection_in_a_session_is_told_again_after_each_connection() -> None:
    line = Line().ready()
    line.machine.disconnected("closed", line.now)
    line.connect()
    line.machine.disconnected("closed", line.now)
    assert len(line._take().of(e.PowerLost)) == 2


def test_disconnected_nothing_can_be_energised() -> None:
    line = Line()
    line.machine.disconnected("refused", line.now)
    line._take().forget()
    line.target(400, 10).do(CHECK).target(0, 0, PowerPhase.POST_CHARGE).contactors(False).do(RESET)
    assert [x.detail for x in line.of(e.PowerLost)] == ["refused", "refused"]
    assert line.machine.next_deadline() is None
    assert line.sent == []


# --- limits -------------------------------------------------------------------------------------------------


def test_limits_are_told_when_they_change() -> None:
    line = Line().ready()
    line.update(cp_state=CpState.B).answer("configuration", FLOAT)
    assert line.of(e.PowerLimitsTold) == []
    line.update(phase=Phase.CHARGING).status().wait(2.0)
    line.answer("configuration", {**FLOAT, "limitPowerMax": 30000})
    assert line.of(e.PowerLimitsTold)[0].limits.max_power_w == 30000


def test_limits_are_asked_for_on_plug_in_and_while_a_session_lasts() -> None:
    line = Line().ready().status().wait(4)
    assert line.kinds == []
    line.update(cp_state=CpState.B)
    assert line.kinds == ["configuration"]
    line.answer("configuration", FLOAT).update(phase=Phase.SETUP)
    for _ in range(4):
        line.status().wait(2.0).answer("configuration", FLOAT)
    assert line.kinds == ["configuration"] * 5
    line.update(phase=Phase.FINISHED).status().wait(4.5)
    assert len(line.requests) == 5


def test_discharge_limits_are_kept() -> None:
    told = {
        **FLOAT,
        "limitPowerMin": 100,
        "limitDischargeCurrentMax": -30,
        "limitDischargePowerMax": -11000.5,
    }
    configuration = Line(V8).ready(told).machine.configuration
    assert configuration is not None
    assert configuration.discharge == DischargeLimits(max_current_a=-30, max_power_w=-11000.5)
    assert configuration.min_power_w == 100
    older = Line(V7).ready(told).machine.configuration
    assert older is not None
    assert older.discharge is None


def test_a_poll_of_the_limits_never_delays_the_zero_after_a_failed_target() -> None:
    line = Line().ready()
    line.update(cp_state=CpState.C, phase=Phase.CHARGING)
    for step in range(400):  # the limits are polled between the targets
        if step % 40 == 0:
            line.target(400.0, 100.0)
        line.status(contactorsStatus="closed").wait(0.01)
        if any(isinstance(event, e.PowerLost) for event in line.events):
            break
    line.forget().target(0.0, 0.0, PowerPhase.POST_CHARGE)
    assert line.pending["kind"] == "targetValues"
    assert line.pending["payload"]["chargingState"] == "postCharge"


@pytest.mark.parametrize(
    "change",
    [
        {"limitVoltageMin": 921},
        {"limitCurrentMin": 126},
        {"limitDischargeCurrentMin": -9, "limitDischargeCurrentMax": -8},
    ],
)
def test_limits_that_contradict_themselves_are_not_used(change: dict[str, Any]) -> None:
    line = Line().connect().answer("reset").answer("configuration", {**CONFIGURATION, **change})
    assert line.of(e.PowerLimitsTold) == []
    assert "configuration refused" in line.machine.notes.counts
    line.status().wait(2.1)
    assert line.pending["kind"] == "configuration"


# --- integer mode -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "configuration", "volts"),
    [(V2, FLOAT, 388), (V3, FLOAT, 388), (V5, FLOAT, 388.4), (V8, FLOAT, 388.4), (V8, CONFIGURATION, 388)],
)
def test_integers_unless_told_otherwise(
    version: PepVersion, configuration: dict[str, Any], volts: float
) -> None:
    line = Line(version).ready(configuration).target(388.4, 1.9)
    assert line.pending["payload"]["targetVoltage"] == volts
    assert line.pending["payload"]["targetCurrent"] == (1.9 if volts == 388.4 else 1)


def test_integers_until_the_first_configuration() -> None:
    line = Line().connect().answer("reset").do(c.PowerSupervision(evse_id=1, relay_closed=True))
    line.target(388.4, 1.9).answer("configuration", {**FLOAT}).answer("targetValues").target(388.4, 1.9)
    assert [r["payload"]["targetVoltage"] for r in line.requests[2:]] == [388.4, 388.4]
    again = Line().connect().do(c.PowerSupervision(evse_id=1, relay_closed=True)).target(388.4, 1.9)
    again.answer("reset")
    assert again.pending["payload"]["targetVoltage"] == 388


def test_fractions_in_integer_mode_are_understood_and_noted() -> None:
    line = Line().ready(CONFIGURATION).status(measuredVoltage=400.5)
    assert line.of(e.PowerMeasured)[-1].snapshot.voltage_v == 400.5
    assert "fractions although floatValues is not true" in line.machine.notes.counts


@pytest.mark.parametrize(("asked", "said"), [(-3, 0), (150, 100), (50, 50)])
def test_a_state_of_charge_out_of_range_is_cut(asked: int, said: int) -> None:
    assert Line().ready().target(400, 10, soc=asked).pending["payload"]["batteryStateOfCharge"] == said


# --- cable check: only a fresh result counts ----------------------------------------------------------------


def check(line: Line, before: str) -> Line:
    return line.status(**CLOSED, isolationStatus=before).do(CHECK)


def seen(line: Line, isolation: str) -> Line:
    return line.status(**CLOSED, isolationStatus=isolation)


def test_the_result_of_a_check() -> None:
    line = check(Line().ready(), "invalid")
    assert line.pending["payload"] == {"voltage": 500.4}
    line.answer("cableCheck")
    assert results(seen(line, "invalid").wait(0.2)) == []
    assert results(seen(line, "valid")) == [Isolation.VALID]
    assert results(seen(line, "valid")) == [Isolation.VALID]  # told once


def test_an_old_valid_is_not_believed_until_it_was_gone() -> None:
    line = check(Line().ready(), "valid").answer("cableCheck")
    assert results(seen(line, "valid").wait(0.2)) == []
    assert results(seen(line, "invalid").wait(2)) == []
    assert results(seen(line, "valid")) == [Isolation.VALID]


def test_or_until_400_ms_after_the_response() -> None:
    line = check(Line().ready(), "valid")
    seen(line.wait(0.3), "valid").answer("cableCheck")
    seen(line.wait(0.39), "valid")
    assert results(line) == []
    assert results(seen(line.wait(0.02), "valid")) == [Isolation.VALID]


def test_an_old_fault_is_not_believed_either() -> None:
    line = check(Line().ready(), "fault").answer("cableCheck")
    assert results(seen(line, "fault").wait(0.2)) == []
    assert results(seen(line, "valid")) == [Isolation.VALID]


def test_a_status_before_the_request_is_sent_counts_for_nothing() -> None:
    line = seen(Line().ready(), "invalid").target(0, 0)
    line.do(CHECK)
    assert results(seen(line, "valid")) == []
    line.answer("targetValues")
    assert results(seen(line, "valid").wait(0.2)) == []  # already valid when the request went out
    line.answer("cableCheck")
    assert results(seen(line.wait(0.41), "valid")) == [Isolation.VALID]


@pytest.mark.parametrize(("told", "result"), [("warning", Isolation.WARNING), ("fault", Isolation.FAULT)])
def test_bad_results_are_told_as_they_are(told: str, result: Isolation) -> None:
    assert results(seen(check(Line().ready(), "invalid").answer("cableCheck"), told)) == [result]


@pytest.mark.parametrize(("allowed", "result"), [(False, Isolation.INVALID), (True, Isolation.VALID)])
def test_without_isolation_monitor_only_the_operator_decides(allowed: bool, result: Isolation) -> None:
    line = check(Line(V6, accept_no_imd=allowed).ready(CONFIGURATION), "noImd").answer("cableCheck")
    assert results(seen(line.wait(0.41), "noImd")) == [result]


@pytest.mark.parametrize("end", [RESET, c.PowerContactors(evse_id=1, closed=False)])
def test_a_check_that_was_given_up_has_no_result(end: c.Command) -> None:
    line = check(Line().ready(), "invalid").answer("cableCheck").do(end)
    assert results(seen(line, "valid")) == []


def test_the_voltage_came_with_1_3() -> None:
    assert Line(V2).ready().do(CHECK).pending["payload"] == {}
    assert Line(V3).ready().do(CHECK).pending["payload"] == {"voltage": 500}


# --- standby and inoperative --------------------------------------------------------------------------------


def operative(line: Line) -> bool:
    return line.of(e.PowerMeasured)[-1].snapshot.operative


def test_after_a_reset_the_outlet_is_not_operative_before_standby_is_seen() -> None:
    line = Line().ready().status(**CLOSED).do(RESET).answer("reset")
    assert not operative(line.status(**CLOSED))
    assert not operative(line.status(operationalStatus="inoperative"))
    assert operative(line.status())
    assert operative(line.status(**CLOSED))


def test_the_transition_after_an_accepted_reset_may_take_its_time() -> None:
    line = Line().ready().status(**CLOSED).do(RESET).answer("reset")
    for _ in range(60):
        line.status(operationalStatus="inoperative").wait(0.2)
    assert line.kinds == ["reset"]
    assert operative(line.status())


def test_a_reset_is_repeated_while_contactors_stay_closed() -> None:
    line = Line().ready().status(**CLOSED).do(RESET)
    for count in range(1, 4):
        assert len(line.requests) == count
        line.answer("reset").status(**CLOSED).wait(RESET_AGAIN_S + 0.01)


def test_a_refused_reset_is_repeated_until_standby() -> None:
    line = Line().ready().status(**CLOSED).do(RESET).refuse("inoperative")
    line.status(operationalStatus="inoperative").wait(RESET_AGAIN_S + 0.01)
    assert line.kinds == ["reset", "reset"]
    line.refuse("inoperative").status().wait(4)
    assert line.kinds == ["reset", "reset"]


def test_inoperative_is_told_as_measured() -> None:
    assert not operative(Line().ready().status(operationalStatus="inoperative"))


# --- what the PECC is told of the car -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cp", "phase", "said"),
    [
        (CpState.A, Phase.IDLE, "disconnected"),
        (CpState.B, Phase.CONNECTED, "connected"),
        (CpState.C, Phase.CABLE_CHECK, "energyTransferAllowed"),
        (CpState.D, Phase.CHARGING, "energyTransferAllowed"),
        (CpState.E, Phase.FAULTED, "error"),
        (CpState.F, Phase.FAULTED, "error"),
        (CpState.F, Phase.CONNECTED, "connected"),
        (CpState.UNKNOWN, Phase.FAULTED, "error"),
    ],
)
def test_the_pilot_tells_the_connection(cp: CpState, phase: Phase, said: str) -> None:
    line = Line().connect().update(cp_state=cp, phase=phase).update(stop_delay_s=9.0)
    assert line.told("evConnectionState") == [{"evConnectionState": said}]


def test_the_car_is_named_once_it_is_known() -> None:
    line = Line().ready().update(cp_state=CpState.B).update(evcc_id="0001871107DE")
    line.update(cp_state=CpState.C).update(cp_state=CpState.B).update(cp_state=CpState.A, evcc_id="")
    named = {"evConnectionState": "connected", "vehicleId": "00:01:87:11:07:DE"}
    assert line.told("evConnectionState") == [
        {"evConnectionState": "connected"},
        named,
        {"evConnectionState": "energyTransferAllowed"},
        named,
        {"evConnectionState": "disconnected"},
    ]


def test_the_name_came_with_1_3() -> None:
    line = Line(V2).ready().update(cp_state=CpState.B, evcc_id="0001871107DE")
    assert line.told("evConnectionState") == [{"evConnectionState": "connected"}]


def test_1_1_hears_nothing_of_the_car() -> None:
    line = Line(PepVersion.V1_1).ready().update(cp_state=CpState.B, ev=CAR)
    assert [m["type"] for m in line.sent] == ["request"]


def test_only_changes_of_the_session_are_told() -> None:
    line = Line().ready().update(cp_state=CpState.B, profile_max_power_w=50000.0)
    line.wait(0.3).update(ev=CAR).wait(0.3).update(remaining_to_full_s=900).wait(0.3)
    assert line.told("chargingSession") == [
        {"chargingProfileMaxPowerLimitWatts": 50000},
        {
            "evMinVoltageVolts": 0,
            "evMinCurrentAmperes": 0,
            "evMinPowerWatts": 0,
            "evMaxVoltageVolts": 450.7,
            "evMaxCurrentAmperes": 125.9,
            "chargeMode": "scheduled",
        },
        {"timeToFullSocSeconds": 900},
    ]


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (V5, None),
        (V6, {"timeToFullSocSeconds"}),
        (V7, {"timeToFullSocSeconds", "evMaxVoltageVolts", "evMaxCurrentAmperes"}),
        (V8, {"timeToFullSocSeconds", "evMaxVoltageVolts", "evMaxCurrentAmperes", "chargeMode"}),
    ],
)
def test_each_version_hears_what_it_knows(version: PepVersion, names: set[str] | None) -> None:
    line = Line(version).ready(CONFIGURATION).update(cp_state=CpState.B, ev=CAR, remaining_to_full_s=1)
    told = line.told("chargingSession")
    assert len(told) == (0 if names is None else 1)
    if names is not None:
        assert {name for name in told[0] if not name.startswith("evMin")} == names
        assert told[0].get("evMaxCurrentAmperes", 125) == 125  # whole numbers, rounded down


def test_a_chatty_car_is_told_of_five_times_a_second() -> None:
    line = Line().ready().update(cp_state=CpState.B, ev=CAR)
    for seconds in range(100, 0, -1):
        line.status().update(remaining_to_full_s=seconds).wait(0.01)
    line.wait(0.5)
    told = line.told("chargingSession")
    assert 5 <= len(told) <= 8
    assert told[-1] == {"timeToFullSocSeconds": 1}


def test_another_car_and_another_connection_hear_it_all() -> None:
    line = Line().ready().update(cp_state=CpState.B, ev=CAR).wait(1).status()
    line.update(cp_state=CpState.A).wait(1).status().update(cp_state=CpState.B).wait(1)
    assert len(line.told("chargingSession")) == 2
    line.machine.disconnected("closed", line.now)
    line.forget().connect()
    assert [m["kind"] for m in line.sent] == ["evConnectionState", "chargingSession", "reset"]
    assert line.told("chargingSession")[0]["evMaxVoltageVolts"] == 450


# --- what the PECC asks -------------------------------------------------------------------------------------


def reply(line: Line) -> dict[str, Any]:
    return line.sent[-1]


def test_get_input() -> None:
    line = Line(V2).ready()
    line.terminals.heard({"digital_inputs": 0b101, "analog1_mv": 5204}, line.now)
    line.hear(wire("request", "getInput", 9, {"inputIdentifiers": ["d1", "d2", "d3", "a1", "d1"]}))
    assert reply(line) == {
        "type": "response",
        "kind": "getInput",
        "sequenceNumber": 9,
        "payload": {"inputValues": {"d1": 1, "d2": 0, "d3": 1, "a1": 5.2}},
    }


@pytest.mark.parametrize(("asked", "category"), [(["d1", "d9"], "value"), (["t1"], "internal")])
def test_get_input_is_all_or_nothing(asked: list[str], category: str) -> None:
    line = Line().ready()
    line.terminals.heard({"digital_inputs": 0}, line.now)
    line.hear(wire("request", "getInput", 9, {"inputIdentifiers": asked}))
    assert (reply(line)["type"], reply(line)["payload"]["errorCategory"]) == ("error", category)
    assert asked[-1] in reply(line)["payload"]["errorDetails"]


def test_set_output() -> None:
    line = Line().ready()
    line.terminals.mcu_up()
    line.hear(wire("request", "setOutput", 1, {"outputValues": {"d16": 1, "d1": 1.0}}))
    assert reply(line) == {"type": "response", "kind": "setOutput", "sequenceNumber": 1, "payload": {}}
    assert line.terminals.outputs == 0x8001
    line.hear(wire("request", "setOutput", 2, {"outputValues": {"d1": 0, "d17": 1}}))
    assert reply(line)["payload"] == {"errorCategory": "value", "errorDetails": "no output 'd17'"}
    assert line.terminals.outputs == 0x8001


@pytest.mark.parametrize("phase", Phase)
def test_stop_charging_asks_for_a_stop_where_there_is_something_to_stop(phase: Phase) -> None:
    line = Line().ready().update(phase=phase, cp_state=CpState.C).forget()
    line.hear(wire("request", "stopCharging", 5))
    assert reply(line) == {"type": "response", "kind": "stopCharging", "sequenceNumber": 5, "payload": {}}
    stopped = phase in (Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING)
    assert [x.who for x in line.of(e.StopRequested)] == (["power electronics"] if stopped else [])


def test_requests_are_answered_while_ours_is_in_flight() -> None:
    line = Line().ready().target(400, 10).hear(wire("request", "stopCharging", 5))
    assert reply(line)["type"] == "response"
    assert len(line.requests) == 1


def test_any_number_is_echoed_and_gaps_are_noted() -> None:
    line = Line().ready()
    for number in (0, 1, 2147483647, 1, 5, 5):
        line.hear(wire("request", "stopCharging", number))
        assert reply(line)["sequenceNumber"] == number
    assert line.machine.notes.counts["sequence number out of step"] == 3


@pytest.mark.parametrize(
    ("text", "kind", "number", "category"),
    [
        ("nonsense", "error", 0, "format"),
        (b"\x00\x01", "error", 0, "format"),
        (b'{"type":"request"}', "error", 0, "format"),
        (wire("request", "fly", 7), "error", 7, "format"),
        (wire("request", "stopCharging"), "stopCharging", 0, "format"),
        (wire("request", "setOutput", 7, {}), "setOutput", 7, "format"),
        (wire("request", "reset", 7), "reset", 7, "generic"),
        (wire("request", "targetValues", 7, {}), "targetValues", 7, "generic"),
    ],
)
def test_faulty_requests_are_answered(text: str | bytes, kind: str, number: int, category: str) -> None:
    line = Line().ready().hear(text)
    assert (reply(line)["type"], reply(line)["kind"], reply(line)["sequenceNumber"]) == (
        "error",
        kind,
        number,
    )
    assert reply(line)["payload"]["errorCategory"] == category
    assert line.events == []


def test_stop_charging_came_with_1_5() -> None:
    line = Line(V3).ready().hear(wire("request", "stopCharging", 5))
    assert (reply(line)["type"], reply(line)["kind"]) == ("error", "error")


def test_events_and_floods_fill_no_log() -> None:
    line = Line().ready()
    for count in range(1000):
        line.hear(wire("info", "event", payload={"eventDetails": f"number {count}\n\x1b[31m"}))
    notes = line.notes
    assert len(notes) == 1
    assert notes[0].isprintable()
    assert line.machine.notes.counts["PECC event"] == 1000


@pytest.mark.parametrize(("value", "said"), [(float("nan"), 0), (float("inf"), 2147483647), (-5.0, 0)])
def test_numbers_stay_in_their_range(value: float, said: int) -> None:
    line = Line().ready().target(value, value)
    assert (line.pending["payload"]["targetVoltage"], line.pending["payload"]["targetCurrent"]) == (
        said,
        said,
    )
    line.update(cp_state=CpState.B, profile_max_power_w=value)
    assert line.told("chargingSession") == [{"chargingProfileMaxPowerLimitWatts": said}]


def test_nothing_is_sent_that_is_not_json() -> None:
    line = Line().ready().do(c.PowerCableCheck(evse_id=1, voltage_v=-1.0))
    assert json.loads(json.dumps(line.sent)) == line.sent
    assert line.pending["payload"] == {"voltage": 0}


def test_a_refused_zero_is_followed_by_a_reset() -> None:
    line = Line().ready()
    line.target(0.0, 0.0, PowerPhase.POST_CHARGE)
    line.refuse("value")
    assert line.pending["kind"] == "reset"
    assert [event.cause for event in line.events if isinstance(event, e.PowerLost)] == [Cause.POWER_REFUSED]
