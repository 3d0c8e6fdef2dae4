"""DIN SPEC 70121 as the car speaks it: intents to requests, responses to answers. Pure.

The one place of the simulated car that knows DIN messages; another protocol is a sibling of this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.v2g.physical import amount
from vsecc_sim.ev.dialect import ONLY_CHARGING, SERVICES, whole
from vsecc_sim.ev.profiles import NAMESPACES, Messages, Profile
from vsecc_sim.ev.values import Answer, BadAnswer, EvseState, Intent, Step, Wrong

NAMESPACE = NAMESPACES["din"]

_TIME_STEP_S = 60.0  # cars tell the remaining time in whole minutes

_STATE = {
    din.DcEvseStatusCode.EVSE_NotReady: EvseState.NOT_READY,
    din.DcEvseStatusCode.EVSE_IsolationMonitoringActive: EvseState.NOT_READY,
    din.DcEvseStatusCode.EVSE_Ready: EvseState.READY,
    din.DcEvseStatusCode.EVSE_Shutdown: EvseState.SHUTDOWN,
    din.DcEvseStatusCode.EVSE_UtilityInterruptEvent: EvseState.SHUTDOWN,
    din.DcEvseStatusCode.EVSE_EmergencyShutdown: EvseState.EMERGENCY,
    din.DcEvseStatusCode.EVSE_Malfunction: EvseState.EMERGENCY,
}


def physical(value: float, multiplier: int, unit: din.UnitSymbol) -> din.PhysicalValue:
    """A physical value with the profile's multiplier, clamped to a short."""
    return din.PhysicalValue(multiplier, whole(value, multiplier), unit)


