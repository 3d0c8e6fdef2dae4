"""Views and requests the V2G tests start from: a healthy outlet, a car of ordinary habits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vsecc_host.station.values import (
    Authorization,
    CableCheck,
    Cause,
    CpState,
    DcLimits,
    EvseView,
    Isolation,
    Phase,
    PowerSnapshot,
    Stop,
)
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.exi import din70121 as m

NOW = 1000.0
SESSION_ID = bytes.fromhex("1122334455667788")
MAC = bytes.fromhex("0465650064C3")

LIMITS = DcLimits(
    min_voltage_v=150.0, max_voltage_v=1000.0, min_current_a=1.0, max_current_a=200.0, max_power_w=150_000.0
)
POWER = PowerSnapshot(
    at=NOW,
    voltage_v=0.0,
    current_a=0.0,
    contactors_closed=False,
    isolation=Isolation.VALID,
    operative=True,
    temperature_c=25.0,
)
VIEW = EvseView(
    evse_id=1,
    evseid="DE*VSE*E1",
    phase=Phase.SETUP,
    cp_state=CpState.C,
    relay_closed=True,
    authorization=Authorization.ACCEPTED,
    limits=LIMITS,
    power=POWER,
    cable_check=CableCheck.PASSED,
    stop=Stop.NONE,
    stop_delay_s=0.0,
    cause=Cause.NONE,
)


def view(**changes: Any) -> EvseView:
    """The healthy outlet, changed; fields of the power snapshot may be given by their own names."""
    in_power = {name: changes.pop(name) for name in list(changes) if name in PowerSnapshot.__slots__}
    if in_power:
        changes["power"] = replace(POWER, **in_power)
    return replace(VIEW, **changes)


def status(
    error: m.DcEvErrorCode = m.DcEvErrorCode.NO_ERROR, soc: int = 55, ready: bool = True
) -> m.DcEvStatus:
    return m.DcEvStatus(ready, error, soc)


def volts(value: float) -> m.PhysicalValue:
    return m.PhysicalValue(-1, round(value * 10), m.UnitSymbol.V)


def amperes(value: float) -> m.PhysicalValue:
    return m.PhysicalValue(-1, round(value * 10), m.UnitSymbol.A)


def parameters(**changes: Any) -> m.DcEvChargeParameter:
    told = m.DcEvChargeParameter(status(), amperes(200.0), volts(412.8))
    return told._replace(**changes)


def discovery(**changes: Any) -> m.ChargeParameterDiscoveryReq:
    return m.ChargeParameterDiscoveryReq(m.EvRequestedEnergyTransferType.DC_extended, parameters(**changes))


def selection(
    option: m.PaymentOption = m.PaymentOption.ExternalPayment, services: tuple[int, ...] = (1,)
) -> m.ServicePaymentSelectionReq:
    selected = m.SelectedServiceList(tuple(m.SelectedService(number) for number in services))
    return m.ServicePaymentSelectionReq(option, selected)


def pre_charge(voltage_v: float = 376.1, current_a: float = 1.0) -> m.PreChargeReq:
    return m.PreChargeReq(status(), volts(voltage_v), amperes(current_a))


def power_delivery(on: bool, **changes: Any) -> m.PowerDeliveryReq:
    parameter = m.DcEvPowerDeliveryParameter(status(**changes), False)
    return m.PowerDeliveryReq(on, None, parameter)


def current_demand(voltage_v: float = 400.0, current_a: float = 50.0, **changes: Any) -> m.CurrentDemandReq:
    return m.CurrentDemandReq(status(), amperes(current_a), False, volts(voltage_v))._replace(**changes)


def _chain() -> m.CertificateChain:
    return m.CertificateChain(b"\1")


_METER = m.MeterInfo("meter")
_ROOTS = m.ListOfRootCertificateIds(("root",))

REQUESTS: dict[Kind, Any] = {
    Kind.SESSION_SETUP: m.SessionSetupReq(MAC),
    Kind.SERVICE_DISCOVERY: m.ServiceDiscoveryReq(),
    Kind.PAYMENT_SELECTION: selection(),
    Kind.AUTHORIZATION: m.ContractAuthenticationReq(),
    Kind.CHARGE_PARAMETER_DISCOVERY: discovery(),
    Kind.CABLE_CHECK: m.CableCheckReq(status()),
    Kind.PRE_CHARGE: pre_charge(),
    Kind.POWER_DELIVERY_ON: power_delivery(True),
    Kind.POWER_DELIVERY_OFF: power_delivery(False),
    Kind.CURRENT_DEMAND: current_demand(),
    Kind.WELDING_DETECTION: m.WeldingDetectionReq(status()),
    Kind.SESSION_STOP: m.SessionStopReq(),
    Kind.SERVICE_DETAIL: m.ServiceDetailReq(1),
    Kind.PAYMENT_DETAILS: m.PaymentDetailsReq("DE1", _chain()),
    Kind.CERTIFICATE_INSTALLATION: m.CertificateInstallationReq(b"\1", _ROOTS, b"\1"),
    Kind.CERTIFICATE_UPDATE: m.CertificateUpdateReq(_chain(), "DE1", _ROOTS, b"\1"),
    Kind.METERING_RECEIPT: m.MeteringReceiptReq(SESSION_ID, _METER),
    Kind.CHARGING_STATUS: m.ChargingStatusReq(),
}


def message(body: Any, session_id: bytes = SESSION_ID) -> m.V2gMessage:
    return m.V2gMessage(m.MessageHeader(session_id), body)
