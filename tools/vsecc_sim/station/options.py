"""What a simulated station is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vsecc_sim.control_api import Refused

__all__ = ["PECC_INSIDE", "PECC_SIMULATOR", "Refused", "StationOptions", "outlet_urls", "power_urls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOptions:
    """Options of `vsecc sim station` and `vsecc demo`; `plc` and `pecc` are one endpoint URL per outlet.

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
    pecc: tuple[str, ...] = ()  # see power_urls; outlets without one have theirs inside the host
    pep_version: str | None = None  # "1.2" to "1.8" or "auto"; None: as the settings say
    pecc_scenario: Path | None = None  # of the PECC simulator behind PECC_SIMULATOR


PECC_INSIDE = "sim://"  # power electronics simulated inside the host
PECC_SIMULATOR = "sim://pep"  # the PECC simulator of this process, over a WebSocket


def power_urls(given: tuple[str, ...], outlets: int) -> dict[int, str]:
    """Outlet -> where its power electronics are; `{evse}` in a URL is the number, one such URL serves all."""
    if len(given) > outlets:
        raise Refused(f"{len(given)} PECC URLs for {outlets} outlets")
    urls = {number: PECC_INSIDE for number in range(1, outlets + 1)}
    for number in urls:
        shared = len(given) == 1 and (given[0].startswith(PECC_INSIDE) or "{evse}" in given[0])
        if shared or number <= len(given):
            urls[number] = given[0 if shared else number - 1].replace("{evse}", str(number))
    for url in urls.values():
        if url not in (PECC_INSIDE, PECC_SIMULATOR) and urlsplit(url).scheme not in ("ws", "http"):
            raise Refused(
                f"no PECC URL: {url}; there are {PECC_INSIDE}, {PECC_SIMULATOR} and ws://HOST:PORT/PATH"
            )
    return urls


def outlet_urls(outlets: int) -> tuple[str, ...]:
    """Endpoints of a simulated powerline's outlets, see vsecc_sim.plc.powerline."""
    return tuple(f"iface://plc{number}" for number in range(1, outlets + 1))
