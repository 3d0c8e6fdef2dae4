"""What power electronics are to the station, simulated or real: commands and views in, events out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vsecc_host.station.commands import Command
from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import EvseView

OnEvent = Callable[[StationEvent, int], None]


class PowerElectronics(Protocol):
    """Power electronics of one outlet; built with an `OnEvent` that gets every event and its cause id.

    Events are PowerLimitsTold, PowerMeasured, CableCheckDone, PowerLost and StopRequested.
    """

    @property
    def faults(self) -> frozenset[str]:
        """Names `inject` takes; none where the power electronics are outside."""

    def start(self) -> None:
        """Switch on, or begin to connect; what comes of it are events."""

    async def stop(self) -> None:
        """Switch off, or disconnect; nothing is heard any more."""

    def execute(self, command: Command, cause: int) -> None:
        """Carry out PowerContactors, PowerCableCheck, PowerTarget, PowerReset or PowerSupervision."""

    def update(self, view: EvseView, cause: int) -> None:
        """The outlet's newest view."""

    def inject(self, name: str, active: bool = True) -> None:
        """Switch one of `faults` on or off; ValueError for another name."""
