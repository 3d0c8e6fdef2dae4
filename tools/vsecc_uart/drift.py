"""How fast the MCU's clock runs against the observer's, from the ticks STATUS carries.

Queues only ever delay a STATUS. So within each stretch of time the one that seems least late tells the
clocks' distance best, and a line through these distances has the drift as its slope.
"""

from __future__ import annotations

from collections import deque

TICKS_PERIOD = 1 << 30
STRETCH_S = 2.0
# Twenty minutes of stretches; beyond, the oldest is forgotten.
STRETCHES_KEPT = 600
# Fewer say more about the line than about the clocks.
STRETCHES_NEEDED = 4
# A jump beyond this is another clock: the MCU restarted, or time was stepped.
JUMP_S = 0.5


class Drift:
    """Feed it every STATUS; `ppm` is positive when the MCU's clock is fast."""

    def __init__(self) -> None:
        self._ticks: int | None = None
        self._begin()

    def _begin(self) -> None:
        """Nothing is known yet, or not any more."""
        self._seconds = 0.0
        self._ticks_since = 0  # microseconds, unwrapped
        self._first: tuple[float, int] | None = None
        self._distances: deque[tuple[float, float]] = deque(maxlen=STRETCHES_KEPT)
        self._stretch = -1

    def status(self, ticks_us: int, at_s: float) -> None:
        """A STATUS made at this tick came."""
        if self._ticks is not None:
            passed = (ticks_us - self._ticks + TICKS_PERIOD // 2) % TICKS_PERIOD - TICKS_PERIOD // 2
            if abs(passed / 1e6 - (at_s - self._seconds)) > JUMP_S:
                self._begin()
            else:
                self._ticks_since += passed
        self._ticks, self._seconds = ticks_us, at_s
        if self._first is None:
            self._first = (at_s, self._ticks_since)
        self._sample(at_s - self._first[0], (self._ticks_since - self._first[1]) / 1e6)

    def _sample(self, host_s: float, mcu_s: float) -> None:
        late_s = host_s - mcu_s
        stretch = int(host_s // STRETCH_S)
        if stretch != self._stretch:
            self._stretch = stretch
            self._distances.append((host_s, late_s))
        elif late_s < self._distances[-1][1]:
            self._distances[-1] = (host_s, late_s)

    @property
    def span_s(self) -> float:
        """Time the figure is made of."""
        return self._distances[-1][0] - self._distances[0][0] if self._distances else 0.0

    @property
    def ppm(self) -> float | None:
        """Parts per million the MCU's clock is fast; None until there is enough to tell."""
        points = list(self._distances)
        if len(points) < STRETCHES_NEEDED:
            return None
        mean_at = sum(at for at, _ in points) / len(points)
        mean_late = sum(late for _, late in points) / len(points)
        spread = sum((at - mean_at) ** 2 for at, _ in points)
        slope = sum((at - mean_at) * (late - mean_late) for at, late in points) / spread if spread else 0.0
        return -slope * 1e6
