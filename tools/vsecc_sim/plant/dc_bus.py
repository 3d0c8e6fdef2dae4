"""The DC side of one outlet: charger output, cable, EV contactor, battery. Pure, moved by `apply`.

Whoever simulates power electronics calls `apply` often; the EV reads its inlet and switches its contactor in
between.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from vsecc_sim.plant.battery import Battery

_CABLE_FARAD = 2e-6  # Y capacitors and cable: enough to hold a voltage, charged within one step by 1 A
_BLEED_OHM = 50_000.0  # discharges the open cable: 60 V from 500 V after 0.2 s
_IDLE_A = 2.0  # a car outside takes no current during cable check and pre-charge
_MAX_STEP_S = 1.0  # the battery's voltage moves little within it
LOAD_BREAK_A = 5.0  # opening above this current wears contactors
CLOSING_STEP_V = 20.0  # largest difference at which an EV may close, IEC 61851-23


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFacts:
    """What a test wants to know afterwards: how the contactor was treated."""

    closings: int = 0
    worst_closing_step_v: float = 0.0
    worst_opening_a: float = 0.0


class DcBus:
    """Implements the `Load` of the power electronics simulation; without a car it is an open cable."""

    def __init__(self, battery: Battery | None = None) -> None:
        self._battery = battery
        self._external = False
        self._closed = False
        self._cable_v = 0.0
        self._current_a = 0.0
        self._at: float | None = None
        self.facts = BusFacts()

    @property
    def battery(self) -> Battery | None:
        """Battery of the car that is plugged in."""
        return self._battery

    @property
    def contactor_closed(self) -> bool:
        """EV disconnection device."""
        return self._closed

    @property
    def inlet_voltage_v(self) -> float:
        """What the EV measures on the charger's side of its contactor."""
        return self._cable_v

    @property
    def current_a(self) -> float:
        """What the EV measures."""
        return self._current_a

    def connect(self, battery: Battery) -> None:
        """A car is connected, contactor open."""
        self.disconnect()
        self._battery = battery
        self.facts = BusFacts()

    def connect_external(self) -> None:
        """A car outside this process: takes every voltage, and every current above pre-charge."""
        self.disconnect()
        self._external = True

    def disconnect(self) -> None:
        """The car is gone, whatever flowed."""
        self._note_opening()
        self._closed = False
        self._current_a = 0.0
        self._external = False
        self._battery = None

    def close_contactor(self) -> None:
        """EV connects its battery to the cable."""
        if self._battery is None or self._closed:
            return
        step_v = abs(self._cable_v - self._battery.open_voltage_v)
        facts = self.facts
        self.facts = BusFacts(
            closings=facts.closings + 1,
            worst_closing_step_v=max(facts.worst_closing_step_v, step_v),
            worst_opening_a=facts.worst_opening_a,
        )
        self._closed = True
        self._cable_v = self._battery.open_voltage_v

    def open_contactor(self) -> None:
        """EV disconnects its battery."""
        self._note_opening()
        self._closed = False
        self._current_a = 0.0

    def apply(
        self, voltage_v: float, current_limit_a: float, connected: bool, now: float
    ) -> tuple[float, float]:
        """Charger output set to `voltage_v` and at most `current_limit_a`; -> outlet voltage V, current A.

        `connected`: output contactors of the charger closed. Time since the last call is integrated with the
        current that flowed then.
        """
        elapsed_s = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._charge(elapsed_s)
        if self._closed and self._battery is not None:
            self._current_a = self._battery_current(self._battery, voltage_v, current_limit_a, connected)
            self._cable_v = self._battery.voltage_at(self._current_a)
        else:
            takes = self._external and connected and current_limit_a > _IDLE_A
            self._current_a = current_limit_a if takes else 0.0
            self._cable_v = self._open_cable(voltage_v, current_limit_a, connected, elapsed_s)
        return self._cable_v, self._current_a

    @staticmethod
    def _battery_current(battery: Battery, voltage_v: float, limit_a: float, connected: bool) -> float:
        return min(max(0.0, limit_a), battery.current_at(voltage_v)) if connected else 0.0

    def _open_cable(self, voltage_v: float, limit_a: float, connected: bool, elapsed_s: float) -> float:
        decayed_v = self._cable_v * exp(-elapsed_s / (_BLEED_OHM * _CABLE_FARAD))
        if not connected or limit_a <= 0.0 or voltage_v <= decayed_v:
            return decayed_v
        return min(voltage_v, decayed_v + limit_a * elapsed_s / _CABLE_FARAD)

    def _charge(self, elapsed_s: float) -> None:
        if self._battery is None or self._current_a <= 0.0:
            return
        while elapsed_s > 0.0:
            step_s = min(elapsed_s, _MAX_STEP_S)
            self._battery.take(self._current_a, step_s)
            elapsed_s -= step_s

    def _note_opening(self) -> None:
        if not self._closed:
            return
        facts = self.facts
        self.facts = BusFacts(
            closings=facts.closings,
            worst_closing_step_v=facts.worst_closing_step_v,
            worst_opening_a=max(facts.worst_opening_a, self._current_a),
        )
