"""Builds every ISO 15118-2 answer, good or FAILED: all required fields, measured values, no zero offer."""

from __future__ import annotations

from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.dc.offers import PEAK_RIPPLE_A, SCHEDULE_S, never_zero
from vsecc_host.v2g.dc.protocol import Builder, Telling
from vsecc_host.v2g.dc.setup import CHARGE_SERVICE_ID, DC_MODES
from vsecc_host.v2g.dc.values import Code, Processing
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.physical import scaled

SCHEDULE_ID = 1
_NO_EVSEID = "ZZ00000"  # what the standard wants of a station without one
_MIN_EVSEID, _MAX_EVSEID = 7, 37  # characters
_MAX_METER_ID = 32

_OTHERWISE = {
    Code.FAILED_WrongEnergyTransferType: "FAILED_WrongEnergyTransferMode",
    Code.FAILED_EVSEPresentVoltageToLow: "FAILED_PowerDeliveryNotApplied",
}
_CODES = {code: m.ResponseCode[_OTHERWISE.get(code, code.value)] for code in Code}


def volts(value: float) -> m.PhysicalValue:
    """A voltage."""
    return _physical(value, m.UnitSymbol.V)


def amperes(value: float) -> m.PhysicalValue:
    """A current."""
    return _physical(value, m.UnitSymbol.A)


def watts(value: float) -> m.PhysicalValue:
    """A power."""
    return _physical(value, m.UnitSymbol.W)


def _physical(value: float, unit: m.UnitSymbol) -> m.PhysicalValue:
    multiplier, number = scaled(value)
    return m.PhysicalValue(multiplier, unit, number)


def evseid_text(evseid: str) -> str:
    """EVSEID of 7 to 37 ASCII characters."""
    if len(evseid) < _MIN_EVSEID:
        return _NO_EVSEID
    return evseid.encode("ascii", "replace")[:_MAX_EVSEID].decode("ascii")


def _code(told: Telling) -> m.ResponseCode:
    return _CODES[told.code]


def _status(told: Telling) -> m.DcEvseStatus:
    code, delay_s, notification, isolation = told.status
    return m.DcEvseStatus(
        delay_s, m.EvseNotification(notification), m.DcEvseStatusCode(code), m.IsolationLevel(isolation)
    )


def _processing(told: Telling) -> m.EvseProcessing:
    return m.EvseProcessing(told.processing)


def _voltage(told: Telling) -> m.PhysicalValue:
    return volts(told.view.power.voltage_v)


def _evseid(told: Telling) -> str:
    return evseid_text(told.view.evseid)


def _service_id(told: Telling) -> int:
    """The id asked about."""
    return CHARGE_SERVICE_ID if told.request is None else int(told.request.service_id)


def _service_discovery(told: Telling) -> m.ServiceDiscoveryRes:
    modes = m.SupportedEnergyTransferMode(tuple(m.EnergyTransferMode[mode] for mode in DC_MODES))
    service = m.ChargeService(CHARGE_SERVICE_ID, m.ServiceCategory.EVCharging, False, modes)
    options = m.PaymentOptionList((m.PaymentOption.ExternalPayment,))
    return m.ServiceDiscoveryRes(_code(told), options, service)


def _schedules(told: Telling) -> m.SaScheduleList:
    """One tuple for a day with the power that can be had."""
    interval = m.RelativeTimeInterval(0, SCHEDULE_S)
    pmax = watts(never_zero(told.view.limits).max_power_w)
    schedule = m.PmaxSchedule((m.PmaxScheduleEntry(interval, pmax),))
    return m.SaScheduleList((m.SaScheduleTuple(SCHEDULE_ID, schedule),))


def _charge_parameters(told: Telling) -> m.ChargeParameterDiscoveryRes:
    limits = never_zero(told.view.limits)
    parameter = m.DcEvseChargeParameter(
        dc_evse_status=_status(told),
        evse_maximum_current_limit=amperes(limits.max_current_a),
        evse_maximum_power_limit=watts(limits.max_power_w),
        evse_maximum_voltage_limit=volts(limits.max_voltage_v),
        evse_minimum_current_limit=amperes(limits.min_current_a),
        evse_minimum_voltage_limit=volts(limits.min_voltage_v),
        evse_peak_current_ripple=amperes(PEAK_RIPPLE_A),
    )
    final = told.code is Code.OK and told.processing is Processing.FINISHED
    offer = _schedules(told) if final else None
    return m.ChargeParameterDiscoveryRes(_code(told), _processing(told), parameter, offer)


