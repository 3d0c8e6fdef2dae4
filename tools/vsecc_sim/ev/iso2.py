"""ISO 15118-2 as the car speaks it, DC with external identification: intents to requests. Pure.

Sibling of `din.py`; its other half, responses to answers, is `iso2_answers.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev import iso2_answers
from vsecc_sim.ev.dialect import ONLY_CHARGING, SERVICES, whole
from vsecc_sim.ev.profiles import NAMESPACES, Messages, Profile
from vsecc_sim.ev.values import Answer, Intent, Step, Wrong

_MOST_PROFILE_ENTRIES = 23  # 24 are allowed; some codecs code the end of a full list differently
_TIME_STEP_S = 60.0  # cars tell the remaining time in whole minutes


class Iso2Dialect:
    """Builds requests and reads responses for one profile."""

    name = "iso2"
    title = "ISO 15118-2"
    namespace = NAMESPACES["iso2"]
    slow_steps = frozenset({Step.SERVICE_DETAIL, Step.POWER_ON, Step.POWER_OFF, Step.RENEGOTIATE})
    knows_pause = True

    def __init__(self, profile: Profile, evccid: bytes) -> None:
        self._profile = profile
        self._evccid = evccid
        progress = iso2.ChargeProgress
        self._builders: dict[Step, Callable[[Intent], Any]] = {
            Step.SESSION_SETUP: lambda intent: iso2.SessionSetupReq(self._evccid),
            Step.SERVICE_DISCOVERY: self._service_discovery,
            Step.SERVICE_DETAIL: lambda intent: iso2.ServiceDetailReq(intent.service_id),
            Step.PAYMENT_SELECTION: self._payment_selection,
            Step.AUTHORIZATION: lambda intent: iso2.AuthorizationReq(),
            Step.CHARGE_PARAMETERS: self._charge_parameters,
            Step.CABLE_CHECK: lambda intent: iso2.CableCheckReq(self._status(intent)),
            Step.PRE_CHARGE: self._pre_charge,
            Step.POWER_ON: lambda intent: self._power_delivery(intent, progress.Start),
            Step.CURRENT_DEMAND: self._current_demand,
            Step.RENEGOTIATE: lambda intent: self._power_delivery(intent, progress.Renegotiate),
            Step.POWER_OFF: lambda intent: self._power_delivery(intent, progress.Stop),
            Step.WELDING_DETECTION: lambda intent: iso2.WeldingDetectionReq(self._status(intent)),
            Step.SESSION_STOP: self._session_stop,
        }

    def request(self, step: Step, intent: Intent) -> bytes:
        """EXI of the request of `step`."""
        header = iso2.MessageHeader(intent.session_id)
        return encode(Protocol.ISO2, iso2.V2gMessage(header, self._builders[step](intent)))

    def answer(self, step: Step, payload: bytes) -> Answer:
        """The response to `step`; BadAnswer when the bytes or the message are not that."""
        return iso2_answers.read(step, payload)

    # --- values ----------------------------------------------------------------------------------------

    @property
    def _messages(self) -> Messages:
        return self._profile.messages

    def _volts(self, value: float) -> iso2.PhysicalValue:
        return _physical(value, self._profile.multipliers.target_voltage, iso2.UnitSymbol.V)

    def _amperes(self, value: float) -> iso2.PhysicalValue:
        return _physical(value, self._profile.multipliers.target_current, iso2.UnitSymbol.A)

    def _max_voltage(self) -> iso2.PhysicalValue:
        value = self._profile.charging.max_voltage_v
        return _physical(value, self._profile.multipliers.max_voltage, iso2.UnitSymbol.V)

    def _max_current(self, value: float) -> iso2.PhysicalValue:
        return _physical(value, self._profile.multipliers.max_current, iso2.UnitSymbol.A)

    def _power(self, value: float) -> iso2.PhysicalValue:
        return _physical(value, self._profile.multipliers.max_power, iso2.UnitSymbol.W)

    def _max_power(self) -> iso2.PhysicalValue | None:
        return self._power(self._messages.max_power_w) if self._messages.max_power_w else None

    def _energy(self, value: float) -> iso2.PhysicalValue:
        return _physical(value, self._profile.multipliers.energy, iso2.UnitSymbol.Wh)

    def _seconds(self, value: float, sent: bool) -> iso2.PhysicalValue | None:
        if not sent:
            return None
        rounded = round(value / _TIME_STEP_S) * _TIME_STEP_S
        return _physical(rounded, self._profile.multipliers.time, iso2.UnitSymbol.s)

    def _status(self, intent: Intent) -> iso2.DcEvStatus:
        soc = max(0, min(100, int(intent.soc_percent)))
        return iso2.DcEvStatus(intent.ready, iso2.DcEvErrorCode[intent.error], soc)

    # --- requests --------------------------------------------------------------------------------------

    def _service_discovery(self, intent: Intent) -> iso2.ServiceDiscoveryReq:
        category = iso2.ServiceCategory.EVCharging if self._messages.service_category else None
        return iso2.ServiceDiscoveryReq(service_category=category)

    def _payment_selection(self, intent: Intent) -> iso2.PaymentServiceSelectionReq:
        services = tuple(iso2.SelectedService(number) for number in SERVICES.get(intent.wrong, ONLY_CHARGING))
        by_contract = intent.wrong is Wrong.PAYMENT
        payment = iso2.PaymentOption.Contract if by_contract else iso2.PaymentOption.ExternalPayment
        return iso2.PaymentServiceSelectionReq(payment, iso2.SelectedServiceList(services))

    def _charge_parameters(self, intent: Intent) -> iso2.ChargeParameterDiscoveryReq:
        messages = self._messages
        if intent.wrong is Wrong.PARAMETERS:
            ac = iso2.AcEvChargeParameter(
                self._energy(1.0), self._volts(400.0), self._amperes(16.0), self._amperes(6.0)
            )
            return iso2.ChargeParameterDiscoveryReq(iso2.EnergyTransferMode.DC_extended, ac)
        capacity_wh = messages.energy_capacity_wh
        missing_wh = capacity_wh * (100.0 - intent.soc_percent) / 100.0
        parameters = iso2.DcEvChargeParameter(
            dc_ev_status=self._status(intent),
            ev_maximum_current_limit=self._max_current(self._profile.charging.max_current_a),
            ev_maximum_voltage_limit=self._max_voltage(),
            departure_time=messages.departure_s or None,
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
        modes = iso2.EnergyTransferMode
        mode = modes.AC_three_phase_core if intent.wrong is Wrong.MODE else modes.DC_extended
        return iso2.ChargeParameterDiscoveryReq(mode, parameters, messages.max_schedules or None)

    def _pre_charge(self, intent: Intent) -> iso2.PreChargeReq:
        return iso2.PreChargeReq(
            self._status(intent),
            ev_target_voltage=self._volts(intent.target_voltage_v),
            ev_target_current=self._amperes(intent.target_current_a),
        )

    def _power_delivery(self, intent: Intent, progress: iso2.ChargeProgress) -> iso2.PowerDeliveryReq:
        parameter = iso2.DcEvPowerDeliveryParameter(
            self._status(intent),
            charging_complete=intent.complete,
            bulk_charging_complete=intent.bulk_complete if self._messages.bulk_complete else None,
        )
        starts = progress is iso2.ChargeProgress.Start
        return iso2.PowerDeliveryReq(
            progress,
            intent.schedule_id,
            charging_profile=self._plan(intent) if starts and self._messages.charging_profile else None,
            ev_power_delivery_parameter=parameter,
        )

    def _plan(self, intent: Intent) -> iso2.ChargingProfile | None:
        entries = [
            iso2.ProfileEntry(int(start_s), self._power(power_w))
            for start_s, power_w in intent.plan[:_MOST_PROFILE_ENTRIES]
        ]
        return iso2.ChargingProfile(tuple(entries)) if entries else None

    def _current_demand(self, intent: Intent) -> iso2.CurrentDemandReq:
        messages, limits = self._messages, self._messages.loop_limits
        headroom_a = messages.loop_current_headroom_a
        max_a = intent.target_current_a + headroom_a if headroom_a else self._profile.charging.max_current_a
        return iso2.CurrentDemandReq(
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

    def _session_stop(self, intent: Intent) -> iso2.SessionStopReq:
        pauses = intent.pause or intent.wrong is Wrong.PAUSE
        kind = iso2.ChargingSession.Pause if pauses else iso2.ChargingSession.Terminate
        return iso2.SessionStopReq(kind)


def _physical(value: float, multiplier: int, unit: iso2.UnitSymbol) -> iso2.PhysicalValue:
    return iso2.PhysicalValue(multiplier, unit, whole(value, multiplier))
