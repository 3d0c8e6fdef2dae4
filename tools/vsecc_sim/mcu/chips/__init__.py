"""Models of the chips on the SPI bus, written from their data sheets and knowing nothing of the drivers."""

from __future__ import annotations

from typing import Protocol


class SpiChip(Protocol):
    """One chip behind a select line."""

    def transfer(self, mosi: bytes, at_us: int) -> bytes | None:
        """One conversation, select low to select high; None when this chip leaves MISO alone."""
        ...
