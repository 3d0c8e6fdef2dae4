"""Settings of one outlet's V2G service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gConfig:
    """`endpoint` is `sim://` or `iface://NAME`; `protocols` are offered without order: the EV decides."""

    endpoint: str = "sim://"
    protocols: tuple[str, ...] = ("din",)
    interface_wait_s: float = 10.0  # for the link-local address of a modem that comes up with us
