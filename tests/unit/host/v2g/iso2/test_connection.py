"""ISO 15118-2 on a connection: handshake, whole sessions, pause across connections, bad bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.host.v2g.given import MAC, SESSION_ID
from unit.host.v2g.iso2.car import Iso2Car
from unit.host.v2g.iso2.given import PAUSE, REQUESTS, Code, current_demand
from unit.host.v2g.test_any_view import CHANGES

from vsecc_host.station import events as e
from vsecc_host.station.values import CableCheck, Cause, CpState
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.config import V2gConfig
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.exi.app_protocol import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)
from vsecc_host.v2g.machine import EV_CLOSES_S

DIN_NS, ISO2_NS = "urn:din:70121:2012:MsgDef", "urn:iso:15118:2:2013:MsgDef"
LONGEST_ANSWER_S = 4.0  # PowerDeliveryRes


def test_a_whole_session_tells_each_event_once() -> None:
    car = Iso2Car()
    assert car.shake_hands() == [SupportedAppProtocolRes(ResponseCode.OK_SuccessfulNegotiation, 7)]
    (setup,) = car.send(REQUESTS[K.SESSION_SETUP])
    assert setup == m.SessionSetupRes(Code.OK_NewSessionEstablished, "DE*VSE*E1")
    for kind in (K.SERVICE_DISCOVERY, K.SERVICE_DETAIL, K.PAYMENT_SELECTION, K.AUTHORIZATION):
        car.send(REQUESTS[kind])
    car.send(REQUESTS[K.CHARGE_PARAMETER_DISCOVERY])
    car.send(REQUESTS[K.CABLE_CHECK], cable_check=CableCheck.IDLE)
    car.send(REQUESTS[K.CABLE_CHECK], contactors_closed=True)
    car.send(REQUESTS[K.PRE_CHARGE], voltage_v=376.0, contactors_closed=True)
    car.send(REQUESTS[K.POWER_DELIVERY_ON])
    car.send(current_demand())
    car.send(REQUESTS[K.POWER_DELIVERY_OFF])
    car.send(REQUESTS[K.WELDING_DETECTION], cp_state=CpState.B)
    assert car.send(REQUESTS[K.SESSION_STOP]) == [m.SessionStopRes(Code.OK)]
    assert [type(event) for event in car.events] == [
        e.V2gSessionStarted,
        e.EvParametersTold,
        e.CableCheckRequested,
        e.PreChargeRequested,
        e.ChargeStartRequested,
        e.ChargeTargetRequested,
        e.ChargeStopRequested,
        e.WeldingDetectionRequested,
        e.V2gSessionEnded,
    ]
    assert [(end.cause, end.orderly) for end in car.ends] == [(Cause.EV_FINISHED, True)]


@pytest.mark.parametrize(
    ("priorities", "offered", "schema"),
    [
        ({DIN_NS: 1, ISO2_NS: 2}, ("din", "iso2"), 10),
        ({DIN_NS: 2, ISO2_NS: 1}, ("din", "iso2"), 20),
        ({DIN_NS: 2, ISO2_NS: 1}, ("din",), 10),
        ({DIN_NS: 1, ISO2_NS: 2}, ("iso2",), 20),
    ],
)
def test_the_car_chooses_the_protocol(
    priorities: dict[str, int], offered: tuple[str, ...], schema: int
) -> None:
    car = Iso2Car(protocols=offered)
    schemas = {DIN_NS: 10, ISO2_NS: 20}
    entries = tuple(AppProtocol(name, 2, 0, schemas[name], rank) for name, rank in priorities.items())
    car.offer = SupportedAppProtocolReq(entries)
    assert car.shake_hands() == [SupportedAppProtocolRes(ResponseCode.OK_SuccessfulNegotiation, schema)]
    assert car.link.state_name == "session setup"


@pytest.mark.clause("ISO15118-2 8.4.2")
def test_a_pause_survives_the_connection_and_is_joined_by_its_id() -> None:
    memory = SessionMemory()
    first = Iso2Car(memory=memory)
    first.go_to(K.SESSION_STOP)
    assert first.send(PAUSE) == [m.SessionStopRes(Code.OK)]
    assert [(end.cause, end.orderly) for end in first.ends] == [(Cause.EV_PAUSED, True)]
    first.link.disconnected(first.now)
    second = Iso2Car(memory=memory)
    second.shake_hands()
    (setup,) = second.send(m.SessionSetupReq(MAC))
    assert setup.response_code == Code.OK_OldSessionJoined
    second.take()
    (started,) = [event for event in second.events if isinstance(event, e.V2gSessionStarted)]
    assert started.resumed and started.session_id == SESSION_ID.hex().upper()


def test_a_forgotten_pause_is_a_new_session() -> None:
    memory = SessionMemory()
    first = Iso2Car(memory=memory)
    first.go_to(K.SESSION_STOP)
    first.send(PAUSE)
    memory.forget()  # unplugged
    second = Iso2Car(memory=memory)
    second.shake_hands()
    (setup,) = second.send(m.SessionSetupReq(MAC))
    assert setup.response_code == Code.OK_NewSessionEstablished


def test_the_share_that_asks_for_renegotiation_is_a_setting() -> None:
    car = Iso2Car(config=V2gConfig(renegotiate_share=0.2))
    car.go_to(K.CURRENT_DEMAND)
    (answer,) = car.send(current_demand(), contactors_closed=True)
    assert answer.dc_evse_status.evse_notification is m.EvseNotification.None_
    limits = car.view.limits.__class__(
        min_voltage_v=150.0, max_voltage_v=1000.0, min_current_a=1.0, max_current_a=50.0, max_power_w=20_000.0
    )
    car.send(current_demand(), contactors_closed=True, limits=limits)
    car.wait(5.0)
    (answer,) = car.send(current_demand(), contactors_closed=True, limits=limits)
    assert answer.dc_evse_status.evse_notification is m.EvseNotification.ReNegotiation
    assert answer.response_code == Code.OK


@pytest.mark.parametrize("kind", [K.CABLE_CHECK, K.PRE_CHARGE, K.CURRENT_DEMAND, K.SERVICE_DETAIL])
def test_a_request_cut_short_gets_its_own_failed_answer(kind: K) -> None:
    car = Iso2Car()
    car.go_to(kind)
    payload = car.pack(REQUESTS[kind])[8:-1]
    car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload), car.now)
    (answer,) = car.take()
    assert type(answer).__name__ == type(REQUESTS[kind]).__name__.replace("Req", "Res")
    assert answer.response_code == Code.FAILED
    assert [end.cause for end in car.ends] == [Cause.EV_PROTOCOL_ERROR]
    assert car.link.closing == car.now + EV_CLOSES_S


STARTS = [K.SESSION_SETUP, K.SERVICE_DETAIL, K.CABLE_CHECK, K.CURRENT_DEMAND, K.WELDING_DETECTION]


def ends_once(car: Iso2Car) -> None:
    car.take()
    car.link.disconnected(car.now)
    car.take()
    assert len(car.ends) == 1


@given(st.sampled_from(STARTS), st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=150, deadline=None)
def test_random_payloads_in_a_session(start: K, payloads: list[bytes]) -> None:
    car = Iso2Car()
    car.go_to(start)
    for payload in payloads:
        car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload), car.now)
    ends_once(car)


@given(st.sampled_from(STARTS), st.sampled_from(list(K)), st.data())
@settings(max_examples=300, deadline=None)
def test_flipped_bits(start: K, kind: K, data: st.DataObject) -> None:
    car = Iso2Car()
    car.go_to(start)
    raw = bytearray(car.pack(REQUESTS[kind]))
    for bit in data.draw(st.lists(st.integers(0, len(raw) * 8 - 1), min_size=1, max_size=4)):
        raw[bit // 8] ^= 1 << bit % 8
    car.link.receive(bytes(raw), car.now)
    car.take()
    car.wait(LONGEST_ANSWER_S)
    ends_once(car)


@pytest.mark.parametrize("kind", list(K))
def test_every_truncation_of_every_request(kind: K) -> None:
    payload = Iso2Car().pack(REQUESTS[kind])[8:]
    for size in range(len(payload)):
        car = Iso2Car()
        car.go_to(K.CABLE_CHECK)
        car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload[:size]), car.now)
        ends_once(car)


STEPS = st.lists(st.tuples(st.sampled_from(list(K)), CHANGES, st.floats(0, 20)), max_size=8)


@given(st.sampled_from(STARTS), STEPS)
@settings(max_examples=300, deadline=None)
def test_every_request_is_answered_in_time(start: K, steps: list[tuple[K, dict[str, Any], float]]) -> None:
    car = Iso2Car()
    car.go_to(start)
    for kind, changes, pause_s in steps:
        car.see(**changes)
        if car.link.next_deadline() is None:
            break  # closed
        answers = car.send(REQUESTS[kind]) or car.wait(LONGEST_ANSWER_S)
        assert [type(answer).__name__ for answer in answers] == [type(REQUESTS[kind]).__name__[:-3] + "Res"]
        car.wait(pause_s)
    ends_once(car)


@given(st.lists(st.sampled_from(list(K)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_target_follows_a_start_whatever_comes(kinds: list[K]) -> None:
    car = Iso2Car()
    car.go_to(K.PRE_CHARGE)
    for kind in kinds:
        car.see(voltage_v=376.0, contactors_closed=True, cable_check=CableCheck.PASSED)
        car.send(REQUESTS[kind])
        car.now += 0.1
    kept = [
        event for event in car.events if isinstance(event, (e.ChargeStartRequested, e.ChargeTargetRequested))
    ]
    if any(isinstance(event, e.ChargeTargetRequested) for event in kept):
        assert isinstance(kept[0], e.ChargeStartRequested)
