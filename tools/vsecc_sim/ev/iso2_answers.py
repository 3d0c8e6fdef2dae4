"""Responses of an ISO 15118-2 charger, reduced to what the simulated car decides by. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsecc_host.v2g.exi import DecodeError, Protocol, decode
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_host.v2g.physical import amount
from vsecc_sim.ev.values import Answer, BadAnswer, EvseState, Schedule, Step

_STATE = {
    iso2.DcEvseStatusCode.EVSE_NotReady: EvseState.NOT_READY,
    iso2.DcEvseStatusCode.EVSE_IsolationMonitoringActive: EvseState.NOT_READY,
    iso2.DcEvseStatusCode.EVSE_Ready: EvseState.READY,
    iso2.DcEvseStatusCode.EVSE_Shutdown: EvseState.SHUTDOWN,
    iso2.DcEvseStatusCode.EVSE_UtilityInterruptEvent: EvseState.SHUTDOWN,
    iso2.DcEvseStatusCode.EVSE_EmergencyShutdown: EvseState.EMERGENCY,
    iso2.DcEvseStatusCode.EVSE_Malfunction: EvseState.EMERGENCY,
}
_GOOD_ISOLATION = (iso2.IsolationLevel.Valid, iso2.IsolationLevel.Warning)
_DC_MODES = (iso2.EnergyTransferMode.DC_core, iso2.EnergyTransferMode.DC_extended)


def read(step: Step, payload: bytes) -> Answer:
    """The response to `step`; BadAnswer when the bytes or the message are not that."""
    try:
        message = decode(Protocol.ISO2, payload)
    except DecodeError as error:
        raise BadAnswer(f"not decodable: {error}") from error
    body = message.body
    wanted = _RESPONSES[step]
    if not isinstance(body, wanted):
        raise BadAnswer(f"{type(body).__name__} instead of {wanted.__name__}")
    code = iso2.ResponseCode(body.response_code)
    answer = Answer(
        name=wanted.__name__,
        ok=code < iso2.ResponseCode.FAILED,
        code=code.name,
        session_id=message.header.session_id,
        joined=code is iso2.ResponseCode.OK_OldSessionJoined,
    )
    reader = _READERS.get(step)
    # Beside a FAILED code the other fields may say anything.
    return answer if reader is None or not answer.ok else reader(body, answer)


def _number(value: iso2.PhysicalValue) -> float:
    return amount(value.multiplier, value.value)


def _with_status(status: object, answer: Answer) -> Answer:
    """Status of a DC charger; an AC one does not belong into a DC session."""
    if not isinstance(status, iso2.DcEvseStatus):
        raise BadAnswer("no DC_EVSEStatus")
    state = _STATE.get(iso2.DcEvseStatusCode(status.evse_status_code), EvseState.NOT_READY)
    notification = status.evse_notification
    if state is not EvseState.EMERGENCY and notification == iso2.EvseNotification.StopCharging:
        state = EvseState.SHUTDOWN
    return answer._replace(
        state=state,
        isolation_valid=status.evse_isolation_status in _GOOD_ISOLATION,
        renegotiate=notification == iso2.EvseNotification.ReNegotiation,
    )


def _with_processing(processing: iso2.EvseProcessing, answer: Answer) -> Answer:
    customer = iso2.EvseProcessing.Ongoing_WaitingForCustomerInteraction
    return answer._replace(
        finished=processing == iso2.EvseProcessing.Finished, for_customer=processing == customer
    )


def _read_services(body: iso2.ServiceDiscoveryRes, answer: Answer) -> Answer:
    paid = iso2.PaymentOption.ExternalPayment in body.payment_option_list.payment_option
    modes = body.charge_service.supported_energy_transfer_mode.energy_transfer_mode
    extra = body.service_list.service if body.service_list else ()
    return answer._replace(
        suitable=paid and any(mode in _DC_MODES for mode in modes),
        services=tuple(service.service_id for service in extra),
    )


def _read_authorization(body: iso2.AuthorizationRes, answer: Answer) -> Answer:
    return _with_processing(body.evse_processing, answer)


def _read_parameters(body: iso2.ChargeParameterDiscoveryRes, answer: Answer) -> Answer:
    parameters = body.evse_charge_parameter
    if not isinstance(parameters, iso2.DcEvseChargeParameter):
        raise BadAnswer("no DC_EVSEChargeParameter")
    answer = _with_processing(body.evse_processing, answer)
    schedules = _schedules(body.sa_schedules)
    if answer.finished and not schedules:
        raise BadAnswer("finished without SAScheduleList")
    return _with_status(parameters.dc_evse_status, answer)._replace(
        max_current_a=_number(parameters.evse_maximum_current_limit),
        max_power_w=_number(parameters.evse_maximum_power_limit),
        schedules=schedules,
    )


def _schedules(told: iso2.SaScheduleList | None) -> tuple[Schedule, ...]:
    found = []
    for one in told.sa_schedule_tuple if told else ():
        entries = [
            (float(entry.time_interval.start), _number(entry.pmax))
            for entry in one.pmax_schedule.pmax_schedule_entry
        ]
        found.append(Schedule(one.sa_schedule_tuple_id, tuple(sorted(entries))))
    return tuple(found)


def _read_cable_check(body: iso2.CableCheckRes, answer: Answer) -> Answer:
    return _with_status(body.dc_evse_status, _with_processing(body.evse_processing, answer))


def _read_voltage(body: iso2.PreChargeRes | iso2.WeldingDetectionRes, answer: Answer) -> Answer:
    volts = _number(body.evse_present_voltage)
    return _with_status(body.dc_evse_status, answer)._replace(voltage_v=volts)


def _read_power_delivery(body: iso2.PowerDeliveryRes, answer: Answer) -> Answer:
    return _with_status(body.evse_status, answer)


def _read_current_demand(body: iso2.CurrentDemandRes, answer: Answer) -> Answer:
    current, power = body.evse_maximum_current_limit, body.evse_maximum_power_limit
    return _with_status(body.dc_evse_status, answer)._replace(
        voltage_v=_number(body.evse_present_voltage),
        current_a=_number(body.evse_present_current),
        max_current_a=None if current is None else _number(current),
        max_power_w=None if power is None else _number(power),
    )


_RESPONSES: dict[Step, type[Any]] = {
    Step.SESSION_SETUP: iso2.SessionSetupRes,
    Step.SERVICE_DISCOVERY: iso2.ServiceDiscoveryRes,
    Step.SERVICE_DETAIL: iso2.ServiceDetailRes,
    Step.PAYMENT_SELECTION: iso2.PaymentServiceSelectionRes,
    Step.AUTHORIZATION: iso2.AuthorizationRes,
    Step.CHARGE_PARAMETERS: iso2.ChargeParameterDiscoveryRes,
    Step.CABLE_CHECK: iso2.CableCheckRes,
    Step.PRE_CHARGE: iso2.PreChargeRes,
    Step.POWER_ON: iso2.PowerDeliveryRes,
    Step.CURRENT_DEMAND: iso2.CurrentDemandRes,
    Step.RENEGOTIATE: iso2.PowerDeliveryRes,
    Step.POWER_OFF: iso2.PowerDeliveryRes,
    Step.WELDING_DETECTION: iso2.WeldingDetectionRes,
    Step.SESSION_STOP: iso2.SessionStopRes,
}

_READERS: dict[Step, Callable[[Any, Answer], Answer]] = {
    Step.SERVICE_DISCOVERY: _read_services,
    Step.AUTHORIZATION: _read_authorization,
    Step.CHARGE_PARAMETERS: _read_parameters,
    Step.CABLE_CHECK: _read_cable_check,
    Step.PRE_CHARGE: _read_voltage,
    Step.POWER_ON: _read_power_delivery,
    Step.CURRENT_DEMAND: _read_current_demand,
    Step.RENEGOTIATE: _read_power_delivery,
    Step.WELDING_DETECTION: _read_voltage,
}
