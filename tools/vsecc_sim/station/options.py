"""What a simulated station is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vsecc_sim.control_api import Refused

__all__ = ["Refused", "StationOptions", "outlet_urls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOptions:
    """Options of `vsecc sim station` and `vsecc demo`; `plc` is one endpoint URL per outlet.

    `capacity_wh` replaces the battery size of every car's profile: a small one makes a session short.
    """

    evses: int = 2
    seed: int = 1
    interpreter: str = "auto"
    state_dir: Path | None = None
    factory: Path | None = None
    config: Path | None = None
    plc: tuple[str, ...] = ()
    capacity_wh: float | None = None
    tls: bool = False  # ISO 15118-2 over TLS, with a PKI made for this run
    virtual_time: bool = False


def outlet_urls(outlets: int) -> tuple[str, ...]:
    """Endpoints of a simulated powerline's outlets, see vsecc_sim.plc.powerline."""
    return tuple(f"iface://plc{number}" for number in range(1, outlets + 1))
