"""Attenuation of a car as this outlet hears it: average per group, the own receive path taken off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsecc_host.slac.messages import GROUPS

# A modem that never measures: values that real cars matched with; only where no second charger is in earshot.
STAND_IN_DB = bytes([9] * 55 + [15, 19, 25])


@dataclass(frozen=True, slots=True)
class Attenuation:
    """What CM_ATTEN_CHAR.IND reports: average per carrier group in dB over `num_sounds` sounds."""

    num_sounds: int
    groups_db: tuple[int, ...]
    stand_in: bool = False

    @property
    def average_db(self) -> float:
        """Average over all groups, by which a car compares outlets; 0.0 without groups."""
        return sum(self.groups_db) / len(self.groups_db) if self.groups_db else 0.0


class Averaging:
    """Profiles of one sound window; its memory is one sum per group, however many arrive."""

    def __init__(self) -> None:
        self.sounds = 0
        self.unmeasured = 0
        self._sums: list[int] = []

    def add(self, groups_db: bytes) -> bool:
        """One sound as the modem heard it; False for a profile of another shape than the first."""
        if not groups_db:
            self.unmeasured += 1
            return True
        if not self._sums:
            self._sums = [0] * len(groups_db)
        if len(groups_db) != len(self._sums):
            return False
        self.sounds += 1
        self._sums = [total + group for total, group in zip(self._sums, groups_db, strict=True)]
        return True

    def result(self, offset_db: int | Sequence[int] = 0, stand_in_db: bytes = b"") -> Attenuation | None:
        """Average less the board's own loss (one or one per group), not below 0; None without a sound."""
        if self.sounds:
            offsets = [offset_db] * len(self._sums) if isinstance(offset_db, int) else list(offset_db)
            offsets += [0] * (len(self._sums) - len(offsets))
            groups = zip(self._sums, offsets, strict=False)
            return Attenuation(self.sounds, tuple(_level(total, self.sounds, off) for total, off in groups))
        if self.unmeasured and stand_in_db:
            return Attenuation(self.unmeasured, tuple(stand_in_db), stand_in=True)
        return None


def _level(total: int, sounds: int, offset_db: int) -> int:
    """Half-up rounding; a byte on the wire."""
    return min(255, max(0, (2 * total + sounds) // (2 * sounds) - offset_db))


assert len(STAND_IN_DB) == GROUPS
