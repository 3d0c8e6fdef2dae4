"""A traction battery as the charger meets it: voltage over state of charge, and what it asks for. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Protocol, Self

Curve = tuple[tuple[float, float], ...]
"""Points (x, y) with rising x; between them straight lines, outside the end values."""

_WS_PER_WH = 3600.0


def interpolate(curve: Curve, x: float) -> float:
    """y of the curve at x."""
    index = bisect_right(curve, (x, float("inf")))
    if index == 0:
        return curve[0][1]
    if index == len(curve):
        return curve[-1][1]
    (x0, y0), (x1, y1) = curve[index - 1], curve[index]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryData:
    """What does not change; `voltage_curve`: OCV in V, `current_curve`: CC limit in A, both over SoC in %."""

    capacity_wh: float
    voltage_curve: Curve
    current_curve: Curve
    resistance_ohm: float
    max_voltage_v: float
    max_power_w: float
    charge_efficiency: float = 0.97  # stored per terminal energy, losses in the resistance apart


class HasBattery(Protocol):
    """A car profile, as far as its battery goes."""

    @property
    def battery(self) -> BatteryData:
        """Data of its battery."""


class Wanted:
    """Targets a battery asks for: CC below its voltage limit, then CV with falling current."""

    __slots__ = ("current_a", "voltage_v")

    def __init__(self, voltage_v: float, current_a: float) -> None:
        self.voltage_v = voltage_v
        self.current_a = current_a


class Battery:
    """State of charge and energy taken; time enters only as the length of a step."""

    def __init__(self, data: BatteryData, soc_percent: float) -> None:
        if not 0.0 <= soc_percent <= 100.0:
            raise ValueError(f"state of charge {soc_percent} is not between 0 and 100 %")
        self.data = data
        self.energy_wh = 0.0  # at the terminals since construction
        self._stored_wh = data.capacity_wh * soc_percent / 100.0

    @classmethod
    def of_profile(cls, profile: HasBattery, soc_percent: float, *, capacity_wh: float | None = None) -> Self:
        """The car's battery; a smaller `capacity_wh` makes sessions short, nothing else changes."""
        data = profile.battery
        return cls(data if capacity_wh is None else replace(data, capacity_wh=capacity_wh), soc_percent)

    @property
    def soc_percent(self) -> float:
        """State of charge, 0 to 100."""
        return 100.0 * self._stored_wh / self.data.capacity_wh

    @property
    def open_voltage_v(self) -> float:
        """Voltage without current."""
        return interpolate(self.data.voltage_curve, self.soc_percent)

    def voltage_at(self, current_a: float) -> float:
        """Terminal voltage while `current_a` flows in."""
        return self.open_voltage_v + current_a * self.data.resistance_ohm

    def current_at(self, voltage_v: float) -> float:
        """Current a stiff source of `voltage_v` would drive in; never negative, a charger has a diode."""
        return max(0.0, (voltage_v - self.open_voltage_v) / self.data.resistance_ohm)

    def wanted(self) -> Wanted:
        """Targets for the charger now."""
        current = min(
            interpolate(self.data.current_curve, self.soc_percent),
            self.data.max_power_w / max(self.open_voltage_v, 1.0),
            self.current_at(self.data.max_voltage_v),
        )
        return Wanted(self.data.max_voltage_v, current)

    def take(self, current_a: float, seconds: float) -> None:
        """Charge with `current_a` for `seconds`; what does not fit any more is lost as heat."""
        terminal_wh = self.voltage_at(current_a) * current_a * seconds / _WS_PER_WH
        stored_wh = self.open_voltage_v * current_a * seconds / _WS_PER_WH * self.data.charge_efficiency
        self.energy_wh += terminal_wh
        self._stored_wh = min(self.data.capacity_wh, self._stored_wh + stored_wh)

    def energy_to_wh(self, soc_percent: float) -> float:
        """Energy still to be stored up to `soc_percent`, 0 when beyond."""
        return max(0.0, self.data.capacity_wh * soc_percent / 100.0 - self._stored_wh)
