"""Scenario acts reach the wire as told, and hostile bytes of a charger never break the car."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.tools.ev.bench import Bench
from unit.tools.ev.charger import SESSION_ID, pack

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_sim.ev.misbehave import GARBAGE_FRAME, Act, Do, Script, parse_acts, read_act
from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.values import EvEnd, Step, StopReading, Trickle, Wrong


def test_a_stall_delays_one_request() -> None:
    bench = Bench(acts=(Act(at=Step.CABLE_CHECK, do=Do.STALL, for_s=30.0),))
    assert bench.run().end is EvEnd.CHARGED
    assert bench.gaps_ms("CableCheckReq")[0] == pytest.approx(30_150)


def test_a_stall_for_good_leaves_nothing_pending() -> None:
    bench = Bench(acts=(Act(at=Step.CURRENT_DEMAND, do=Do.STALL, nth=3),))
    with pytest.raises(AssertionError, match="waits for nothing"):
        bench.run()
    assert len(bench.charger.bodies(din.CurrentDemandReq)) == 2
    bench.machine.abort(EvEnd.UNPLUGGED, "", bench.now)
    bench.hear(b"")
    assert bench.ended is not None
    assert bench.ended.end is EvEnd.UNPLUGGED


def test_a_skipped_step_is_not_asked() -> None:
    bench = Bench(acts=(Act(at=Step.AUTHORIZATION, do=Do.SKIP, to=Step.CHARGE_PARAMETERS),))
    bench.run()
    assert "ContractAuthenticationReq" not in bench.charger.names()


def test_a_wrong_session_id_is_sent_once() -> None:
    bench = Bench(acts=(Act(at=Step.PRE_CHARGE, do=Do.WRONG_SESSION_ID),))
    bench.run()
    wrong = [r for r in bench.charger.requests[2:] if r.header.session_id != SESSION_ID]
    assert [type(r.body) for r in wrong] == [din.PreChargeReq]


def test_garbage_replaces_the_request() -> None:
    bench = Bench(acts=(Act(at=Step.SERVICE_DISCOVERY, do=Do.GARBAGE, hex="0102"),))
    assert bench.run().end is EvEnd.MESSAGE_TIMEOUT
    assert bench.sent[-1][1] == bytes([1, 2])


def test_the_standard_garbage_is_a_frame_nobody_can_decode() -> None:
    frame = v2gtp.parse_datagram(bytes.fromhex(GARBAGE_FRAME))
    assert frame is not None
    for protocol in (Protocol.SAP, Protocol.DIN):
        with pytest.raises(ValueError, match=r".+"):
            decode(protocol, frame.payload)


def test_a_request_sent_twice_gets_an_answer_nobody_asked_for() -> None:
    bench = Bench(acts=(Act(at=Step.CABLE_CHECK, do=Do.TWICE),))
    assert bench.run().end is EvEnd.PROTOCOL_ERROR
    assert len(bench.charger.bodies(din.CableCheckReq)) == 2


@pytest.mark.parametrize("reset", [True, False])
def test_disconnecting_ends_the_session(reset: bool) -> None:
    bench = Bench(acts=(Act(at=Step.CURRENT_DEMAND, nth=4, do=Do.DISCONNECT, reset=reset),))
    ended = bench.run()
    assert (ended.end, ended.reset) == (EvEnd.MISBEHAVED, reset)
    assert bench.bus is not None and not bench.bus.contactor_closed


def test_socket_misbehaviour_is_told_to_the_shell() -> None:
    acts = (
        Act(at=Step.CABLE_CHECK, do=Do.ONE_BYTE, interval_s=0.5),
        Act(at=Step.CABLE_CHECK, do=Do.NEVER_READ),
    )
    bench = Bench(acts=acts)
    bench.run()
    assert [e for e in bench.events if isinstance(e, (Trickle, StopReading))] == [Trickle(0.5), StopReading()]


def test_each_act_is_used_once() -> None:
    script = Script([Act(at=Step.PRE_CHARGE, do=Do.TWICE, nth=2)])
    assert [len(script.due(Step.PRE_CHARGE, nth)) for nth in (1, 2, 2)] == [0, 1, 0]


def test_acts_from_a_scenario() -> None:
    (act,) = parse_acts([{"at": "pre_charge", "do": "skip", "to": "power_on", "nth": 2}])
    assert act == Act(at=Step.PRE_CHARGE, do=Do.SKIP, to=Step.POWER_ON, nth=2)


@pytest.mark.parametrize(
    "entry",
    [
        {"at": "nowhere", "do": "stall"},
        {"at": "pre_charge", "do": "dance"},
        {"at": "pre_charge"},
        {"at": "pre_charge", "do": "skip"},
        {"at": "pre_charge", "do": "garbage", "hex": "xy"},
        {"at": "pre_charge", "do": "stall", "color": "red"},
        {"at": "pre_charge", "do": "stall", "for_s": "long"},
        {"at": "pre_charge", "do": "stall", "for_s": True},
        {"at": "pre_charge", "do": "stall", "nth": 0},
        {"at": "pre_charge", "do": "stall", "nth": 1.5},
        {"at": "pre_charge", "do": "disconnect", "reset": "perhaps"},
        {"at": "charge_parameters", "do": "wrong"},
        {"at": "charge_parameters", "do": "wrong", "what": "colour"},
    ],
)
def test_a_wrong_act_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="misbehave 1"):
        parse_acts([entry])


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("pre_charge:disconnect", Act(at=Step.PRE_CHARGE, do=Do.DISCONNECT)),
        ("pre_charge:disconnect,reset=true", Act(at=Step.PRE_CHARGE, do=Do.DISCONNECT, reset=True)),
        (
            "current_demand:stall,nth=20,for_s=2.5",
            Act(at=Step.CURRENT_DEMAND, do=Do.STALL, nth=20, for_s=2.5),
        ),
        ("cable_check:skip,to=power_on", Act(at=Step.CABLE_CHECK, do=Do.SKIP, to=Step.POWER_ON)),
        ("charge_parameters:wrong,what=mode", Act(at=Step.CHARGE_PARAMETERS, do=Do.WRONG, what=Wrong.MODE)),
    ],
)
def test_acts_from_a_command_line(text: str, act: Act) -> None:
    assert read_act(text) == act


@pytest.mark.parametrize(
    "text",
    ["", "stall", "pre_charge", "pre_charge:", ":stall", "pre_charge:stall,2", "pre_charge:stall,at=x"],
)
def test_a_wrong_act_on_a_command_line_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="misbehave"):
        read_act(text)


@pytest.mark.parametrize(
    ("at", "what", "field", "said"),
    [
        (Step.PAYMENT_SELECTION, Wrong.PAYMENT, "selected_payment_option", din.PaymentOption.Contract),
        (
            Step.PAYMENT_SELECTION,
            Wrong.SERVICE,
            "selected_service_list",
            din.SelectedServiceList((din.SelectedService(99),)),
        ),
        (
            Step.PAYMENT_SELECTION,
            Wrong.EXTRA_SERVICE,
            "selected_service_list",
            din.SelectedServiceList((din.SelectedService(1), din.SelectedService(99))),
        ),
        (
            Step.CHARGE_PARAMETERS,
            Wrong.MODE,
            "ev_requested_energy_transfer_type",
            din.EvRequestedEnergyTransferType.AC_three_phase_core,
        ),
    ],
)
def test_what_no_charger_accepts(at: Step, what: Wrong, field: str, said: object) -> None:
    bench = Bench(acts=(Act(at=at, do=Do.WRONG, what=what),))
    bench.run()
    assert [getattr(r.body, field) for r in bench.charger.requests[1:] if hasattr(r.body, field)] == [said]


def test_parameters_of_other_cars() -> None:
    bench = Bench(acts=(Act(at=Step.CHARGE_PARAMETERS, do=Do.WRONG, what=Wrong.PARAMETERS),))
    bench.run()
    (request,) = bench.charger.bodies(din.ChargeParameterDiscoveryReq)
    assert isinstance(request.ev_charge_parameter, din.AcEvChargeParameter)
    bench = Bench(acts=(Act(at=Step.CHARGE_PARAMETERS, do=Do.WRONG, what=Wrong.LIMITS),))
    bench.run()
    (request,) = bench.charger.bodies(din.ChargeParameterDiscoveryReq)
    assert isinstance(request.ev_charge_parameter, din.DcEvChargeParameter)
    assert request.ev_charge_parameter.ev_maximum_voltage_limit.value == 0


def test_an_act_added_on_the_way_counts_from_there() -> None:
    script = Script()
    script.add(Act(at=Step.PRE_CHARGE, do=Do.TWICE, nth=3))
    assert [len(script.due(Step.PRE_CHARGE, nth)) for nth in (1, 2, 3, 4)] == [0, 0, 1, 0]


# --- hostile bytes ----------------------------------------------------------------------------------------

STEPS = [
    din.SessionSetupRes,
    din.ServiceDiscoveryRes,
    din.ChargeParameterDiscoveryRes,
    din.CableCheckRes,
    din.PreChargeRes,
    din.CurrentDemandRes,
    din.SessionStopRes,
]


@pytest.mark.parametrize("response", STEPS)
@pytest.mark.parametrize(
    "raw",
    [
        pack(b""),
        pack(b"\x80"),
        pack(b"\xff" * 40),
        bytes.fromhex("01fe8001") + (1 << 20).to_bytes(4, "big") + b"\x80" * 50,
        pack(encode(Protocol.DIN, din.V2gMessage(din.MessageHeader(SESSION_ID), None))),
        pack(encode(Protocol.DIN, din.V2gMessage(din.MessageHeader(SESSION_ID), din.SessionStopReq()))),
    ],
    ids=["empty", "header only", "ones", "a megabyte announced", "no body", "a request"],
)
def test_bad_answers_end_the_session_as_a_protocol_error(response: type[Any], raw: bytes) -> None:
    bench = Bench()
    bench.charger.change(response, lambda res, nth: raw)
    ended = bench.run()
    expected = EvEnd.CHARGED if response is din.SessionStopRes else EvEnd.PROTOCOL_ERROR
    assert ended.end is expected
    assert "protocol_error" in (ended.trouble[0] if ended.trouble else str(ended.end))


@pytest.mark.parametrize(
    "raw", [bytes.fromhex("02fd800100000002abcd"), v2gtp.pack(0x9001, bytes(20)), b"\x01\xfe"]
)
def test_foreign_frames_are_dropped_and_the_answer_times_out(raw: bytes) -> None:
    bench = Bench()
    bench.charger.change(din.CableCheckRes, lambda res, nth: raw)
    assert bench.run().end is EvEnd.MESSAGE_TIMEOUT


def test_an_unasked_message_ends_the_session() -> None:
    bench = Bench()
    response = din.V2gMessage(din.MessageHeader(SESSION_ID), din.SessionStopRes(din.ResponseCode.OK))
    bench.hear(pack(encode(Protocol.DIN, response)))
    assert bench.ended is not None
    assert bench.ended.end is EvEnd.PROTOCOL_ERROR
    bench.hear(pack(b"\x80"))  # and nothing after the end matters
    assert bench.machine.next_deadline() is None


def test_answers_byte_by_byte_are_understood() -> None:
    bench = Bench()
    bench.machine.tick(bench.now)
    while bench.ended is None:
        events, data = bench.machine.take()
        for event in events:
            bench._carry_out(event)
        for byte in bench.charger.answer(data, bench.now) if data else b"":
            bench.machine.observe(bench.vehicle.view())
            bench.machine.receive(bytes([byte]), bench.now)
        due = bench.machine.next_deadline()
        if due is not None and not bench.machine.awaiting:
            bench.now = due
            bench.machine.observe(bench.vehicle.view())
            bench.machine.tick(due)
    assert bench.ended.end is EvEnd.CHARGED


@given(data=st.lists(st.binary(max_size=60), max_size=6), nth=st.integers(1, 30), frame=st.booleans())
def test_no_bytes_break_the_car(data: list[bytes], nth: int, frame: bool) -> None:
    bench = Bench()
    noise = b"".join(pack(part) if frame else part for part in data)
    seen = 0

    def insert(request: bytes, now: float) -> bytes:
        nonlocal seen
        seen += 1
        reply = answer(request, now)
        return noise + reply if seen == nth else reply

    answer = bench.charger.answer
    bench.charger.answer = insert  # type: ignore[method-assign]
    ended = bench.run()
    assert isinstance(ended.end, EvEnd)
    assert bench.bus is not None and not bench.bus.contactor_closed
    assert bench.pilots[-1][1] == "B"
