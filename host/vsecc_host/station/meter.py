"""Energy that left an outlet, integrated from the measurements of the power electronics. Pure."""

from __future__ import annotations

from vsecc_host.station.values import PowerSnapshot

LONGEST_GAP_S = 5.0  # between two measurements; what flowed in a longer one is not known and not counted
_SECONDS_PER_H = 3600.0


class EnergyMeter:
    """`wh` only rises, from 0 at the start of the program; energy from a car back to us is not taken off."""

    def __init__(self) -> None:
        self.wh = 0.0
        self._last_at: float | None = None
        self._last_w = 0.0

    def measure(self, power: PowerSnapshot) -> None:
        """Count what flowed since the measurement before, as the mean of both."""
        power_w = max(0.0, power.voltage_v * power.current_a)
        if self._last_at is not None and 0.0 < power.at - self._last_at <= LONGEST_GAP_S:
            mean_w = (power_w + self._last_w) / 2.0
            self.wh += mean_w * (power.at - self._last_at) / _SECONDS_PER_H
        self._last_at, self._last_w = power.at, power_w
