"""The car's side of one outlet: pilot, DC bus, and the car that is plugged in at the moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.simulator import TOGGLE_S
from vsecc_sim.plant.dc_bus import DcBus

if TYPE_CHECKING:
    from vsecc_sim.mcu.service import McuEmulator


class Car(Protocol):
    """What an outlet needs of a car, see ev.simulator.EvSimulator."""

    @property
    def soc_percent(self) -> float:
        """State of charge now."""

    @property
    def phase(self) -> str:
        """What it is doing."""

    async def run(self) -> EvResult:
        """One plug-in."""

    def request_stop(self) -> None:
        """End the session in good order."""

    def unplug(self) -> None:
        """Cable out."""


class EmulatedPilot:
    """The car's end of the emulated pilot line of one port."""

    def __init__(self, mcu: McuEmulator, port: int) -> None:
        self._mcu = mcu
        self._port = port

    def set_state(self, state: str) -> None:
        """Switch the car's resistors: "A" (unplugged), "B", "C" or "D"."""
        self._mcu.ev(self._port).set_state(state)

    def duty_permille(self) -> int:
        """Duty cycle the car measures; 1000 is steady +12 V."""
        return self._mcu.pilot_duty_permille(self._port)


class Outlet:
    """One outlet with at most one car."""

    def __init__(self, number: int, mcu: McuEmulator, bus: DcBus) -> None:
        self.number = number
        self.bus = bus
        self.pilot = EmulatedPilot(mcu, number)
        self.car: Car | None = None
        self.result: EvResult | None = None
        self.external = False
        self.soc_start = 0.0
        self._task: asyncio.Task[EvResult] | None = None

    @property
    def plugged(self) -> bool:
        """A car, simulated or external, is connected."""
        return self._task is not None or self.external

    def plug(self, car: Car, *, follow: bool = False) -> None:
        """Connect a car; it runs its whole session by itself. `follow`: its pilot is driven from here."""
        if follow:
            self.plug_external()
        self.car, self.result = car, None
        self.soc_start = car.soc_percent
        self._task = asyncio.get_running_loop().create_task(self._drive(car))

    async def _drive(self, car: Car) -> EvResult:
        self.result = await car.run()
        return self.result

    def plug_external(self) -> None:
        """Connect only a pilot; a car outside does the talking."""
        self.external = True
        self.bus.connect_external()
        self.pilot.set_state("B")

    def toggle(self) -> None:
        """B-C-B of an external car's pilot: it wakes up from a pause."""
        self.pilot.set_state("C")
        asyncio.get_running_loop().call_later(TOGGLE_S, self._toggled)

    def _toggled(self) -> None:
        if self.external:  # not pulled meanwhile
            self.pilot.set_state("B")

    async def session_over(self) -> EvResult:
        """Wait until the simulated car's session ended."""
        if self._task is None:
            raise RuntimeError(f"no simulated car at outlet {self.number}")
        return await asyncio.shield(self._task)

    async def unplug(self, *, orderly: bool) -> None:
        """Cable out; `orderly`: the car ends its session first."""
        task, car = self._task, self.car
        if task is not None and car is not None:
            if orderly and not task.done():
                car.request_stop()
                await asyncio.wait([task])
            car.unplug()
            await asyncio.wait([task])
            if self._task is not task:  # somebody else was quicker, and may have plugged the next car in
                return
        self._task = None
        self.external = False
        self.bus.disconnect()
        self.pilot.set_state("A")

    @property
    def soc_percent(self) -> float | None:
        """State of charge of the simulated car."""
        return self.car.soc_percent if self.car is not None and self._task is not None else None

    @property
    def ev_phase(self) -> str:
        """What the simulated car is doing."""
        if self.external and self._task is None:
            return "external"
        return str(self.car.phase) if self.car is not None and self._task is not None else "unplugged"
