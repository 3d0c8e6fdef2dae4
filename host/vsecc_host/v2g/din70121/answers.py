"""Builds the parts of DIN answers: status, limits, schedules, and the FAILED answer of every request."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from vsecc_host.station.values import CableCheck, DcLimits, EvseView, Isolation, Stop
from vsecc_host.v2g.din70121.states import Kind
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.physical import SHORT_MAX, scaled

PEAK_RIPPLE_A = 1.0  # of the current; informative, cars do not act on it
_SCHEDULE_S = 86_400  # one day, the entry every charger on the road sends
_MAX_EVSEID = 32  # bytes
_MAX_DELAY_S = 65_535  # what fits in -2; nobody waits longer
_NEVER_ZERO = 1.0  # A or W: some cars leave at once when they are offered nothing, even while Ongoing

_ISOLATION = {
    Isolation.INVALID: m.IsolationLevel.Invalid,
    Isolation.VALID: m.IsolationLevel.Valid,
    Isolation.WARNING: m.IsolationLevel.Warning,
    Isolation.FAULT: m.IsolationLevel.Fault,
}


def volts(value: float) -> m.PhysicalValue:
    """A voltage."""
    return m.PhysicalValue(*scaled(value), m.UnitSymbol.V)


def amperes(value: float) -> m.PhysicalValue:
    """A current."""
    return m.PhysicalValue(*scaled(value), m.UnitSymbol.A)


def watts(value: float) -> m.PhysicalValue:
    """A power."""
    return m.PhysicalValue(*scaled(value), m.UnitSymbol.W)


def evseid_bytes(evseid: str) -> bytes:
    """EVSEID on the wire: the DIN form (+49*89*6360) as packed digits, the ISO form as ASCII, else 00."""
    if not evseid:
        return b"\0"
    if evseid.startswith("+"):
        digits = evseid[1:].replace("*", "A")
        try:
            return bytes.fromhex(digits + "F" * (len(digits) % 2))[:_MAX_EVSEID]
        except ValueError:
            pass
    return evseid.encode("ascii", "replace")[:_MAX_EVSEID]


def isolation_level(view: EvseView) -> m.IsolationLevel:
    """After the cable check its result stands unless the monitor says worse."""
    isolation = view.power.isolation
    if isolation is Isolation.INVALID and view.cable_check is CableCheck.PASSED:
        return m.IsolationLevel.Valid
    return _ISOLATION[isolation]


def status(
    view: EvseView,
    code: m.DcEvseStatusCode = m.DcEvseStatusCode.EVSE_Ready,
    isolation: m.IsolationLevel | None = None,
) -> m.DcEvseStatus:
    """DC_EVSEStatus; a wish of the station to stop overrides `code`."""
    delay_s = 0
    notification = m.EvseNotification.None_
    if view.stop is not Stop.NONE:
        notification = m.EvseNotification.StopCharging
        if view.stop is Stop.NORMAL:
            code = m.DcEvseStatusCode.EVSE_Shutdown
            delay_s = ceil(min(_MAX_DELAY_S, max(0.0, view.stop_delay_s)))
        else:
            code = m.DcEvseStatusCode.EVSE_EmergencyShutdown
    return m.DcEvseStatus(
        code, delay_s, notification, isolation_level(view) if isolation is None else isolation
    )


def charge_parameters(view: EvseView, shown: m.DcEvseStatus) -> m.DcEvseChargeParameter:
    """Limits of the outlet."""
    limits = view.limits
    return m.DcEvseChargeParameter(
        dc_evse_status=shown,
        evse_maximum_current_limit=amperes(max(limits.max_current_a, _NEVER_ZERO)),
        evse_maximum_voltage_limit=volts(max(limits.max_voltage_v, _NEVER_ZERO)),
        evse_minimum_current_limit=amperes(limits.min_current_a),
        evse_minimum_voltage_limit=volts(limits.min_voltage_v),
        evse_peak_current_ripple=amperes(PEAK_RIPPLE_A),
        evse_maximum_power_limit=watts(max(limits.max_power_w, _NEVER_ZERO)),
    )


def schedules(limits: DcLimits) -> m.SaScheduleList:
    """One tuple for a day; PMax has no multiplier in DIN and ends at 32767 W."""
    interval = m.RelativeTimeInterval(0, _SCHEDULE_S)
    pmax = int(min(SHORT_MAX, max(1.0, limits.max_power_w)))
    return m.SaScheduleList(
        (m.SaScheduleTuple(1, m.PmaxSchedule(1, (m.PmaxScheduleEntry(interval, pmax),))),)
    )


def payment_options() -> m.PaymentOptions:
    """External payment alone: a second entry is fatal to some codecs."""
    return m.PaymentOptions((m.PaymentOption.ExternalPayment,))


def charge_service() -> m.ServiceCharge:
    """Service 1, DC_extended, without name and scope."""
    tag = m.ServiceTag(1, m.ServiceCategory.EVCharging)
    return m.ServiceCharge(tag, False, m.EvseSupportedEnergyTransferType.DC_extended)


# --- FAILED answers ---------------------------------------------------------------------------------------

_Builder = Callable[[m.ResponseCode, EvseView, m.DcEvseStatus], object]

_NO_AC = m.AcEvseStatus(False, False, 0, m.EvseNotification.None_)
_NO_CHAIN = m.CertificateChain(b"")
_FINISHED = m.EvseProcessing.Finished

_REFUSALS: dict[Kind, _Builder] = {
    Kind.SESSION_SETUP: lambda code, view, _: m.SessionSetupRes(code, evseid_bytes(view.evseid)),
    Kind.SERVICE_DISCOVERY: lambda code, _, __: m.ServiceDiscoveryRes(
        code, payment_options(), charge_service()
    ),
    Kind.SERVICE_PAYMENT_SELECTION: lambda code, _, __: m.ServicePaymentSelectionRes(code),
    Kind.CONTRACT_AUTHENTICATION: lambda code, _, __: m.ContractAuthenticationRes(code, _FINISHED),
    Kind.CHARGE_PARAMETER_DISCOVERY: lambda code, view, shown: m.ChargeParameterDiscoveryRes(
        code, _FINISHED, schedules(view.limits), charge_parameters(view, shown)
    ),
    Kind.CABLE_CHECK: lambda code, _, shown: m.CableCheckRes(code, shown, _FINISHED),
    Kind.PRE_CHARGE: lambda code, view, shown: m.PreChargeRes(code, shown, volts(view.power.voltage_v)),
    Kind.POWER_DELIVERY_ON: lambda code, _, shown: m.PowerDeliveryRes(code, shown),
    Kind.POWER_DELIVERY_OFF: lambda code, _, shown: m.PowerDeliveryRes(code, shown),
    Kind.CURRENT_DEMAND: lambda code, view, shown: m.CurrentDemandRes(
        code, shown, volts(view.power.voltage_v), amperes(view.power.current_a), False, False, False
    ),
    Kind.WELDING_DETECTION: lambda code, view, shown: m.WeldingDetectionRes(
        code, shown, volts(view.power.voltage_v)
    ),
    Kind.SESSION_STOP: lambda code, _, __: m.SessionStopRes(code),
    Kind.SERVICE_DETAIL: lambda code, _, __: m.ServiceDetailRes(code, 1),
    Kind.PAYMENT_DETAILS: lambda code, _, __: m.PaymentDetailsRes(code, "0", 0),
    Kind.CERTIFICATE_INSTALLATION: lambda code, _, __: m.CertificateInstallationRes(
        "ID1", code, _NO_CHAIN, b"", b"", "0"
    ),
    Kind.CERTIFICATE_UPDATE: lambda code, _, __: m.CertificateUpdateRes(
        "ID1", code, _NO_CHAIN, b"", b"", "0", 0
    ),
    Kind.METERING_RECEIPT: lambda code, _, __: m.MeteringReceiptRes(code, _NO_AC),
    Kind.CHARGING_STATUS: lambda code, view, _: m.ChargingStatusRes(
        code, evseid_bytes(view.evseid), 1, False, _NO_AC
    ),
}


def refusal(kind: Kind, code: m.ResponseCode, view: EvseView, status_code: m.DcEvseStatusCode) -> object:
    """The FAILED answer: every required field, harmless values, measured ones where it reports any."""
    return _REFUSALS[kind](code, view, status(view, status_code))
