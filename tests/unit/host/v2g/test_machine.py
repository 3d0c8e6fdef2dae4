"""The connection machine: deadlines, ends, waiting requests, bad bytes; no sockets, exact times."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.v2g.car import OFFER, Car, handshake, request
from unit.host.v2g.given import MAC, NOW, REQUESTS, SESSION_ID, current_demand, power_delivery

from vsecc_host.station import events as e
from vsecc_host.station.values import CableCheck, Cause, CpState, Stop
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.config import V2gConfig
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.exi.app_protocol import ResponseCode, SupportedAppProtocolRes
from vsecc_host.v2g.machine import EV_CLOSES_S, FIRST_MESSAGE_S, MAX_WAITING

OK_SAP = SupportedAppProtocolRes(ResponseCode.OK_SuccessfulNegotiation, 1)


def test_a_whole_session_tells_each_event_once() -> None:
    car = Car()
    assert car.shake_hands() == [OK_SAP]
    assert car.send(m.SessionSetupReq(MAC)) == [
        m.SessionSetupRes(m.ResponseCode.OK_NewSessionEstablished, b"DE*VSE*E1")
    ]
    for kind in (K.SERVICE_DISCOVERY, K.PAYMENT_SELECTION, K.AUTHORIZATION):
        car.send(REQUESTS[kind])
    car.send(REQUESTS[K.CHARGE_PARAMETER_DISCOVERY])
    car.send(REQUESTS[K.CABLE_CHECK], cable_check=CableCheck.IDLE)
    car.send(REQUESTS[K.CABLE_CHECK], cable_check=CableCheck.ONGOING)
    car.send(REQUESTS[K.CABLE_CHECK], contactors_closed=True)
    car.send(REQUESTS[K.PRE_CHARGE])
    car.send(REQUESTS[K.PRE_CHARGE], voltage_v=376.0, contactors_closed=True)
    car.send(power_delivery(True))
    car.send(current_demand())
    car.send(power_delivery(False))
    car.send(REQUESTS[K.WELDING_DETECTION], cp_state=CpState.B)
    assert car.send(m.SessionStopReq()) == [m.SessionStopRes(m.ResponseCode.OK)]
    car.link.disconnected(car.now)
    car.take()
    assert [type(event) for event in car.events] == [
        e.V2gSessionStarted,
        e.EvParametersTold,
        e.CableCheckRequested,
        e.PreChargeRequested,
        e.PreChargeRequested,
        e.ChargeStartRequested,
        e.ChargeTargetRequested,
        e.ChargeStopRequested,
        e.WeldingDetectionRequested,
        e.V2gSessionEnded,
    ]
    (end,) = car.ends
    assert (end.cause, end.orderly) == (Cause.EV_FINISHED, True)
    assert len([direction for direction, _ in car.frames if direction == "rx"]) == 16
    assert len([direction for direction, _ in car.frames if direction == "tx"]) == 16


def test_a_silent_client_is_closed_after_5_s() -> None:
    car = Car()
    car.wait(FIRST_MESSAGE_S - 0.001)
    assert car.link.closing is None
    car.wait(0.001)
    assert car.link.closing == NOW + FIRST_MESSAGE_S
    (end,) = car.ends
    assert (end.cause, end.at) == (Cause.EV_TIMEOUT, NOW + FIRST_MESSAGE_S)
    assert car.link.next_deadline() is None


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_Sequence_Timeout")
def test_no_request_for_60_s_ends_the_session() -> None:
    car = Car()
    car.go_to(K.SERVICE_DISCOVERY)
    car.wait(59.9)
    assert not car.ends
    car.send(m.ServiceDiscoveryReq())
    car.wait(60.0)
    (end,) = car.ends
    assert (end.cause, end.at, end.orderly) == (Cause.EV_TIMEOUT, NOW + 119.9, False)
    assert car.link.closing == end.at


def test_session_setup_is_due_within_18_s() -> None:
    car = Car()
    car.shake_hands()
    car.wait(18.0)
    assert [end.at for end in car.ends] == [NOW + 18.0]


def test_in_the_loop_current_goes_down_after_1_5_s_and_a_returning_car_is_followed() -> None:
    car = Car()
    car.go_to(K.CURRENT_DEMAND)
    car.send(current_demand(400.0, 50.0))
    car.events.clear()
    car.wait(1.499)
    assert not car.events
    car.wait(0.001)
    target = e.ChargeTargetRequested(at=NOW + 1.5, evse_id=1, voltage_v=400.0, current_a=0.0, soc_percent=55)
    assert car.events == [target]
    car.wait(3.0)
    assert car.events == [target]  # told once
    car.see(contactors_closed=True)
    (answer,) = car.send(current_demand(400.0, 50.0))
    assert answer.response_code == m.ResponseCode.OK
    assert isinstance(car.events[-1], e.ChargeTargetRequested) and car.events[-1].current_a == 50.0
    car.events.clear()
    car.wait(10.0)
    assert [type(event) for event in car.events] == [e.ChargeTargetRequested, e.V2gSessionEnded]
    assert car.ends[0].cause is Cause.EV_TIMEOUT


def test_a_waiting_request_is_answered_when_the_view_changes() -> None:
    car = Car()
    car.go_to(K.POWER_DELIVERY_ON)
    assert car.send(power_delivery(True), contactors_closed=False, voltage_v=376.0) == []
    car.wait(0.5)
    car.see(contactors_closed=True, voltage_v=376.0)
    (answer,) = car.take()
    assert answer.response_code == m.ResponseCode.OK
    assert [type(event) for event in car.events] == [e.ChargeStartRequested]


def test_a_waiting_request_is_answered_at_its_deadline() -> None:
    car = Car()
    car.go_to(K.POWER_DELIVERY_ON)
    car.send(power_delivery(True), contactors_closed=False, voltage_v=376.0)
    assert car.wait(1.19) == []
    car.see(contactors_closed=False, voltage_v=376.0)
    (answer,) = car.wait(0.02)
    assert answer.response_code == m.ResponseCode.FAILED_PowerDeliveryNotApplied
    assert [end.cause for end in car.ends] == [Cause.RELAY_NOT_CLOSED]


def test_what_a_client_sends_ahead_waits_for_the_answer_before_it() -> None:
    car = Car()
    car.go_to(K.POWER_DELIVERY_ON)
    car.send(power_delivery(True), contactors_closed=False, voltage_v=376.0)
    assert car.send(current_demand()) == []
    car.see(contactors_closed=True, voltage_v=376.0)
    answers = car.take()
    assert [type(answer) for answer in answers] == [m.PowerDeliveryRes, m.CurrentDemandRes]


def test_a_client_that_sends_ahead_without_end_is_closed() -> None:
    car = Car()
    car.go_to(K.POWER_DELIVERY_ON)
    car.send(power_delivery(True), contactors_closed=False, voltage_v=376.0)
    flood = request(current_demand())
    for _ in range(MAX_WAITING // len(flood) + 1):
        car.link.receive(flood, car.now)
    car.take()
    assert [end.cause for end in car.ends] == [Cause.EV_PROTOCOL_ERROR]
    assert car.link.closing == car.now


@pytest.mark.parametrize("mode", ["DC_extended", "DC_core"])
def test_din_cars_are_offered_the_configured_mode_and_may_name_either(mode: str) -> None:
    car = Car(config=V2gConfig(din_charging_mode=mode))
    car.go_to(K.SERVICE_DISCOVERY)
    (answer,) = car.send(REQUESTS[K.SERVICE_DISCOVERY])
    assert answer.charge_service.energy_transfer_type.name == mode
    for kind in (K.PAYMENT_SELECTION, K.AUTHORIZATION):
        car.send(REQUESTS[kind])
    for asked in (m.EvRequestedEnergyTransferType.DC_core, m.EvRequestedEnergyTransferType.DC_extended):
        request_ = REQUESTS[K.CHARGE_PARAMETER_DISCOVERY]._replace(ev_requested_energy_transfer_type=asked)
        (answer,) = car.send(request_, operative=False)
        assert answer.response_code == m.ResponseCode.OK


def test_no_common_protocol_is_answered_then_closed() -> None:
    car = Car(protocols=("iso2",))
    assert car.shake_hands() == [SupportedAppProtocolRes(ResponseCode.Failed_NoNegotiation)]
    assert car.link.closing == NOW
    assert [(end.cause, end.orderly) for end in car.ends] == [(Cause.EV_PROTOCOL_ERROR, False)]
    assert "urn:din:70121:2012:MsgDef 2.0" in car.ends[0].detail


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x81\x40", b"GET / HTTP/1.1", bytes(40)])
def test_bad_bytes_on_a_new_connection_close_it(payload: bytes) -> None:
    car = Car()
    car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload), NOW)
    assert car.take() == []
    assert car.link.closing == NOW and len(car.ends) == 1


def test_an_answer_instead_of_the_handshake_closes() -> None:
    car = Car()
    car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.SAP, OK_SAP)), NOW)
    assert car.take() == []
    assert car.link.closing == NOW


@pytest.mark.clause("DIN70121 8.8.3")
@pytest.mark.parametrize("kind", [K.CABLE_CHECK, K.PRE_CHARGE, K.CURRENT_DEMAND, K.POWER_DELIVERY_OFF])
def test_a_request_cut_short_gets_its_own_failed_answer(kind: K) -> None:
    car = Car()
    car.go_to(kind)
    payload = request(REQUESTS[kind])[8:-1]
    car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload), car.now)
    (answer,) = car.take()
    assert type(answer).__name__ == type(REQUESTS[kind]).__name__.replace("Req", "Res")
    assert answer.response_code == m.ResponseCode.FAILED
    assert [end.cause for end in car.ends] == [Cause.EV_PROTOCOL_ERROR]
    assert car.link.closing == car.now + EV_CLOSES_S


def test_garbage_in_a_session_closes_it() -> None:
    car = Car()
    car.go_to(K.CABLE_CHECK)
    car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, b"\x80\x9a\xff\xff\xff"), car.now)
    assert car.take() == []
    assert car.link.closing == car.now


def test_foreign_payload_types_and_versions_are_dropped() -> None:
    car = Car()
    car.link.receive(v2gtp.pack(0x8002, b"abc") + b"\x02\xfe" + handshake()[2:] + handshake(), NOW)
    assert car.take() == [OK_SAP]
    assert car.link.closing is None


def test_oversized_length_closes() -> None:
    car = Car()
    car.go_to(K.CABLE_CHECK)
    car.link.receive(bytes.fromhex("01fe8001 00002001"), car.now)
    car.take()
    assert car.link.closing == car.now and len(car.ends) == 1
    car.link.receive(request(REQUESTS[K.CABLE_CHECK]), car.now)  # nothing happens any more
    assert car.take() == [] and len(car.ends) == 1


def test_after_an_orderly_end_the_ev_has_5_s_to_close() -> None:
    car = Car()
    car.go_to(K.SESSION_STOP)
    car.send(m.SessionStopReq())
    assert car.link.closing == car.now + EV_CLOSES_S
    assert car.link.next_deadline() == car.link.closing
    car.link.close_requested(Cause.UNPLUGGED, car.now)  # keeps its time
    assert car.link.closing == car.now + EV_CLOSES_S
    car.wait(EV_CLOSES_S)
    assert car.link.next_deadline() is None
    assert [(end.cause, end.orderly) for end in car.ends] == [(Cause.EV_FINISHED, True)]


def test_requests_after_the_end_are_sequence_errors_and_end_nothing_twice() -> None:
    car = Car()
    car.go_to(K.SESSION_STOP)
    car.send(m.SessionStopReq())
    (answer,) = car.send(m.SessionStopReq())
    assert answer.response_code == m.ResponseCode.FAILED_SequenceError
    assert len(car.ends) == 1


@pytest.mark.parametrize(
    ("before", "cause"),
    [
        (K.SESSION_SETUP, Cause.EV_DISCONNECTED),
        (K.CABLE_CHECK, Cause.EV_DISCONNECTED),
        (K.WELDING_DETECTION, Cause.EV_FINISHED),  # many cars skip SessionStop
    ],
)
def test_tcp_gone(before: K, cause: Cause) -> None:
    car = Car()
    car.go_to(before)
    car.link.disconnected(car.now)
    car.link.disconnected(car.now)
    car.take()
    assert [(end.cause, end.orderly) for end in car.ends] == [(cause, False)]
    assert car.link.next_deadline() is None


def test_the_station_closes() -> None:
    car = Car()
    car.go_to(K.CURRENT_DEMAND)
    car.link.close_requested(Cause.UNPLUGGED, car.now)
    car.take()
    assert car.link.closing == car.now
    assert [(end.cause, end.orderly) for end in car.ends] == [(Cause.UNPLUGGED, False)]


@pytest.mark.clause("S9")
def test_an_emergency_answers_what_waits_at_once() -> None:
    car = Car()
    car.go_to(K.POWER_DELIVERY_ON)
    car.send(power_delivery(True), contactors_closed=False, voltage_v=376.0)
    car.see(contactors_closed=False, voltage_v=376.0, stop=Stop.EMERGENCY, cause=Cause.PORT_FAULT)
    (answer,) = car.take()
    assert answer.response_code == m.ResponseCode.FAILED
    assert [end.cause for end in car.ends] == [Cause.PORT_FAULT]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_small_chunks_make_no_difference(chunk: int) -> None:
    whole, cut = Car(), Car()
    stream = handshake(OFFER) + b"".join(
        request(REQUESTS[kind]) for kind in (K.SESSION_SETUP, K.SERVICE_DISCOVERY, K.SESSION_STOP)
    )
    whole.link.receive(stream, NOW)
    answers: list[Any] = []
    for at in range(0, len(stream), chunk):
        cut.link.receive(stream[at : at + chunk], NOW)
        answers += cut.take()
    assert answers == whole.take()
    assert cut.events == whole.events and len(whole.ends) == 1


def test_our_session_id_is_in_every_answer() -> None:
    car = Car()
    car.go_to(K.WELDING_DETECTION)
    sent = [raw for direction, raw in car.frames if direction == "tx"][1:]
    assert all(SESSION_ID in _shifted(raw) for raw in sent)


def _shifted(raw: bytes) -> bytes:
    """The payload moved so that the session id, which begins at bit 26, is on byte borders."""
    bits = int.from_bytes(raw[8:], "big") << 2
    return bits.to_bytes(len(raw) - 7, "big")
