"""ISO 15118-2 requests the tests start from, and how they talk to a dialogue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unit.host.v2g.given import MAC, NOW, SESSION_ID, view

from vsecc_host.station.values import Cause, EvseView
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dc.kinds import Kind, State
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.dc.session import DcSession, Manners
from vsecc_host.v2g.dialogue import Step
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.protocol import ISO2, MANNERS

Code = m.ResponseCode
Status = m.DcEvseStatusCode
READY = m.DcEvseStatus(0, m.EvseNotification.None_, Status.EVSE_Ready, m.IsolationLevel.Valid)


def status(error: m.DcEvErrorCode = m.DcEvErrorCode.NO_ERROR, soc: int = 55) -> m.DcEvStatus:
    return m.DcEvStatus(True, error, soc)


def volts(value: float) -> m.PhysicalValue:
    return m.PhysicalValue(-1, m.UnitSymbol.V, round(value * 10))


def amperes(value: float) -> m.PhysicalValue:
    return m.PhysicalValue(-1, m.UnitSymbol.A, round(value * 10))


def parameters(**changes: Any) -> m.DcEvChargeParameter:
    return m.DcEvChargeParameter(status(), amperes(200.0), volts(412.8))._replace(**changes)


def discovery(**changes: Any) -> m.ChargeParameterDiscoveryReq:
    return m.ChargeParameterDiscoveryReq(m.EnergyTransferMode.DC_extended, parameters(**changes))


def selection(
    option: m.PaymentOption = m.PaymentOption.ExternalPayment, services: tuple[int, ...] = (1,)
) -> m.PaymentServiceSelectionReq:
    selected = m.SelectedServiceList(tuple(m.SelectedService(number) for number in services))
    return m.PaymentServiceSelectionReq(option, selected)


def pre_charge(voltage_v: float = 376.1, current_a: float = 1.0) -> m.PreChargeReq:
    return m.PreChargeReq(status(), volts(voltage_v), amperes(current_a))


def power_delivery(progress: m.ChargeProgress, schedule: int = 1, **changes: Any) -> m.PowerDeliveryReq:
    parameter = m.DcEvPowerDeliveryParameter(status(), False)
    request = m.PowerDeliveryReq(progress, schedule, None, parameter)
    return request._replace(**changes)


def current_demand(voltage_v: float = 400.0, current_a: float = 50.0, **changes: Any) -> m.CurrentDemandReq:
    return m.CurrentDemandReq(status(), amperes(current_a), False, volts(voltage_v))._replace(**changes)


def session_stop(how: m.ChargingSession = m.ChargingSession.Terminate) -> m.SessionStopReq:
    return m.SessionStopReq(how)


_CHAIN = m.CertificateChain(b"\1")
_ROOTS = m.ListOfRootCertificateIds((m.X509IssuerSerial("CN=root", 1),))
_EMAID = "DE1ABCD2EF357A"
PAUSE = session_stop(m.ChargingSession.Pause)

REQUESTS: dict[Kind, Any] = {
    Kind.SESSION_SETUP: m.SessionSetupReq(MAC),
    Kind.SERVICE_DISCOVERY: m.ServiceDiscoveryReq(),
    Kind.SERVICE_DETAIL: m.ServiceDetailReq(1),
    Kind.PAYMENT_SELECTION: selection(),
    Kind.AUTHORIZATION: m.AuthorizationReq(),
    Kind.CHARGE_PARAMETER_DISCOVERY: discovery(),
    Kind.CABLE_CHECK: m.CableCheckReq(status()),
    Kind.PRE_CHARGE: pre_charge(),
    Kind.POWER_DELIVERY_ON: power_delivery(m.ChargeProgress.Start),
    Kind.POWER_DELIVERY_OFF: power_delivery(m.ChargeProgress.Stop),
    Kind.POWER_DELIVERY_AGAIN: power_delivery(m.ChargeProgress.Renegotiate),
    Kind.CURRENT_DEMAND: current_demand(),
    Kind.WELDING_DETECTION: m.WeldingDetectionReq(status()),
    Kind.SESSION_STOP: session_stop(),
    Kind.PAYMENT_DETAILS: m.PaymentDetailsReq(_EMAID, _CHAIN),
    Kind.CERTIFICATE_INSTALLATION: m.CertificateInstallationReq("ID1", b"\1", _ROOTS),
    Kind.CERTIFICATE_UPDATE: m.CertificateUpdateReq("ID1", _CHAIN, _EMAID, _ROOTS),
    Kind.METERING_RECEIPT: m.MeteringReceiptReq(SESSION_ID, m.MeterInfo("meter")),
    Kind.CHARGING_STATUS: m.ChargingStatusReq(),
}


def message(body: Any, session_id: bytes = SESSION_ID) -> m.V2gMessage:
    return m.V2gMessage(m.MessageHeader(session_id), body)


def dialogue_in(
    state: State, *, manners: Manners = MANNERS, memory: SessionMemory | None = None, **changes: Any
) -> DcDialogue:
    """A dialogue that waits in this state."""
    dialogue = DcDialogue(
        ISO2, evse_id=1, session_id=SESSION_ID, manners=manners, memory=memory or SessionMemory()
    )
    started = None if state is State.SESSION_SETUP else NOW - 1
    session = DcSession(
        evse_id=1, id=SESSION_ID, state=state, started_at=started, cable_check_since=NOW - 1, pilot_seen=True
    )
    dialogue.session = replace(session, **changes)
    return dialogue


def ask(dialogue: DcDialogue, request: Any, seen: EvseView | None = None, now: float = NOW) -> Step:
    return dialogue.ask(message(request), seen or view(at=now), now)


def body_of(step: Step) -> Any:
    assert isinstance(step.answer, m.V2gMessage), step
    return step.answer.body


def failed(step: Step) -> tuple[Code, Cause]:
    assert step.ending is not None and not step.ending.orderly, step
    return body_of(step).response_code, step.ending.cause
