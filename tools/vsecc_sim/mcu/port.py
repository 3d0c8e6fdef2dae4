"""One pilot port of the board: the driver's latch, the line, and what a measurement of it sees over time."""

from __future__ import annotations

from collections.abc import Callable

from vsecc_sim.mcu.trace import Trace
from vsecc_sim.plant.pilot import PERIOD_US, PilotLine, ProximityLine, unit_noise

_NOISE_VALUES = 1024
# After this many time constants an edge is below one step of a 12-bit converter.
_SETTLED = 9.0
# Without a converter in the loop, 100 samples a period are assumed.
_SAMPLES = 100


class PilotPort:
    """Drive in permille (0 steady -12 V, 1000 steady +12 V), latched where a pilot period ends."""

    def __init__(self, number: int, trace: Trace, *, seed: int = 0) -> None:
        """Steady -12 V, as the pins stand after a reset."""
        self.number = number
        self.line = PilotLine(seed=seed * 7 + number)
        self.proximity = ProximityLine()
        self.period_us = PERIOD_US
        self.rose_us = 0  # a moment at which the driver's counter was 0: periods begin there
        self.duty_permille = 0
        self._trace = trace
        self._pending: int | None = None
        self._latch_us = 0
        self._changed_us = -10 * PERIOD_US
        self._before: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._noise: list[float] = []
        self.before_change: list[Callable[[int], None]] = []

    def drive(self, duty_permille: int, now_us: int) -> None:
        """Asks for a level or a duty cycle; it acts from the next period on."""
        self._pending = duty_permille if duty_permille != self.duty_permille else None
        if self._pending is not None:
            self._latch_us = now_us - self.phase_us(now_us) + self.period_us

    def phase_us(self, now_us: int) -> int:
        """Time since the driver's counter was 0."""
        return (now_us - self.rose_us) % self.period_us

    def restart(self, now_us: int) -> None:
        """The driver's counter is 0 now; what the line showed until now stays as it was."""
        if self.phase_us(now_us):
            self.touch(now_us)
            self.rose_us = now_us

    def next_us(self) -> int | None:
        """When a pending drive is latched."""
        return None if self._pending is None else self._latch_us

    def advance(self, now_us: int) -> None:
        """Latches what is due."""
        if self._pending is not None and self._latch_us <= now_us:
            self.touch(self._latch_us)
            self.duty_permille, self._pending = self._pending, None
            self._trace.add(self._latch_us, f"pilot{self.number}.duty", self.duty_permille)

    def reset(self, now_us: int) -> None:
        """The driving pin falls low at once."""
        self._pending = None
        if self.duty_permille:
            self.touch(now_us)
            self.duty_permille = 0
            self._trace.add(now_us, f"pilot{self.number}.duty", 0)

    def touch(self, now_us: int) -> None:
        """Called before anything about the line changes: the newest whole period stays what it was."""
        for listener in self.before_change:
            listener(now_us)
        self._before = self._plateaus(now_us)
        self._changed_us = now_us

    def levels(self, now_us: int) -> tuple[int, int, int, int]:
        """The newest whole period: high mV, low mV, samples high, samples low."""
        start_us = now_us - self.phase_us(now_us) - self.period_us
        # A period in which something changed is read as the state that held for most of it.
        if start_us + self.period_us // 2 < self._changed_us:
            return self._before
        return self._plateaus(now_us)

    def measured_period_us(self) -> int:
        """Distance of two rising edges, 0 while the line is steady."""
        steady = not 0 < self.duty_permille < 1000
        line = self.line
        return 0 if steady or line.plateau_mv(True) - line.plateau_mv(False) < 1000 else self.period_us

    def _plateaus(self, now_us: int) -> tuple[int, int, int, int]:
        # The grid drifts against the pilot: counts of many periods average to the exact duty.
        period, duty = now_us // self.period_us, self.duty_permille
        high = duty * _SAMPLES * (period + 1) // 1000 - duty * _SAMPLES * period // 1000
        low = _SAMPLES - high
        high_mv = self.line.measured_mv(True, now_us, high) if high else 0
        low_mv = self.line.measured_mv(False, now_us, low) if low else 0
        return self._sorted_by_level(high_mv, low_mv, high, low)

    def _sorted_by_level(self, high_mv: int, low_mv: int, high: int, low: int) -> tuple[int, int, int, int]:
        """A converter tells the sides by their level alone: a line stuck on one side has only that side."""
        if high and low and min(high_mv, low_mv) > -1700:
            return (high_mv * high + low_mv * low) // (high + low), 0, high + low, 0
        if high and low and max(high_mv, low_mv) <= -1700:
            return 0, (high_mv * high + low_mv * low) // (high + low), 0, high + low
        if high and not low and high_mv <= -1700:
            return 0, high_mv, 0, high
        if low and not high and low_mv > -1700:
            return low_mv, 0, low, 0
        return high_mv, low_mv, high, low

    def readings_mv(self, first_ns: int, step_ns: int, count: int) -> list[tuple[int, int]]:
        """Converter readings at regular moments as (how many, mV); the line does not change meanwhile."""
        out: list[tuple[int, int]] = []
        if not 0 < self.duty_permille < 1000:
            out.append((count, round(self.line.plateau_mv(self.duty_permille > 0))))
        else:
            index = 0
            while index < count:
                index += self._segment(out, first_ns + index * step_ns, step_ns, count - index)
        return self._with_noise(out, first_ns // step_ns) if self.line.noise_mv else out

    def _segment(self, out: list[tuple[int, int]], at_ns: int, step_ns: int, most: int) -> int:
        """Appends the readings up to the next edge of the drive; how many they are."""
        period_ns = self.period_us * 1000
        high_ns = period_ns * self.duty_permille // 1000
        phase_ns = (at_ns - self.rose_us * 1000) % period_ns
        positive = phase_ns < high_ns
        begin_ns, end_ns = (0, high_ns) if positive else (high_ns, period_ns)
        count = min(most, -((phase_ns - end_ns) // step_ns))
        settled_ns = begin_ns + int(_SETTLED * 1000 * self.line.time_constant_us(positive))
        edge = min(count, max(0, -((phase_ns - settled_ns) // step_ns)))
        for index in range(edge):
            phase_us = (phase_ns + index * step_ns) / 1000
            out.append((1, round(self.line.voltage_mv(phase_us, self.duty_permille, self.period_us))))
        if count > edge:
            out.append((count - edge, round(self.line.plateau_mv(positive))))
        return count

    def _with_noise(self, clean: list[tuple[int, int]], moment: int) -> list[tuple[int, int]]:
        if not self._noise:
            self._noise = [unit_noise(self.line.seed, index) for index in range(_NOISE_VALUES)]
        noise, scale = self._noise, self.line.noise_mv
        out = []
        for count, value in clean:
            for index in range(moment, moment + count):
                out.append((1, value + round(noise[index % _NOISE_VALUES] * scale)))
            moment += count
        return out
