"""Relation of the MCU's microsecond ticks (wrap at 2^30) to the host's monotonic seconds.

A GRANT leaves the host at t1 with a stamp; the MCU notes its tick g when it took it; a STATUS made at tick s
tells both and arrives at t2. The time on the wires is (t2 - t1) - (s - g), and g was between t1 and t1 plus
that time. The sample with the shortest time on the wires among the newest is the best: queueing only ever
adds to it.
"""

from __future__ import annotations

from collections import deque

TICKS_PERIOD = 1 << 30
_HALF = TICKS_PERIOD >> 1

# Samples compared: a new one every 100 ms, so the best is at most about 6 s old; crystals apart by 100 ppm
# make that 0.6 ms.
WINDOW = 64
# A new sample that contradicts the relation by more means that one of the clocks was stepped or halted.
SLACK_S = 0.002
# Grants whose answer may still come.
STAMPS_KEPT = 16


def ticks_diff(later: int, earlier: int) -> int:
    """Signed distance of two ticks in microseconds, right within 8.9 minutes."""
    return (later - earlier + _HALF) % TICKS_PERIOD - _HALF


class ClockRelation:
    """Learns from grants and statuses; before the first sample every event counts as just received."""

    def __init__(self) -> None:
        self._sent: dict[int, float] = {}
        self._answered: int | None = None
        self._samples: deque[tuple[float, float, int]] = deque(maxlen=WINDOW)
        self._best: tuple[float, float, int] | None = None

    @property
    def uncertainty_s(self) -> float | None:
        """Half the shortest time on the wires: no event is mapped further off than this (drift apart)."""
        return self._best[0] / 2 if self._best else None

    def granted(self, stamp: int, at: float) -> None:
        """A GRANT with this stamp is being written."""
        self._sent[stamp] = at
        while len(self._sent) > STAMPS_KEPT:
            del self._sent[next(iter(self._sent))]

    def status(self, *, ticks_us: int, grant_stamp: int, grant_ticks_us: int, now: float) -> None:
        """A STATUS arrived; only the first one answering a grant says something new."""
        sent_at = self._sent.get(grant_stamp)
        if sent_at is None or grant_stamp == self._answered:
            return
        held_s = ticks_diff(ticks_us, grant_ticks_us) / 1e6
        on_wires_s = (now - sent_at) - held_s
        if held_s < 0 or on_wires_s < 0:  # an old stamp of the same number, or a clock that jumped
            return
        self._answered = grant_stamp
        if self._best is not None:
            surplus_s = self._map(grant_ticks_us, self._best) - sent_at
            if not -SLACK_S <= surplus_s <= on_wires_s + SLACK_S:
                self._samples.clear()
        self._samples.append((on_wires_s, sent_at + on_wires_s / 2, grant_ticks_us))
        self._best = min(self._samples)

    def host_time(self, ticks_us: int, now: float) -> float:
        """Monotonic seconds of an MCU tick, never later than `now`."""
        if self._best is None:
            return now
        return min(now, self._map(ticks_us, self._best))

    @staticmethod
    def _map(ticks_us: int, sample: tuple[float, float, int]) -> float:
        _, at, reference = sample
        return at + ticks_diff(ticks_us, reference) / 1e6
