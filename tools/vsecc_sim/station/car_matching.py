"""A car's SLAC at an outlet of the simulated station: begins whenever 5 % comes on, until it is linked."""

from __future__ import annotations

import asyncio
from typing import Protocol

from vsecc_host.slac.raw_socket import FrameSocket
from vsecc_sim.plc.ev_machine import EvEvent, EvState, EvToggle
from vsecc_sim.plc.habits import Habits
from vsecc_sim.plc.shell import EvSlac

DUTY_MIN, DUTY_MAX = 30, 70  # permille: digital communication required
_PILOT_PERIOD_S = 0.05


class Pilot(Protocol):
    """The car's end of the control pilot."""

    def set_state(self, state: str) -> None:
        """Resistors of state "B" or "C"."""

    def duty_permille(self) -> int:
        """Duty cycle as the car measures it."""


class CarMatching:
    """One plug-in; `slac.machine` may be looked at."""

    def __init__(self, side: FrameSocket, habits: Habits, pilot: Pilot) -> None:
        self.slac = EvSlac(side, habits, self._event)
        self._pilot = pilot
        self._invited = False
        self._closed = False

    @property
    def state(self) -> EvState:
        """What the car's matching is at."""
        return self.slac.machine.state

    async def linked(self, within_s: float) -> None:
        """Return when the car has joined the outlet's network; TimeoutError, also when closed meanwhile."""
        async with asyncio.timeout(within_s):
            while self.state is not EvState.LINKED:
                if self._closed:
                    raise TimeoutError
                self._follow_pilot()
                await asyncio.sleep(_PILOT_PERIOD_S)

    def again(self) -> None:
        """The link is gone: match anew at the next 5 %."""
        self.slac.leave()
        self._invited = True  # the pilot has to go away first

    def close(self) -> None:
        """Unplugged; harmless a second time."""
        if not self._closed:
            self._closed = True
            self.slac.close()

    def _follow_pilot(self) -> None:
        invited = DUTY_MIN <= self._pilot.duty_permille() <= DUTY_MAX
        if invited and not self._invited:
            self.slac.begin()
        elif self._invited and not invited:
            self.slac.leave()
        self._invited = invited

    def _event(self, event: EvEvent) -> None:
        if isinstance(event, EvToggle):
            self._pilot.set_state("C" if event.energy else "B")
