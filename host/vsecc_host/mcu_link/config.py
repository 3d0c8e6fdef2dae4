"""What the MCU link needs to know of the configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class McuLinkConfig:
    """`url` as in vsecc_host.transport; `allowed_images`: hex SHA-256 of MCU images to charge with (S8)."""

    url: str
    allowed_images: frozenset[str] | None = None  # None: any image (development)
    host_version: str = ""
