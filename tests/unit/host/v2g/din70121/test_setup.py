"""SessionSetup to ChargeParameterDiscovery: given a view and a request, this answer and these events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from unit.host.v2g.din70121.test_sequence import dialogue_in
from unit.host.v2g.given import (
    LIMITS,
    MAC,
    NOW,
    SESSION_ID,
    amperes,
    discovery,
    message,
    parameters,
    selection,
    status,
    view,
    volts,
)

from vsecc_host.station.events import EvErrorReported, EvParametersTold, StationEvent, V2gSessionStarted
from vsecc_host.station.values import Authorization, Cause, EvParameters, EvseView
from vsecc_host.v2g.dc.session import DcSession, Situation
from vsecc_host.v2g.dc.setup import note_status
from vsecc_host.v2g.din70121.answers import evseid_bytes
from vsecc_host.v2g.din70121.protocol import DIN, MANNERS
from vsecc_host.v2g.exi import din70121 as m

Code = m.ResponseCode
SESSION = DcSession(evse_id=1, id=SESSION_ID, started_at=NOW)
AT = Situation(view(), NOW, NOW, True, MANNERS)


class Outcome(NamedTuple):
    """What the dialogue made of one request."""

    body: Any
    events: tuple[StationEvent, ...]
    session: DcSession
    cause: Cause | None  # of the end, None while the session goes on
    moved: bool  # another request is due


def asked(
    request: Any, session: DcSession = SESSION, now: float = NOW, seen: EvseView | None = None
) -> Outcome:
    """The request in the state that waits for it."""
    kind = DIN.kind_of(request)
    state = next(state for state, rules in DIN.table.items() if kind in rules)
    dialogue = dialogue_in(state)
    dialogue.session = replace(session, state=state)
    step = dialogue.ask(message(request), seen or view(at=now), now)
    assert isinstance(step.answer, m.V2gMessage), step
    cause = step.ending.cause if step.ending else None
    return Outcome(
        step.answer.body, step.events, dialogue.session, cause, dialogue.session.state is not state
    )


def accepted(outcome: Outcome) -> Outcome:
    assert outcome.cause is None, outcome
    return outcome


def refused(outcome: Outcome) -> tuple[Code, Cause | None]:
    return outcome.body.response_code, outcome.cause


def test_session_setup_tells_who_came() -> None:
    reply = asked(m.SessionSetupReq(MAC))
    assert reply.body == m.SessionSetupRes(Code.OK_NewSessionEstablished, b"DE*VSE*E1")
    assert reply.events == (
        V2gSessionStarted(
            at=NOW, evse_id=1, protocol="din", evcc_id="0465650064C3", session_id="1122334455667788"
        ),
    )


def test_session_setup_with_an_empty_evccid() -> None:
    (started,) = asked(m.SessionSetupReq(b"")).events
    assert isinstance(started, V2gSessionStarted) and started.evcc_id == ""


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("+49*89*6360", bytes.fromhex("49A89A6360")),
        ("+49*89*636", bytes.fromhex("49A89A636F")),
        ("DE*ABC*E1234*1", b"DE*ABC*E1234*1"),
        ("+49*oops", b"+49*oops"),
        ("", b"\0"),
        ("D" * 40, b"D" * 32),
    ],
)
def test_evseid_forms(text: str, raw: bytes) -> None:
    assert evseid_bytes(text) == raw


@pytest.mark.parametrize("category", [None, m.ServiceCategory.EVCharging, m.ServiceCategory.Internet])
def test_service_discovery_offers_one_service_and_one_payment(category: Any) -> None:
    reply = asked(m.ServiceDiscoveryReq("scope", category))
    assert reply.body == m.ServiceDiscoveryRes(
        Code.OK,
        m.PaymentOptions((m.PaymentOption.ExternalPayment,)),
        m.ServiceCharge(
            m.ServiceTag(1, m.ServiceCategory.EVCharging),
            False,
            m.EvseSupportedEnergyTransferType.DC_extended,
        ),
    )


def test_payment_selection() -> None:
    reply = accepted(asked(selection()))
    assert reply.body == m.ServicePaymentSelectionRes(Code.OK)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (selection(m.PaymentOption.Contract), Code.FAILED_PaymentSelectionInvalid),
        (selection(services=()), Code.FAILED_ServiceSelectionInvalid),
        (selection(services=(2,)), Code.FAILED_ServiceSelectionInvalid),
        (selection(services=(1, 2)), Code.FAILED_ServiceSelectionInvalid),
    ],
)
def test_payment_selection_refused(request_: m.ServicePaymentSelectionReq, code: Code) -> None:
    decision = asked(request_)
    assert refused(decision) == (code, Cause.EV_PROTOCOL_ERROR)


@pytest.mark.parametrize(
    ("authorization", "processing"),
    [
        (Authorization.ONGOING, m.EvseProcessing.Ongoing),
        (Authorization.ACCEPTED, m.EvseProcessing.Finished),
    ],
)
def test_authorization_waits_for_somebody_to_decide(
    authorization: Authorization, processing: m.EvseProcessing
) -> None:
    seen = view(authorization=authorization)
    reply = accepted(asked(m.ContractAuthenticationReq("id"), seen=seen))
    assert reply.body == m.ContractAuthenticationRes(Code.OK, processing)
    assert reply.moved is (authorization is Authorization.ACCEPTED)


def test_authorization_rejected() -> None:
    seen = view(authorization=Authorization.REJECTED)
    decision = asked(m.ContractAuthenticationReq(), seen=seen)
    assert refused(decision) == (Code.FAILED, Cause.NOT_AUTHORIZED)


def test_charge_parameters_finished() -> None:
    reply = accepted(asked(discovery()))
    body = reply.body
    assert isinstance(body, m.ChargeParameterDiscoveryRes)
    assert (body.response_code, body.evse_processing) == (Code.OK, m.EvseProcessing.Finished)
    (entry,) = body.sa_schedules.sa_schedule_tuple
    assert entry == m.SaScheduleTuple(
        1, m.PmaxSchedule(1, (m.PmaxScheduleEntry(m.RelativeTimeInterval(0, 86400), 32767),))
    )
    told = body.evse_charge_parameter
    assert isinstance(told, m.DcEvseChargeParameter)
    assert told.dc_evse_status == m.DcEvseStatus(
        m.DcEvseStatusCode.EVSE_Ready, 0, m.EvseNotification.None_, m.IsolationLevel.Invalid
    )
    assert told.evse_maximum_power_limit == m.PhysicalValue(1, 15000, m.UnitSymbol.W)
    assert told.evse_maximum_voltage_limit == m.PhysicalValue(-1, 10000, m.UnitSymbol.V)
    assert told.evse_maximum_current_limit == m.PhysicalValue(-2, 20000, m.UnitSymbol.A)


def test_charge_parameters_tell_what_the_ev_can() -> None:
    told = parameters(ev_energy_capacity=m.PhysicalValue(1, 7850, m.UnitSymbol.Wh), full_soc=100, bulk_soc=80)
    request = m.ChargeParameterDiscoveryReq(m.EvRequestedEnergyTransferType.DC_core, told)
    reply = accepted(asked(request))
    expected = EvParameters(
        max_voltage_v=412.8,
        max_current_a=200.0,
        soc_percent=55,
        energy_capacity_wh=78_500.0,
        full_soc_percent=100,
        bulk_soc_percent=80,
    )
    assert reply.events == (EvParametersTold(at=NOW, evse_id=1, parameters=expected),)
    assert accepted(asked(request, reply.session)).events == ()


def test_units_may_be_missing() -> None:
    request = discovery(
        ev_maximum_voltage_limit=m.PhysicalValue(0, 470), ev_maximum_current_limit=m.PhysicalValue(-1, 3750)
    )
    reply = accepted(asked(request))
    assert reply.session.ev is not None and reply.session.ev.max_current_a == 375.0


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": replace(LIMITS, max_power_w=0.0)},
        {"limits": replace(LIMITS, max_current_a=0.0)},
        {"operative": False},
        {"at": NOW - 1.001},
    ],
)
def test_ongoing_until_there_is_power_and_never_a_zero_offer(changes: dict[str, Any]) -> None:
    decision = asked(discovery(), seen=view(**changes))
    reply = accepted(decision)
    body = reply.body
    assert isinstance(body, m.ChargeParameterDiscoveryRes) and not reply.moved
    assert body.evse_processing == m.EvseProcessing.Ongoing
    told = body.evse_charge_parameter
    assert isinstance(told, m.DcEvseChargeParameter)
    assert told.dc_evse_status.evse_status_code == m.DcEvseStatusCode.EVSE_NotReady
    assert told.evse_maximum_power_limit is not None and told.evse_maximum_power_limit.value > 0
    assert told.evse_maximum_current_limit.value > 0


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_Ongoing_Performance_Time")
def test_ongoing_ends_after_55_seconds() -> None:
    session = accepted(asked(discovery(), seen=view(operative=False))).session
    last = NOW + 55.0
    decision = asked(discovery(), session, last, view(at=last, operative=False))
    assert accepted(decision).moved is False
    late = last + 0.001
    decision = asked(discovery(), session, late, view(at=late, operative=False))
    assert refused(decision) == (Code.FAILED, Cause.POWER_INOPERATIVE)


AC = m.AcEvChargeParameter(0, volts(1), volts(230), amperes(32), amperes(6))
Type = m.EvRequestedEnergyTransferType


@pytest.mark.parametrize(
    ("request_", "code", "cause"),
    [
        (
            m.ChargeParameterDiscoveryReq(Type.DC_unique, parameters()),
            Code.FAILED_WrongEnergyTransferType,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            m.ChargeParameterDiscoveryReq(Type.AC_single_phase_core, AC),
            Code.FAILED_WrongEnergyTransferType,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            m.ChargeParameterDiscoveryReq(Type.DC_extended, AC),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_voltage_limit=volts(0)),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_current_limit=amperes(-1)),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_voltage_limit=volts(149.9)),
            Code.FAILED_WrongChargeParameter,
            Cause.VOLTAGE_NOT_SUPPORTED,
        ),
    ],
)
def test_charge_parameters_refused(request_: m.ChargeParameterDiscoveryReq, code: Code, cause: Cause) -> None:
    assert refused(asked(request_)) == (code, cause)


def test_an_ev_error_is_told_once_and_again_when_it_changes() -> None:
    session = SESSION
    codes = []
    error = m.DcEvErrorCode
    for code in (
        error.NO_ERROR,
        error.FAILED_EVShiftPosition,
        error.FAILED_EVShiftPosition,
        error.NO_ERROR,
        error.NoData,
    ):
        session, events = note_status(status(code), session, AT)
        codes += [event.code for event in events if isinstance(event, EvErrorReported)]
    assert codes == ["FAILED_EVShiftPosition", "NoData"]


def test_a_new_state_of_charge_is_told() -> None:
    session = accepted(asked(discovery())).session
    session, events = note_status(status(soc=56), session, AT)
    (event,) = events
    assert isinstance(event, EvParametersTold) and event.parameters.soc_percent == 56
    assert note_status(status(soc=56), session, AT)[1] == ()
