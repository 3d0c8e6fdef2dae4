"""asyncio shell of the simulated power electronics: timers from the loop, events under a cause id."""

from __future__ import annotations

import asyncio
import logging

from vsecc_host.power.config import PowerConfig
from vsecc_host.power.interface import OnEvent
from vsecc_host.power.simulation import FAULTS, Load, PowerSimulation
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.commands import Command
from vsecc_host.station.values import DcLimits, EvseView

logger = logging.getLogger(__name__)


class SimulatedPower:
    """Power electronics of one outlet inside the host (`PowerElectronics/Type` Simulation)."""

    faults = FAULTS

    def __init__(
        self,
        evse_id: int,
        config: PowerConfig | None = None,
        on_event: OnEvent | None = None,
        trace: Trace | None = None,
        load: Load | None = None,
    ) -> None:
        self._simulation = PowerSimulation(evse_id, config, load)
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._trace = trace if trace is not None else Trace(self._loop.time)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None

    def start(self) -> None:
        """Switch on."""
        self._simulation.start(self._loop.time())
        self._follow(self._trace.new_cause())

    async def stop(self) -> None:
        """Switch off; nothing is heard any more."""
        self._forget_timer()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_at = None

    def execute(self, command: Command, cause: int) -> None:
        """Carry out a command; what follows at once has the same cause."""
        self._trace.hop(cause, "power", command)
        self._simulation.execute(command, self._loop.time())
        self._follow(cause)

    def update(self, view: EvseView, cause: int) -> None:
        """Nothing to tell: the simulation needs no car to be named."""

    def inject(self, name: str, active: bool = True) -> None:
        """Switch one of `faults` on or off; ValueError for another name."""
        logger.info("EVSE %d: power fault %s %s", self._simulation.evse_id, name, "on" if active else "off")
        self._simulation.inject(name, active, self._loop.time())
        self._follow(self._trace.new_cause())

    def set_limits(self, limits: DcLimits) -> None:
        """Other limits from now on."""
        self._simulation.set_limits(limits, self._loop.time())
        self._follow(self._trace.new_cause())

    def _follow(self, cause: int) -> None:
        for event in self._simulation.take():
            if self._on_event is not None:
                self._on_event(event, cause)
        self._schedule()

    def _schedule(self) -> None:
        deadline = self._simulation.next_deadline()
        if deadline == self._timer_at:
            return
        self._forget_timer()
        if deadline is not None:
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = self._timer_at = None
        self._simulation.tick(self._loop.time())
        self._follow(self._trace.new_cause())