class DinDialect:
    """Builds requests and reads responses for one profile."""

    name = "din"
    title = "DIN SPEC 70121"
    namespace = NAMESPACE
    slow_steps = frozenset[Step]()
    knows_pause = False

    def __init__(self, profile: Profile, evccid: bytes) -> None:
        self._profile = profile
        self._evccid = evccid
        self._builders: dict[Step, Callable[[Intent], Any]] = {
            Step.SESSION_SETUP: lambda intent: din.SessionSetupReq(self._evccid),
            Step.SERVICE_DISCOVERY: self._service_discovery,
            Step.PAYMENT_SELECTION: self._payment_selection,
            Step.AUTHORIZATION: lambda intent: din.ContractAuthenticationReq(),
            Step.CHARGE_PARAMETERS: self._charge_parameters,
            Step.CABLE_CHECK: lambda intent: din.CableCheckReq(self._status(intent)),
            Step.PRE_CHARGE: self._pre_charge,
            Step.POWER_ON: lambda intent: self._power_delivery(intent, True),
            Step.CURRENT_DEMAND: self._current_demand,
            Step.POWER_OFF: lambda intent: self._power_delivery(intent, False),
            Step.WELDING_DETECTION: lambda intent: din.WeldingDetectionReq(self._status(intent)),
            Step.SESSION_STOP: lambda intent: din.SessionStopReq(),
        }

    # --- requests --------------------------------------------------------------------------------------

    def request(self, step: Step, intent: Intent) -> bytes:
        """EXI of the request of `step`."""
        header = din.MessageHeader(intent.session_id)
        return encode(Protocol.DIN, din.V2gMessage(header, self._builders[step](intent)))

    @property
    def _messages(self) -> Messages:
        return self._profile.messages

    def _volts(self, value: float) -> din.PhysicalValue:
        return physical(value, self._profile.multipliers.target_voltage, din.UnitSymbol.V)

    def _amperes(self, value: float) -> din.PhysicalValue:
        return physical(value, self._profile.multipliers.target_current, din.UnitSymbol.A)

    def _seconds(self, value: float, sent: bool) -> din.PhysicalValue | None:
        if not sent:
            return None
        rounded = round(value / _TIME_STEP_S) * _TIME_STEP_S
        return physical(rounded, self._profile.multipliers.time, din.UnitSymbol.s)

    def _max_voltage(self) -> din.PhysicalValue:
        value = self._profile.charging.max_voltage_v
        return physical(value, self._profile.multipliers.max_voltage, din.UnitSymbol.V)

    def _max_current(self, value: float) -> din.PhysicalValue:
        return physical(value, self._profile.multipliers.max_current, din.UnitSymbol.A)

    def _max_power(self) -> din.PhysicalValue | None:
        value = self._messages.max_power_w
        return physical(value, self._profile.multipliers.max_power, din.UnitSymbol.W) if value else None

    def _energy(self, value: float) -> din.PhysicalValue:
        return physical(value, self._profile.multipliers.energy, din.UnitSymbol.Wh)

    def _status(self, intent: Intent) -> din.DcEvStatus:
        conditioning = False if self._messages.conditioning else None
        return din.DcEvStatus(
            ev_ready=intent.ready,
            ev_error_code=din.DcEvErrorCode[intent.error],
            ev_ress_soc=max(0, min(100, int(intent.soc_percent))),
            ev_cabin_conditioning=conditioning,
            ev_ress_conditioning=conditioning,
        )

    def _service_discovery(self, intent: Intent) -> din.ServiceDiscoveryReq:
        category = din.ServiceCategory.EVCharging if self._messages.service_category else None
        return din.ServiceDiscoveryReq(service_category=category)

    def _payment_selection(self, intent: Intent) -> din.ServicePaymentSelectionReq:
        services = tuple(din.SelectedService(number) for number in SERVICES.get(intent.wrong, ONLY_CHARGING))
        payment = (
            din.PaymentOption.Contract if intent.wrong is Wrong.PAYMENT else din.PaymentOption.ExternalPayment
        )
        return din.ServicePaymentSelectionReq(payment, din.SelectedServiceList(services))

    def _charge_parameters(self, intent: Intent) -> din.ChargeParameterDiscoveryReq:
        messages = self._messages
        if intent.wrong is Wrong.PARAMETERS:
            ac = din.AcEvChargeParameter(
                0, self._energy(1.0), self._volts(400.0), self._amperes(16.0), self._amperes(6.0)
            )
            return din.ChargeParameterDiscoveryReq(din.EvRequestedEnergyTransferType.DC_extended, ac)
        capacity_wh = messages.energy_capacity_wh
        missing_wh = capacity_wh * (100.0 - intent.soc_percent) / 100.0
        parameters = din.DcEvChargeParameter(
            dc_ev_status=self._status(intent),
            ev_maximum_current_limit=self._max_current(self._profile.charging.max_current_a),
            ev_maximum_voltage_limit=self._max_voltage(),
            ev_maximum_power_limit=self._max_power(),
            ev_energy_capacity=self._energy(capacity_wh) if capacity_wh else None,
            ev_energy_request=self._energy(missing_wh) if messages.energy_request else None,
            full_soc=messages.full_soc_percent or None,
            bulk_soc=messages.bulk_soc_percent or None,
        )
        if intent.wrong is Wrong.LIMITS:
            parameters = parameters._replace(
                ev_maximum_current_limit=self._max_current(0.0), ev_maximum_voltage_limit=self._volts(0.0)
            )
        modes = din.EvRequestedEnergyTransferType
        mode = modes.AC_three_phase_core if intent.wrong is Wrong.MODE else modes.DC_extended
        return din.ChargeParameterDiscoveryReq(mode, parameters)

    def _pre_charge(self, intent: Intent) -> din.PreChargeReq:
        return din.PreChargeReq(
            self._status(intent),
            ev_target_voltage=self._volts(intent.target_voltage_v),
            ev_target_current=self._amperes(intent.target_current_a),
        )

    def _power_delivery(self, intent: Intent, on: bool) -> din.PowerDeliveryReq:
        parameter = din.DcEvPowerDeliveryParameter(
            self._status(intent),
            charging_complete=intent.complete,
            bulk_charging_complete=intent.bulk_complete if self._messages.bulk_complete else None,
        )
        return din.PowerDeliveryReq(on, ev_power_delivery_parameter=parameter)

    def _current_demand(self, intent: Intent) -> din.CurrentDemandReq:
        messages, limits = self._messages, self._messages.loop_limits
        headroom_a = messages.loop_current_headroom_a
        max_a = intent.target_current_a + headroom_a if headroom_a else self._profile.charging.max_current_a
        return din.CurrentDemandReq(
            dc_ev_status=self._status(intent),
            ev_target_current=self._amperes(intent.target_current_a),
            charging_complete=intent.complete,
            ev_target_voltage=self._volts(intent.target_voltage_v),
            ev_maximum_voltage_limit=self._max_voltage() if limits else None,
            ev_maximum_current_limit=self._max_current(max_a) if limits else None,
            ev_maximum_power_limit=self._max_power() if limits else None,
            bulk_charging_complete=intent.bulk_complete if messages.bulk_complete else None,
            remaining_time_to_full_soc=self._seconds(intent.remaining_full_s, messages.remaining_full),
            remaining_time_to_bulk_soc=self._seconds(intent.remaining_bulk_s, messages.remaining_bulk),
        )

    # --- responses -------------------------------------------------------------------------------------

    def answer(self, step: Step, payload: bytes) -> Answer:
        """The response to `step`; BadAnswer when the bytes or the message are not that."""
        try:
            message = decode(Protocol.DIN, payload)
        except DecodeError as error:
            raise BadAnswer(f"not decodable: {error}") from error
        body = message.body
        wanted = _RESPONSES[step]
        if not isinstance(body, wanted):
            raise BadAnswer(f"{type(body).__name__} instead of {wanted.__name__}")
        code = din.ResponseCode(body.response_code)
        answer = Answer(
            name=wanted.__name__,
            ok=code < din.ResponseCode.FAILED,
            code=code.name,
            session_id=message.header.session_id,
        )
        reader = _READERS.get(step)
        return answer if reader is None else reader(body, answer)


