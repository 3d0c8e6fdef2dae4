"""Settings of one outlet's V2G service."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

NEVER_OVER_TLS = frozenset({"din"})  # DIN SPEC 70121 knows no TLS


class TlsPolicy(Enum):
    """How much TLS: none, for the car that asks for it, or for every car."""

    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Policy, the certificate chain (leaf first, PEM) and the private key of the leaf."""

    policy: TlsPolicy = TlsPolicy.OFF
    chain: Path = Path()
    key: Path = Path()


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gConfig:
    """`endpoint` is `sim://` or `iface://NAME`; `protocols` are offered without order: the EV decides."""

    endpoint: str = "sim://"
    protocols: tuple[str, ...] = ("din", "iso2")
    tls: TlsConfig = field(default_factory=TlsConfig)
    din_charging_mode: str = "DC_extended"  # or DC_core, offered to DIN cars
    renegotiate_share: float = 0.0  # change of the power limit that makes us ask for renegotiation; 0: never
    refuse_profile: bool = (
        False  # ISO 15118-2: FAILED_ChargingProfileInvalid for one above the offered schedule
    )

    def offered(self, *, tls: bool) -> tuple[str, ...]:
        """Protocols of a connection with or without TLS."""
        if tls:
            return tuple(name for name in self.protocols if name not in NEVER_OVER_TLS)
        return () if self.tls.policy is TlsPolicy.REQUIRE else self.protocols
