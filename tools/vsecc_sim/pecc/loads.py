"""What hangs at an outlet where no simulated car is wired to it."""

from __future__ import annotations

from vsecc_host.power.stage import IDLE_LOAD_A, IdealLoad, Load
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.pecc.scenario import LoadData
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import CLOSING_STEP_V, DcBus


class Resistor:
    """A load bank behind a contactor that closes when more than pre-charge current is offered."""

    def __init__(self, resistance_ohm: float) -> None:
        self._ohm = resistance_ohm
        self._open = IdealLoad()

    def apply(
        self, voltage_v: float, current_limit_a: float, connected: bool, now: float
    ) -> tuple[float, float]:
        """As the protocol of loads."""
        if not connected or current_limit_a <= IDLE_LOAD_A:
            return self._open.apply(voltage_v, current_limit_a, connected, now)
        current_a = min(voltage_v / self._ohm, current_limit_a)
        self._open.apply(current_a * self._ohm, 0.0, True, now)
        return current_a * self._ohm, current_a


class StandInCar:
    """A battery whose contactor closes when the output has come close, and opens with the charger's."""

    def __init__(self, battery: Battery) -> None:
        self._battery = battery
        self._bus = DcBus(battery)

    def apply(
        self, voltage_v: float, current_limit_a: float, connected: bool, now: float
    ) -> tuple[float, float]:
        """As the protocol of loads."""
        close = abs(self._bus.inlet_voltage_v - self._battery.open_voltage_v) < CLOSING_STEP_V / 2
        if not connected:
            self._bus.open_contactor()
        elif close and current_limit_a > IDLE_LOAD_A:
            self._bus.close_contactor()
        return self._bus.apply(voltage_v, current_limit_a, connected, now)


def build_load(data: LoadData) -> Load:
    """The load a scenario describes; ProfileError for an unknown car."""
    if data.kind == "resistor":
        return Resistor(data.resistance_ohm)
    if data.kind == "battery":
        capacity_wh = data.capacity_wh or None
        profile = load_profile(data.profile)
        return StandInCar(Battery.of_profile(profile, data.soc_percent, capacity_wh=capacity_wh))
    return IdealLoad()
