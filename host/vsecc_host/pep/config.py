"""How one outlet's power electronics are reached and how much of their word is taken."""

from __future__ import annotations

from dataclasses import dataclass

from vsecc_host.pep.times import RECONNECT_INTERVAL_S
from vsecc_host.pep.versions import DEFAULT_VERSION, PepVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class PepConfig:
    """`version` None offers all; `http(s)` in `uri` is read as `ws(s)`."""

    uri: str = "http://localhost:8080/PowerElectronics"
    version: PepVersion | None = DEFAULT_VERSION
    require_subprotocol: bool = False  # refuse a PECC that chooses none
    accept_no_imd: bool = False  # take noImd for valid
    reconnect_s: float = RECONNECT_INTERVAL_S
    handshake_s: float = 5.0  # TCP and upgrade together
