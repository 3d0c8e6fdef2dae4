"""Settings of one outlet's V2G service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gConfig:
    """`endpoint` is `sim://` or `iface://NAME`; `protocols` are offered without order: the EV decides."""

    endpoint: str = "sim://"
    protocols: tuple[str, ...] = ("din",)
