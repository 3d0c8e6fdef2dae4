"""The paper charger that speaks ISO 15118-2."""

from __future__ import annotations

from typing import Any

from unit.tools.ev.charger import MAX_CURRENT_A, MAX_POWER_W, MAX_VOLTAGE_V, PaperCharger

from vsecc_host.v2g.exi import Protocol
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_host.v2g.physical import amount, scaled

OK = iso2.ResponseCode.OK
FINISHED, ONGOING = iso2.EvseProcessing.Finished, iso2.EvseProcessing.Ongoing
FOR_CUSTOMER = iso2.EvseProcessing.Ongoing_WaitingForCustomerInteraction
EVSEID = "DE*ABC*E1234*1"


def status(
    code: iso2.DcEvseStatusCode = iso2.DcEvseStatusCode.EVSE_Ready,
    notification: iso2.EvseNotification = iso2.EvseNotification.None_,
    isolation: iso2.IsolationLevel | None = iso2.IsolationLevel.Valid,
) -> iso2.DcEvseStatus:
    """A DC_EVSEStatus."""
    return iso2.DcEvseStatus(0, notification, code, isolation)


def value(number: float, unit: iso2.UnitSymbol) -> iso2.PhysicalValue:
    """A physical value."""
    multiplier, scaled_value = scaled(number)
    return iso2.PhysicalValue(multiplier, unit, scaled_value)


def volts(number: float) -> iso2.PhysicalValue:
    """A voltage."""
    return value(number, iso2.UnitSymbol.V)


def amperes(number: float) -> iso2.PhysicalValue:
    """A current."""
    return value(number, iso2.UnitSymbol.A)


def watts(number: float) -> iso2.PhysicalValue:
    """A power."""
    return value(number, iso2.UnitSymbol.W)


def number(physical: iso2.PhysicalValue) -> float:
    """What a physical value says."""
    return amount(physical.multiplier, physical.value)


def schedules(*entries: tuple[int, float], tuple_id: int = 1) -> iso2.SaScheduleList:
    """One schedule of (start s, PMax W)."""
    found = [
        iso2.PmaxScheduleEntry(iso2.RelativeTimeInterval(start_s), watts(power_w))
        for start_s, power_w in entries
    ]
    return iso2.SaScheduleList((iso2.SaScheduleTuple(tuple_id, iso2.PmaxSchedule(tuple(found))),))


def parameters() -> iso2.ChargeParameterDiscoveryRes:
    """Limits and a schedule."""
    parameter = iso2.DcEvseChargeParameter(
        dc_evse_status=status(isolation=iso2.IsolationLevel.Invalid),
        evse_maximum_current_limit=amperes(MAX_CURRENT_A),
        evse_maximum_power_limit=watts(MAX_POWER_W),
        evse_maximum_voltage_limit=volts(MAX_VOLTAGE_V),
        evse_minimum_current_limit=amperes(0.0),
        evse_minimum_voltage_limit=volts(50.0),
        evse_peak_current_ripple=amperes(1.0),
    )
    return iso2.ChargeParameterDiscoveryRes(OK, FINISHED, parameter, schedules((0, MAX_POWER_W)))


class Iso2PaperCharger(PaperCharger):
    """As the DIN one; joins the session id it is shown when `joins`."""

    PROTOCOL = Protocol.ISO2
    NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
    MESSAGE = iso2.V2gMessage
    HEADER = iso2.MessageHeader

    def __init__(self, bus: Any = None) -> None:
        super().__init__(bus)
        self.joins: bytes | None = None
        self.tuple_id = 1

    def _body(self, body: Any, now: float) -> Any:
        fixed = _FIXED.get(type(body))
        if fixed is not None:
            return fixed
        match body:
            case iso2.SessionSetupReq():
                return self._session_setup()
            case iso2.ServiceDetailReq(service_id=service_id):
                return iso2.ServiceDetailRes(OK, service_id)
            case iso2.PowerDeliveryReq(charge_progress=progress, sa_schedule_tuple_id=tuple_id):
                self.tuple_id = tuple_id
                if progress is not iso2.ChargeProgress.Start:
                    self._drive(0.0, 0.0, now)
                return iso2.PowerDeliveryRes(OK, status())
            case iso2.PreChargeReq(ev_target_voltage=target):
                self._drive(number(target), 2.0, now)
                return iso2.PreChargeRes(OK, status(), volts(self._present_v()))
            case iso2.CurrentDemandReq(ev_target_voltage=target, ev_target_current=current):
                self._drive(number(target), min(number(current), MAX_CURRENT_A), now)
                return self._iso2_current_demand()
        raise AssertionError(f"{type(body).__name__} does not belong into a DC session")

    def _session_setup(self) -> iso2.SessionSetupRes:
        code = iso2.ResponseCode.OK_NewSessionEstablished
        if self.joins is not None and self.requests[-1].header.session_id == self.joins:
            code, self.session_id = iso2.ResponseCode.OK_OldSessionJoined, self.joins
        return iso2.SessionSetupRes(code, EVSEID)

    def _iso2_current_demand(self) -> iso2.CurrentDemandRes:
        current_a = self._current_a if self.bus is None else self.bus.current_a
        return iso2.CurrentDemandRes(
            OK,
            status(),
            volts(self._present_v()),
            amperes(current_a),
            False,
            False,
            False,
            EVSEID,
            self.tuple_id,
        )


def _services() -> iso2.ServiceDiscoveryRes:
    modes = iso2.SupportedEnergyTransferMode((iso2.EnergyTransferMode.DC_extended,))
    service = iso2.ChargeService(1, iso2.ServiceCategory.EVCharging, True, modes)
    payment = iso2.PaymentOptionList((iso2.PaymentOption.ExternalPayment,))
    return iso2.ServiceDiscoveryRes(OK, payment, service)


_FIXED: dict[type[Any], Any] = {
    iso2.ServiceDiscoveryReq: _services(),
    iso2.PaymentServiceSelectionReq: iso2.PaymentServiceSelectionRes(OK),
    iso2.AuthorizationReq: iso2.AuthorizationRes(OK, FINISHED),
    iso2.ChargeParameterDiscoveryReq: parameters(),
    iso2.CableCheckReq: iso2.CableCheckRes(OK, status(), FINISHED),
    iso2.WeldingDetectionReq: iso2.WeldingDetectionRes(OK, status(), volts(0.0)),
    iso2.SessionStopReq: iso2.SessionStopRes(OK),
}
