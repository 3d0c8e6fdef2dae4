"""ISO 15118-2 as the car speaks it: what it has of its own beside `dc_dialect.py`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vsecc_host.v2g.exi import Protocol
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev.dc_dialect import DcDialect, maybe_number, number
from vsecc_sim.ev.profiles import NAMESPACES, Profile
from vsecc_sim.ev.values import Answer, BadAnswer, Intent, Schedule, Step, Wrong

_MOST_PROFILE_ENTRIES = 23  # 24 are allowed; some codecs code the end of a full list differently
_DC_MODES = (iso2.EnergyTransferMode.DC_core, iso2.EnergyTransferMode.DC_extended)


class Iso2Dialect(DcDialect):
    """Builds requests and reads responses for one profile."""

    name = "iso2"
    title = "ISO 15118-2"
    namespace = NAMESPACES["iso2"]
    slow_steps = frozenset({Step.SERVICE_DETAIL, Step.POWER_ON, Step.POWER_OFF, Step.RENEGOTIATE})
    knows_pause = True
    codec = Protocol.ISO2
    schema: ClassVar[Any] = iso2
    responses: ClassVar[Mapping[Step, type[Any]]] = {
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

    def __init__(self, profile: Profile, evccid: bytes) -> None:
        super().__init__(profile, evccid)
        progress = iso2.ChargeProgress
        self._builders |= {
            Step.SERVICE_DETAIL: lambda intent: iso2.ServiceDetailReq(intent.service_id),
            Step.PAYMENT_SELECTION: lambda intent: iso2.PaymentServiceSelectionReq(*self._selection(intent)),
            Step.AUTHORIZATION: lambda intent: iso2.AuthorizationReq(),
            Step.CHARGE_PARAMETERS: self._charge_parameters,
            Step.POWER_ON: lambda intent: self._power_delivery(intent, progress.Start),
            Step.RENEGOTIATE: lambda intent: self._power_delivery(intent, progress.Renegotiate),
            Step.POWER_OFF: lambda intent: self._power_delivery(intent, progress.Stop),
            Step.SESSION_STOP: self._session_stop,
        }
        self._readers |= {
            Step.SERVICE_DISCOVERY: self._read_services,
            Step.RENEGOTIATE: self._read_power_delivery,
        }

    # --- requests --------------------------------------------------------------------------------------

    def _charge_parameters(self, intent: Intent) -> iso2.ChargeParameterDiscoveryReq:
        messages = self._messages
        modes = iso2.EnergyTransferMode
        mode = modes.AC_three_phase_core if intent.wrong is Wrong.MODE else modes.DC_extended
        if intent.wrong is Wrong.PARAMETERS:
            return iso2.ChargeParameterDiscoveryReq(mode, self._of_an_ac_car())
        parameters = self._parameters(intent, departure_time=messages.departure_s or None)
        return iso2.ChargeParameterDiscoveryReq(mode, parameters, messages.max_schedules or None)

    def _power_delivery(self, intent: Intent, progress: iso2.ChargeProgress) -> iso2.PowerDeliveryReq:
        starts = progress is iso2.ChargeProgress.Start
        return iso2.PowerDeliveryReq(
            progress,
            intent.schedule_id,
            charging_profile=self._plan(intent) if starts and self._messages.charging_profile else None,
            ev_power_delivery_parameter=self._delivery(intent),
        )

    def _plan(self, intent: Intent) -> iso2.ChargingProfile | None:
        entries = [
            iso2.ProfileEntry(int(start_s), self._watts(power_w))
            for start_s, power_w in intent.plan[:_MOST_PROFILE_ENTRIES]
        ]
        return iso2.ChargingProfile(tuple(entries)) if entries else None

    def _session_stop(self, intent: Intent) -> iso2.SessionStopReq:
        pauses = intent.pause or intent.wrong is Wrong.PAUSE
        kind = iso2.ChargingSession.Pause if pauses else iso2.ChargingSession.Terminate
        return iso2.SessionStopReq(kind)

    # --- responses -------------------------------------------------------------------------------------

    def _with_processing(self, body: Any, answer: Answer) -> Answer:
        customer = iso2.EvseProcessing.Ongoing_WaitingForCustomerInteraction
        answer = super()._with_processing(body, answer)
        return answer._replace(for_customer=body.evse_processing == customer)

    def _read_services(self, body: iso2.ServiceDiscoveryRes, answer: Answer) -> Answer:
        paid = iso2.PaymentOption.ExternalPayment in body.payment_option_list.payment_option
        modes = body.charge_service.supported_energy_transfer_mode.energy_transfer_mode
        extra = body.service_list.service if body.service_list else ()
        return answer._replace(
            suitable=paid and any(mode in _DC_MODES for mode in modes),
            services=tuple(service.service_id for service in extra),
        )

    def _read_parameters(self, body: iso2.ChargeParameterDiscoveryRes, answer: Answer) -> Answer:
        answer = super()._read_parameters(body, answer)
        schedules = _schedules(body.sa_schedules)
        if answer.finished and not schedules:
            raise BadAnswer("finished without SAScheduleList")
        told: Any = body.evse_charge_parameter
        return answer._replace(max_power_w=number(told.evse_maximum_power_limit), schedules=schedules)

    def _read_current_demand(self, body: iso2.CurrentDemandRes, answer: Answer) -> Answer:
        answer = super()._read_current_demand(body, answer)
        return answer._replace(max_power_w=maybe_number(body.evse_maximum_power_limit))


def _schedules(told: iso2.SaScheduleList | None) -> tuple[Schedule, ...]:
    found = []
    for one in told.sa_schedule_tuple if told else ():
        entries = [
            (float(entry.time_interval.start), number(entry.pmax))
            for entry in one.pmax_schedule.pmax_schedule_entry
        ]
        found.append(Schedule(one.sa_schedule_tuple_id, tuple(sorted(entries))))
    return tuple(found)
