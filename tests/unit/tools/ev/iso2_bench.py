"""The bench with a car and a charger that speak ISO 15118-2."""

from __future__ import annotations

from typing import Any

from unit.tools.ev.bench import Bench
from unit.tools.ev.charger_iso2 import Iso2PaperCharger

from vsecc_host.v2g.exi import iso15118_2 as iso2

SETUP = [
    "SupportedAppProtocolReq",
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "PaymentServiceSelectionReq",
    "AuthorizationReq",
]
TO_POWER = ["ChargeParameterDiscoveryReq", "CableCheckReq", "PreChargeReq", "PowerDeliveryReq"]
ENDING = ["PowerDeliveryReq", "WeldingDetectionReq", "SessionStopReq"]
NORMAL = [*SETUP, *TO_POWER, "CurrentDemandReq", *ENDING]


class Iso2Bench(Bench):
    """A car and a charger that speak ISO 15118-2."""

    charger: Iso2PaperCharger

    def __init__(self, profile: str = "iso2", **more: Any) -> None:
        super().__init__(profile, charger=Iso2PaperCharger, **more)

    def progress(self) -> list[iso2.ChargeProgress]:
        """ChargeProgress of every PowerDeliveryReq."""
        return [request.charge_progress for request in self.charger.bodies(iso2.PowerDeliveryReq)]

    def time_of(self, kind: type[Any], nth: int = 0) -> float:
        """When the nth request of a kind was sent."""
        times = [
            at
            for (at, _), request in zip(self.sent, self.charger.requests, strict=True)
            if isinstance(getattr(request, "body", None), kind)
        ]
        return times[nth]
