"""DIN SPEC 70121 as the car speaks it: what it has of its own beside `dc_dialect.py`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vsecc_host.v2g.exi import Protocol
from vsecc_host.v2g.exi import din70121 as din
from vsecc_sim.ev.dc_dialect import DcDialect
from vsecc_sim.ev.profiles import NAMESPACES, Profile
from vsecc_sim.ev.values import Answer, Intent, Step, Wrong


class DinDialect(DcDialect):
    """Builds requests and reads responses for one profile."""

    name = "din"
    title = "DIN SPEC 70121"
    namespace = NAMESPACES["din"]
    slow_steps = frozenset[Step]()
    knows_pause = False
    codec = Protocol.DIN
    schema: ClassVar[Any] = din
    responses: ClassVar[Mapping[Step, type[Any]]] = {
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

    def __init__(self, profile: Profile, evccid: bytes) -> None:
        super().__init__(profile, evccid)
        self._builders |= {
            Step.PAYMENT_SELECTION: lambda intent: din.ServicePaymentSelectionReq(*self._selection(intent)),
            Step.AUTHORIZATION: lambda intent: din.ContractAuthenticationReq(),
            Step.CHARGE_PARAMETERS: self._charge_parameters,
            Step.POWER_ON: lambda intent: self._power_delivery(intent, True),
            Step.POWER_OFF: lambda intent: self._power_delivery(intent, False),
            Step.SESSION_STOP: lambda intent: din.SessionStopReq(),
        }
        self._readers[Step.SERVICE_DISCOVERY] = self._read_services

    def _status(self, intent: Intent, **more: Any) -> Any:
        conditioning = False if self._messages.conditioning else None
        return super()._status(intent, ev_cabin_conditioning=conditioning, ev_ress_conditioning=conditioning)

    def _charge_parameters(self, intent: Intent) -> din.ChargeParameterDiscoveryReq:
        modes = din.EvRequestedEnergyTransferType
        mode = modes.AC_three_phase_core if intent.wrong is Wrong.MODE else modes.DC_extended
        of_ac = intent.wrong is Wrong.PARAMETERS
        parameters = self._of_an_ac_car(departure_time=0) if of_ac else self._parameters(intent)
        return din.ChargeParameterDiscoveryReq(mode, parameters)

    def _power_delivery(self, intent: Intent, on: bool) -> din.PowerDeliveryReq:
        return din.PowerDeliveryReq(on, ev_power_delivery_parameter=self._delivery(intent))

    def _read_services(self, body: din.ServiceDiscoveryRes, answer: Answer) -> Answer:
        paid = din.PaymentOption.ExternalPayment in body.payment_options.payment_option
        dc = "DC" in din.EvseSupportedEnergyTransferType(body.charge_service.energy_transfer_type).name
        return answer._replace(suitable=paid and dc)
