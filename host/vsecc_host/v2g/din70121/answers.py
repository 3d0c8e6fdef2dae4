"""Builds every DIN answer, good or FAILED: all required fields, measured values, no zero offer."""

from __future__ import annotations

from vsecc_host.station.values import DcLimits
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.dc.offers import PEAK_RIPPLE_A, SCHEDULE_S, never_zero
from vsecc_host.v2g.dc.protocol import Builder, Telling
from vsecc_host.v2g.dc.setup import CHARGE_SERVICE_ID
from vsecc_host.v2g.dc.values import Code
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.physical import SHORT_MAX, scaled

_MAX_EVSEID = 32  # bytes

_MISSING = {Code.FAILED_NoChargeServiceSelected: Code.FAILED_ServiceSelectionInvalid}
_CODES = {code: m.ResponseCode[_MISSING.get(code, code).value] for code in Code}


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


def schedules(limits: DcLimits) -> m.SaScheduleList:
    """One tuple for a day; PMax has no multiplier in DIN and ends at 32767 W."""
    interval = m.RelativeTimeInterval(0, SCHEDULE_S)
    pmax = int(min(SHORT_MAX, max(1.0, limits.max_power_w)))
    return m.SaScheduleList(
        (m.SaScheduleTuple(1, m.PmaxSchedule(1, (m.PmaxScheduleEntry(interval, pmax),))),)
    )


def _code(told: Telling) -> m.ResponseCode:
    return _CODES[told.code]


def _status(told: Telling) -> m.DcEvseStatus:
    code, delay_s, notification, isolation = told.status
    return m.DcEvseStatus(
        m.DcEvseStatusCode(code), delay_s, m.EvseNotification(notification), m.IsolationLevel(isolation)
    )


def _processing(told: Telling) -> m.EvseProcessing:
    return m.EvseProcessing(told.processing)


def _voltage(told: Telling) -> m.PhysicalValue:
    return volts(told.view.power.voltage_v)


def _evseid(told: Telling) -> bytes:
    return evseid_bytes(told.view.evseid)


def _service_discovery(told: Telling) -> m.ServiceDiscoveryRes:
    """External payment alone: a second entry is fatal to some codecs. No name, no scope."""
    tag = m.ServiceTag(CHARGE_SERVICE_ID, m.ServiceCategory.EVCharging)
    mode = m.EvseSupportedEnergyTransferType[told.manners.energy_mode]
    options = m.PaymentOptions((m.PaymentOption.ExternalPayment,))
    return m.ServiceDiscoveryRes(_code(told), options, m.ServiceCharge(tag, False, mode))


def _charge_parameters(told: Telling) -> m.ChargeParameterDiscoveryRes:
    limits = never_zero(told.view.limits)
    parameter = m.DcEvseChargeParameter(
        dc_evse_status=_status(told),
        evse_maximum_current_limit=amperes(limits.max_current_a),
        evse_maximum_voltage_limit=volts(limits.max_voltage_v),
        evse_minimum_current_limit=amperes(limits.min_current_a),
        evse_minimum_voltage_limit=volts(limits.min_voltage_v),
        evse_peak_current_ripple=amperes(PEAK_RIPPLE_A),
        evse_maximum_power_limit=watts(limits.max_power_w),
    )
    offer = schedules(told.view.limits)
    return m.ChargeParameterDiscoveryRes(_code(told), _processing(told), offer, parameter)


def _current_demand(told: Telling) -> m.CurrentDemandRes:
    """The limits travel with every good answer, so that a car follows a cut at once."""
    power, limits = told.view.power, told.view.limits
    current, voltage = amperes(power.current_a), volts(power.voltage_v)
    body = m.CurrentDemandRes(_code(told), _status(told), voltage, current, *told.achieved)
    if told.code is not Code.OK:
        return body
    return body._replace(
        evse_maximum_voltage_limit=volts(limits.max_voltage_v),
        evse_maximum_current_limit=amperes(limits.max_current_a),
        evse_maximum_power_limit=watts(limits.max_power_w),
    )


_NO_AC = m.AcEvseStatus(False, False, 0, m.EvseNotification.None_)
_NO_CHAIN = m.CertificateChain(b"")

ANSWERS: dict[Kind, Builder] = {
    Kind.SESSION_SETUP: lambda told: m.SessionSetupRes(_code(told), _evseid(told)),
    Kind.SERVICE_DISCOVERY: _service_discovery,
    Kind.PAYMENT_SELECTION: lambda told: m.ServicePaymentSelectionRes(_code(told)),
    Kind.AUTHORIZATION: lambda told: m.ContractAuthenticationRes(_code(told), _processing(told)),
    Kind.CHARGE_PARAMETER_DISCOVERY: _charge_parameters,
    Kind.CABLE_CHECK: lambda told: m.CableCheckRes(_code(told), _status(told), _processing(told)),
    Kind.PRE_CHARGE: lambda told: m.PreChargeRes(_code(told), _status(told), _voltage(told)),
    Kind.POWER_DELIVERY_ON: lambda told: m.PowerDeliveryRes(_code(told), _status(told)),
    Kind.POWER_DELIVERY_OFF: lambda told: m.PowerDeliveryRes(_code(told), _status(told)),
    Kind.CURRENT_DEMAND: _current_demand,
    Kind.WELDING_DETECTION: lambda told: m.WeldingDetectionRes(_code(told), _status(told), _voltage(told)),
    Kind.SESSION_STOP: lambda told: m.SessionStopRes(_code(told)),
    # never good
    Kind.SERVICE_DETAIL: lambda told: m.ServiceDetailRes(_code(told), CHARGE_SERVICE_ID),
    Kind.PAYMENT_DETAILS: lambda told: m.PaymentDetailsRes(_code(told), "0", 0),
    Kind.CERTIFICATE_INSTALLATION: lambda told: m.CertificateInstallationRes(
        "ID1", _code(told), _NO_CHAIN, b"", b"", "0"
    ),
    Kind.CERTIFICATE_UPDATE: lambda told: m.CertificateUpdateRes(
        "ID1", _code(told), _NO_CHAIN, b"", b"", "0", 0
    ),
    Kind.METERING_RECEIPT: lambda told: m.MeteringReceiptRes(_code(told), _NO_AC),
    Kind.CHARGING_STATUS: lambda told: m.ChargingStatusRes(_code(told), _evseid(told), 1, False, _NO_AC),
}
