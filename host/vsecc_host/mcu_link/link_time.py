"""Monotonic seconds of this host <-> the millisecond ticks in which the link machine thinks."""

from __future__ import annotations

from vsecc_link.ticks import MASK, diff


def ticks_of(now: float) -> int:
    """Ticks of a moment; they wrap."""
    return int(now * 1000) & MASK


def seconds_of(ticks: int, now: float) -> float:
    """The moment nearest to `now` with these ticks, half a millisecond late so that it is never early."""
    now_ms = int(now * 1000)
    return float(now_ms + diff(ticks, now_ms & MASK) + 0.5) / 1000
