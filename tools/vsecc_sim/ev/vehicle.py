"""Battery, contactor and measurements of the simulated car, with or without a simulated DC bus. Pure."""

from __future__ import annotations

from vsecc_sim.ev.values import View
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import CLOSING_STEP_V, LOAD_BREAK_A, DcBus

_LONGEST_STEP_S = 5.0  # between two reports; a longer gap carries no energy


class Vehicle:
    """With a bus the car measures; without, it believes what the charger reports."""

    def __init__(self, battery: Battery, bus: DcBus | None) -> None:
        self.battery = battery
        self._bus = bus
        self._closed = False
        self._voltage_v = 0.0
        self._current_a = 0.0
        self._reported_at: float | None = None
        if bus is not None:
            bus.connect(battery)

    def view(self) -> View:
        """Measurements and wishes now."""
        battery, bus = self.battery, self._bus
        wanted = battery.wanted()
        return View(
            inlet_voltage_v=self._voltage_v if bus is None else bus.inlet_voltage_v,
            current_a=self._current_a if bus is None else bus.current_a,
            battery_voltage_v=battery.open_voltage_v,
            soc_percent=battery.soc_percent,
            wanted_voltage_v=wanted.voltage_v,
            wanted_current_a=wanted.current_a,
        )

    def switch(self, closed: bool) -> None:
        """EV contactor."""
        self._closed = closed
        self._reported_at = None
        if not closed:
            self._current_a = 0.0
        if self._bus is not None and closed:
            self._bus.close_contactor()
        elif self._bus is not None:
            self._bus.open_contactor()

    def reported(self, voltage_v: float, current_a: float | None, at: float) -> None:
        """Present values of the charger; without a bus they are the truth."""
        if self._bus is not None:
            return
        if self._closed and self._reported_at is not None:
            elapsed_s = at - self._reported_at
            self.battery.take(self._current_a, elapsed_s if elapsed_s <= _LONGEST_STEP_S else 0.0)
        self._voltage_v = voltage_v
        self._current_a = max(0.0, current_a or 0.0) if self._closed else 0.0
        self._reported_at = at

    def unplug(self) -> None:
        """Cable out."""
        self._closed = False
        self._current_a = 0.0
        if self._bus is not None:
            self._bus.disconnect()

    def complaints(self) -> list[str]:
        """How the charger treated the contactor, where that was wrong."""
        if self._bus is None:
            return []
        facts, found = self._bus.facts, []
        if facts.worst_closing_step_v > CLOSING_STEP_V:
            found.append(f"contactor closed at {facts.worst_closing_step_v:.0f} V difference")
        if facts.worst_opening_a > LOAD_BREAK_A:
            found.append(f"contactor opened at {facts.worst_opening_a:.0f} A")
        return found