def _current_demand(told: Telling) -> m.CurrentDemandRes:
    """Limits and meter travel with every good answer: a car follows a cut at once."""
    power, limits = told.view.power, told.view.limits
    body = m.CurrentDemandRes(
        _code(told),
        _status(told),
        volts(power.voltage_v),
        amperes(power.current_a),
        *told.achieved,
        _evseid(told),
        SCHEDULE_ID,
    )
    if told.code is not Code.OK:
        return body
    return body._replace(
        evse_maximum_voltage_limit=volts(limits.max_voltage_v),
        evse_maximum_current_limit=amperes(limits.max_current_a),
        evse_maximum_power_limit=watts(limits.max_power_w),
        meter_info=m.MeterInfo(_evseid(told)[:_MAX_METER_ID], int(told.view.meter_wh)),
        receipt_required=False,  # receipts belong to contracts
    )


_NO_AC = m.AcEvseStatus(0, m.EvseNotification.None_, False)
_NO_CHAIN = m.CertificateChain(b"")
_NO_KEY = m.ContractSignatureEncryptedPrivateKey("ID1", b"")
_NO_PUBLIC_KEY = m.DiffieHellmanPublickey("ID1", b"")
_NO_EMAID = m.Emaid("ID1", "ZZ000000000000")
_NO_CONTRACT = (_NO_CHAIN, _NO_CHAIN, _NO_KEY, _NO_PUBLIC_KEY, _NO_EMAID)


def _power_delivery(told: Telling) -> m.PowerDeliveryRes:
    return m.PowerDeliveryRes(_code(told), _status(told))


ANSWERS: dict[Kind, Builder] = {
    Kind.SESSION_SETUP: lambda told: m.SessionSetupRes(_code(told), _evseid(told)),
    Kind.SERVICE_DISCOVERY: _service_discovery,
    Kind.SERVICE_DETAIL: lambda told: m.ServiceDetailRes(_code(told), _service_id(told)),
    Kind.PAYMENT_SELECTION: lambda told: m.PaymentServiceSelectionRes(_code(told)),
    Kind.AUTHORIZATION: lambda told: m.AuthorizationRes(_code(told), _processing(told)),
    Kind.CHARGE_PARAMETER_DISCOVERY: _charge_parameters,
    Kind.CABLE_CHECK: lambda told: m.CableCheckRes(_code(told), _status(told), _processing(told)),
    Kind.PRE_CHARGE: lambda told: m.PreChargeRes(_code(told), _status(told), _voltage(told)),
    Kind.POWER_DELIVERY_ON: _power_delivery,
    Kind.POWER_DELIVERY_OFF: _power_delivery,
    Kind.POWER_DELIVERY_AGAIN: _power_delivery,
    Kind.CURRENT_DEMAND: _current_demand,
    Kind.WELDING_DETECTION: lambda told: m.WeldingDetectionRes(_code(told), _status(told), _voltage(told)),
    Kind.SESSION_STOP: lambda told: m.SessionStopRes(_code(told)),
    # never good
    Kind.PAYMENT_DETAILS: lambda told: m.PaymentDetailsRes(_code(told), bytes(16), 0),
    Kind.CERTIFICATE_INSTALLATION: lambda told: m.CertificateInstallationRes(_code(told), *_NO_CONTRACT),
    Kind.CERTIFICATE_UPDATE: lambda told: m.CertificateUpdateRes(_code(told), *_NO_CONTRACT),
    Kind.METERING_RECEIPT: lambda told: m.MeteringReceiptRes(_code(told), _status(told)),
    Kind.CHARGING_STATUS: lambda told: m.ChargingStatusRes(_code(told), _evseid(told), SCHEDULE_ID, _NO_AC),
}
