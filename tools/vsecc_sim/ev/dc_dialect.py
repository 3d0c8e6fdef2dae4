"""What a DC car says and hears alike in DIN SPEC 70121 and ISO 15118-2: both schemas name it alike. Pure.

`din.py` and `iso2.py` add what each protocol has of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.physical import amount
from vsecc_sim.ev.dialect import ONLY_CHARGING, SERVICES, whole
from vsecc_sim.ev.profiles import Messages, Profile
from vsecc_sim.ev.values import Answer, BadAnswer, EvseState, Intent, Step, Wrong

_TIME_STEP_S = 60.0  # cars tell the remaining time in whole minutes

_STATES = {  # by the names of DC_EVSEStatusCode; any other means nothing to a car
    "EVSE_NotReady": EvseState.NOT_READY,
    "EVSE_IsolationMonitoringActive": EvseState.NOT_READY,
    "EVSE_Ready": EvseState.READY,
    "EVSE_Shutdown": EvseState.SHUTDOWN,
    "EVSE_UtilityInterruptEvent": EvseState.SHUTDOWN,
    "EVSE_EmergencyShutdown": EvseState.EMERGENCY,
    "EVSE_Malfunction": EvseState.EMERGENCY,
}

Builder = Callable[[Intent], Any]
Reader = Callable[[Any, Answer], Answer]


class DcDialect:
    """Builds requests and reads responses for one profile; a subclass names schema and messages."""

    codec: ClassVar[Protocol]
    schema: ClassVar[Any]  # the protocol's message classes
    responses: ClassVar[Mapping[Step, type[Any]]]
    knows_pause: bool  # and renegotiation

    def __init__(self, profile: Profile, evccid: bytes) -> None:
        self._profile = profile
        m = self.schema
        self._builders: dict[Step, Builder] = {
            Step.SESSION_SETUP: lambda intent: m.SessionSetupReq(evccid),
            Step.SERVICE_DISCOVERY: self._service_discovery,
            Step.CABLE_CHECK: lambda intent: m.CableCheckReq(self._status(intent)),
            Step.PRE_CHARGE: self._pre_charge,
            Step.CURRENT_DEMAND: self._current_demand,
            Step.WELDING_DETECTION: lambda intent: m.WeldingDetectionReq(self._status(intent)),
        }
        self._readers: dict[Step, Reader] = {
            Step.AUTHORIZATION: self._with_processing,
            Step.CHARGE_PARAMETERS: self._read_parameters,
            Step.CABLE_CHECK: self._read_cable_check,
            Step.PRE_CHARGE: self._read_voltage,
            Step.POWER_ON: self._read_power_delivery,
            Step.CURRENT_DEMAND: self._read_current_demand,
            Step.WELDING_DETECTION: self._read_voltage,
        }

    def request(self, step: Step, intent: Intent) -> bytes:
        """EXI of the request of `step`."""
        header = self.schema.MessageHeader(intent.session_id)
        return encode(self.codec, self.schema.V2gMessage(header, self._builders[step](intent)))

    def answer(self, step: Step, payload: bytes) -> Answer:
        """The response to `step`; BadAnswer when the bytes or the message are not that."""
        try:
            message = decode(self.codec, payload)
        except DecodeError as error:
            raise BadAnswer(f"not decodable: {error}") from error
        body, wanted = message.body, self.responses[step]
        if not isinstance(body, wanted):
            raise BadAnswer(f"{type(body).__name__} instead of {wanted.__name__}")
        code = self.schema.ResponseCode(body.response_code)
        answer = Answer(
            name=wanted.__name__,
            ok=code < self.schema.ResponseCode.FAILED,
            code=code.name,
            session_id=message.header.session_id,
            joined=code is self.schema.ResponseCode.OK_OldSessionJoined,
        )
        reader = self._readers.get(step)
        # Beside a FAILED code the other fields may say anything.
        return answer if reader is None or not answer.ok else reader(body, answer)

    # --- values ----------------------------------------------------------------------------------------

    @property
    def _messages(self) -> Messages:
        return self._profile.messages

    def _physical(self, value: float, multiplier: int, unit: str) -> Any:
        """A physical value with the profile's multiplier, clamped to a short."""
        m = self.schema
        number = whole(value, multiplier)
        return m.PhysicalValue(multiplier=multiplier, unit=m.UnitSymbol[unit], value=number)

    def _volts(self, value: float) -> Any:
        return self._physical(value, self._profile.multipliers.target_voltage, "V")

    def _amperes(self, value: float) -> Any:
        return self._physical(value, self._profile.multipliers.target_current, "A")

    def _watts(self, value: float) -> Any:
        return self._physical(value, self._profile.multipliers.max_power, "W")

    def _energy(self, value: float) -> Any:
        return self._physical(value, self._profile.multipliers.energy, "Wh")

    def _seconds(self, value: float, sent: bool) -> Any:
        if not sent:
            return None
        rounded = round(value / _TIME_STEP_S) * _TIME_STEP_S
        return self._physical(rounded, self._profile.multipliers.time, "s")

    def _max_voltage(self) -> Any:
        value = self._profile.charging.max_voltage_v
        return self._physical(value, self._profile.multipliers.max_voltage, "V")

    def _max_current(self, value: float) -> Any:
        return self._physical(value, self._profile.multipliers.max_current, "A")

    def _max_power(self) -> Any:
        return self._watts(self._messages.max_power_w) if self._messages.max_power_w else None

    def _status(self, intent: Intent, **more: Any) -> Any:
        m = self.schema
        soc = max(0, min(100, int(intent.soc_percent)))
        return m.DcEvStatus(intent.ready, m.DcEvErrorCode[intent.error], soc, **more)

    # --- requests --------------------------------------------------------------------------------------

    def _service_discovery(self, intent: Intent) -> Any:
        m = self.schema
        category = m.ServiceCategory.EVCharging if self._messages.service_category else None
        return m.ServiceDiscoveryReq(service_category=category)

    def _selection(self, intent: Intent) -> tuple[Any, Any]:
        """Payment option and list of services."""
        m = self.schema
        services = tuple(m.SelectedService(number) for number in SERVICES.get(intent.wrong, ONLY_CHARGING))
        by_contract = intent.wrong is Wrong.PAYMENT
        payment = m.PaymentOption.Contract if by_contract else m.PaymentOption.ExternalPayment
        return payment, m.SelectedServiceList(services)

    def _parameters(self, intent: Intent, **more: Any) -> Any:
        m, messages = self.schema, self._messages
        capacity_wh = messages.energy_capacity_wh
        missing_wh = capacity_wh * (100.0 - intent.soc_percent) / 100.0
        zero = intent.wrong is Wrong.LIMITS
        return m.DcEvChargeParameter(
            dc_ev_status=self._status(intent),
            ev_maximum_current_limit=self._max_current(0 if zero else self._profile.charging.max_current_a),
            ev_maximum_voltage_limit=self._volts(0) if zero else self._max_voltage(),
            ev_maximum_power_limit=self._max_power(),
            ev_energy_capacity=self._energy(capacity_wh) if capacity_wh else None,
            ev_energy_request=self._energy(missing_wh) if messages.energy_request else None,
            full_soc=messages.full_soc_percent or None,
            bulk_soc=messages.bulk_soc_percent or None,
            **more,
        )

    def _of_an_ac_car(self, **more: Any) -> Any:
        return self.schema.AcEvChargeParameter(
            e_amount=self._energy(1.0),
            ev_max_voltage=self._volts(400.0),
            ev_max_current=self._amperes(16.0),
            ev_min_current=self._amperes(6.0),
            **more,
        )

    def _pre_charge(self, intent: Intent) -> Any:
        return self.schema.PreChargeReq(
            self._status(intent),
            ev_target_voltage=self._volts(intent.target_voltage_v),
            ev_target_current=self._amperes(intent.target_current_a),
        )

    def _delivery(self, intent: Intent) -> Any:
        """DC_EVPowerDeliveryParameter."""
        return self.schema.DcEvPowerDeliveryParameter(
            self._status(intent),
            charging_complete=intent.complete,
            bulk_charging_complete=intent.bulk_complete if self._messages.bulk_complete else None,
        )

    def _current_demand(self, intent: Intent) -> Any:
        messages, limits = self._messages, self._messages.loop_limits
        headroom_a = messages.loop_current_headroom_a
        max_a = intent.target_current_a + headroom_a if headroom_a else self._profile.charging.max_current_a
        return self.schema.CurrentDemandReq(
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

    def _with_processing(self, body: Any, answer: Answer) -> Answer:
        return answer._replace(finished=body.evse_processing == self.schema.EvseProcessing.Finished)

    def _with_status(self, status: object, answer: Answer) -> Answer:
        """Status of a DC charger; an AC one does not belong into a DC session."""
        m = self.schema
        if not isinstance(status, m.DcEvseStatus):
            raise BadAnswer("no DC_EVSEStatus")
        told: Any = status
        state = _STATES.get(m.DcEvseStatusCode(told.evse_status_code).name, EvseState.NOT_READY)
        notification = told.evse_notification
        if state is not EvseState.EMERGENCY and notification == m.EvseNotification.StopCharging:
            state = EvseState.SHUTDOWN
        return answer._replace(
            state=state,
            isolation_valid=told.evse_isolation_status in (m.IsolationLevel.Valid, m.IsolationLevel.Warning),
            renegotiate=self.knows_pause and notification == m.EvseNotification.ReNegotiation,
        )

    def _read_parameters(self, body: Any, answer: Answer) -> Answer:
        parameters = body.evse_charge_parameter
        if not isinstance(parameters, self.schema.DcEvseChargeParameter):
            raise BadAnswer("no DC_EVSEChargeParameter")
        told: Any = parameters
        answer = self._with_status(told.dc_evse_status, self._with_processing(body, answer))
        return answer._replace(max_current_a=number(told.evse_maximum_current_limit))

    def _read_cable_check(self, body: Any, answer: Answer) -> Answer:
        return self._with_status(body.dc_evse_status, self._with_processing(body, answer))

    def _read_voltage(self, body: Any, answer: Answer) -> Answer:
        volts = number(body.evse_present_voltage)
        return self._with_status(body.dc_evse_status, answer)._replace(voltage_v=volts)

    def _read_power_delivery(self, body: Any, answer: Answer) -> Answer:
        return self._with_status(body.evse_status, answer)

    def _read_current_demand(self, body: Any, answer: Answer) -> Answer:
        return self._with_status(body.dc_evse_status, answer)._replace(
            voltage_v=number(body.evse_present_voltage),
            current_a=number(body.evse_present_current),
            max_current_a=maybe_number(body.evse_maximum_current_limit),
        )


def number(value: Any) -> float:
    """The number of a physical value."""
    return amount(value.multiplier, value.value)


def maybe_number(value: Any) -> float | None:
    """The number of an optional physical value."""
    return None if value is None else number(value)
