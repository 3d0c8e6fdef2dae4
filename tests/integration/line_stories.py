"""A station with two outlets over simulated powerlines, on a virtual clock; what happens there is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from vsecc_host.slac.table import PortState
from vsecc_host.station.commands import Command, SetPilot
from vsecc_host.station.events import RelayChanged, StationEvent, V2gSessionStarted
from vsecc_host.station.values import Phase
from vsecc_sim import virtual_time
from vsecc_sim.plc.loopback_line import LoopbackLine
from vsecc_sim.station.matched_car import MatchedCar
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

BIG_WH = 60_000.0  # charges for many minutes
SMALL_WH = 400.0
IN_SESSION = (Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING)
LONG_S = 300.0


class LineStation(SimulatedStation):
    """`log` has every event and command of the host with its time."""

    line: LoopbackLine
    log: list[tuple[float, StationEvent | Command]]

    def matching(self, evse: int) -> PortState:
        """State of the port."""
        slac = self.app.evses[evse].slac
        assert slac is not None
        return slac.state

    def fault(self, evse: int, code: str, active: bool = True) -> None:
        """As the control API does it."""
        Verbs(self).table["fault"]({"evse": evse, "code": code, "active": active})

    def of(self, evse: int, kind: type[Any]) -> list[Any]:
        """Events or commands of one outlet, oldest first."""
        return [what for _, what in self.log if isinstance(what, kind) and what.evse_id == evse]

    def pilots(self, evse: int) -> list[tuple[float, str]]:
        """Pilot commands of an outlet with their times."""
        return [
            (at, what.mode.name)
            for at, what in self.log
            if isinstance(what, SetPilot) and what.evse_id == evse
        ]


Story = Callable[[LineStation], Awaitable[Any]]


def play(
    story: Story,
    *,
    capacity_wh: float = SMALL_WH,
    tls: bool = False,
    prepare: Callable[[LoopbackLine], None] = lambda line: None,
) -> Any:
    """Run a story on a virtual clock; `prepare` the line before the station comes up."""

    async def scene() -> Any:
        line = LoopbackLine(outlets=2)
        prepare(line)
        options = StationOptions(interpreter="cpython", capacity_wh=capacity_wh, tls=tls)
        station = LineStation(options, line=line)
        station.line, station.log = line, []
        async with station:
            clock = asyncio.get_running_loop().time
            station.app.listen(lambda what: station.log.append((clock(), what)))
            return await story(station)

    return virtual_time.run(scene())


async def until(condition: Callable[[], bool], within_s: float = LONG_S, step_s: float = 0.01) -> None:
    """Let time pass until it holds."""
    await virtual_time.settle(condition, within_s=within_s, step_s=step_s)


async def charging(station: LineStation, evse: int, above_a: float = 10.0) -> None:
    """Until energy flows."""
    await until(
        lambda: station.view(evse).phase is Phase.CHARGING and station.view(evse).power.current_a > above_a
    )


def safe(station: LineStation, evse: int) -> bool:
    """No energy at this outlet."""
    return not station.mcu.relay(evse).closed and station.outlets[evse].bus.current_a == 0.0


async def next_car_charges(station: LineStation, evse: int, **car: Any) -> None:
    """The port is ready: a car charges from plug to unplug."""
    if station.outlets[evse].plugged:
        await station.unplug(evse, orderly=False)
    soc = 20.0
    enough = 20.05 if station.options.capacity_wh == BIG_WH else 80.0
    station.plug(evse, soc_percent=soc, target_soc_percent=enough, **car)
    await until(lambda: station.outlets[evse].result is not None)
    result = station.outlets[evse].result
    assert result is not None and result.goal, result
    assert station.recorder.outlets[evse].matching.failures == []
    await station.unplug(evse)


class Neighbour:
    """The car at the other outlet: it charges all the time and never notices."""

    def __init__(self, station: LineStation, evse: int = 2) -> None:
        self._station, self._evse = station, evse

    async def begins(self) -> None:
        """Plug it in and wait until it charges."""
        self._station.plug(self._evse, soc_percent=20.0, target_soc_percent=100.0)
        await charging(self._station, self._evse, above_a=50.0)
        self._openings = self._open()

    def check(self) -> None:
        """One session, one closed relay, full current."""
        view = self._station.view(self._evse)
        assert view.phase is Phase.CHARGING and view.power.current_a > 50.0, view
        assert len(self._station.of(self._evse, V2gSessionStarted)) == 1
        assert self._open() == self._openings
        assert self._station.matching(self._evse) is PortState.MATCHED

    def _open(self) -> int:
        return sum(not event.closed for event in self._station.of(self._evse, RelayChanged))


def car(station: LineStation, evse: int) -> MatchedCar:
    """The simulated car that is plugged in."""
    found = station.outlets[evse].car
    assert isinstance(found, MatchedCar)
    return found