def _with_status(status: object, answer: Answer) -> Answer:
    """Status of a DC charger; an AC one does not belong into a DC session."""
    if not isinstance(status, din.DcEvseStatus):
        raise BadAnswer("no DC_EVSEStatus")
    state = _STATE.get(din.DcEvseStatusCode(status.evse_status_code), EvseState.NOT_READY)
    if state is not EvseState.EMERGENCY and status.evse_notification == din.EvseNotification.StopCharging:
        state = EvseState.SHUTDOWN
    isolation = status.evse_isolation_status
    valid = isolation in (din.IsolationLevel.Valid, din.IsolationLevel.Warning)
    return answer._replace(state=state, isolation_valid=valid)


def _read_services(body: din.ServiceDiscoveryRes, answer: Answer) -> Answer:
    paid = din.PaymentOption.ExternalPayment in body.payment_options.payment_option
    dc = "DC" in din.EvseSupportedEnergyTransferType(body.charge_service.energy_transfer_type).name
    return answer._replace(suitable=paid and dc)


def _read_parameters(body: din.ChargeParameterDiscoveryRes, answer: Answer) -> Answer:
    parameters = body.evse_charge_parameter
    if not isinstance(parameters, din.DcEvseChargeParameter):
        raise BadAnswer("no DC_EVSEChargeParameter")
    limit = parameters.evse_maximum_current_limit
    finished = body.evse_processing == din.EvseProcessing.Finished
    answer = _with_status(parameters.dc_evse_status, answer)
    return answer._replace(finished=finished, max_current_a=amount(limit.multiplier, limit.value))


def _read_current_demand(body: din.CurrentDemandRes, answer: Answer) -> Answer:
    volts, amperes, limit = (
        body.evse_present_voltage,
        body.evse_present_current,
        body.evse_maximum_current_limit,
    )
    return _with_status(body.dc_evse_status, answer)._replace(
        voltage_v=amount(volts.multiplier, volts.value),
        current_a=amount(amperes.multiplier, amperes.value),
        max_current_a=None if limit is None else amount(limit.multiplier, limit.value),
    )


def _read_voltage(body: din.PreChargeRes | din.WeldingDetectionRes, answer: Answer) -> Answer:
    volts = body.evse_present_voltage
    return _with_status(body.dc_evse_status, answer)._replace(voltage_v=amount(volts.multiplier, volts.value))


def _read_cable_check(body: din.CableCheckRes, answer: Answer) -> Answer:
    finished = body.evse_processing == din.EvseProcessing.Finished
    return _with_status(body.dc_evse_status, answer)._replace(finished=finished)


def _read_authorization(body: din.ContractAuthenticationRes, answer: Answer) -> Answer:
    return answer._replace(finished=body.evse_processing == din.EvseProcessing.Finished)


def _read_power_delivery(body: din.PowerDeliveryRes, answer: Answer) -> Answer:
    return _with_status(body.evse_status, answer)


_RESPONSES: dict[Step, type[Any]] = {
    Step.SESSION_SETUP: din.SessionSetupRes,
    Step.SERVICE_DISCOVERY: din.ServiceDiscoveryRes,
    Step.PAYMENT_SELECTION: din.ServicePaymentSelectionRes,
    Step.AUTHORIZATION: din.ContractAuthenticationRes,
    Step.CHARGE_PARAMETERS: din.ChargeParameterDiscoveryRes,
    Step.CABLE_CHECK: din.CableCheckRes,
    Step.PRE_CHARGE: din.PreChargeRes,
    Step.POWER_ON: din.PowerDeliveryRes,
    Step.CURRENT_DEMAND: din.CurrentDemandRes,
    Step.POWER_OFF: din.PowerDeliveryRes,
    Step.WELDING_DETECTION: din.WeldingDetectionRes,
    Step.SESSION_STOP: din.SessionStopRes,
}

_READERS: dict[Step, Callable[[Any, Answer], Answer]] = {
    Step.SERVICE_DISCOVERY: _read_services,
    Step.AUTHORIZATION: _read_authorization,
    Step.CHARGE_PARAMETERS: _read_parameters,
    Step.CABLE_CHECK: _read_cable_check,
    Step.PRE_CHARGE: _read_voltage,
    Step.POWER_ON: _read_power_delivery,
    Step.CURRENT_DEMAND: _read_current_demand,
    Step.WELDING_DETECTION: _read_voltage,
}
