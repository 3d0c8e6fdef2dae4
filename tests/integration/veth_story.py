"""Run as a program (root): faults of the line on real interfaces, two cars in namespaces of their own.

Prints one JSON line with what happened; test_powerline_faults_veth.py judges.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from vsecc_host.station.events import RelayChanged, V2gSessionStarted
from vsecc_host.station.values import Phase
from vsecc_sim.plc import namespaces
from vsecc_sim.plc.powerline import Powerline
from vsecc_sim.plc.site import outlet_interface
from vsecc_sim.station import report
from vsecc_sim.station.options import StationOptions, outlet_urls
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

WAIT_S = 60.0


async def until(condition: Callable[[], bool], what: Callable[[], str]) -> float:
    """Seconds until it held; ends the program when it never does."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > WAIT_S:
            raise SystemExit(f"never: {what()}")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


class Story:
    """Outlet 1 suffers, outlet 2 charges on."""

    def __init__(self, station: SimulatedStation, line: Powerline, protocol: str) -> None:
        self.station, self.line, self.protocol = station, line, protocol
        self.neighbour: list[str] = []
        self.sessions = 0
        station.app.listen(self._hear)

    def _hear(self, what: Any) -> None:
        if getattr(what, "evse_id", 0) != 2:
            return
        if isinstance(what, RelayChanged) and not what.closed:
            self.neighbour.append(f"relay opened: {what.reason}")
        elif isinstance(what, V2gSessionStarted):
            self.sessions += 1

    async def charging(self, evse: int) -> None:
        view = self.station.view
        await until(
            lambda: view(evse).phase is Phase.CHARGING and view(evse).power.current_a > 10.0,
            lambda: (
                f"outlet {evse} charges, {self.end(evse)}, {report.state(self.station)['evses'][evse - 1]}"
            ),
        )

    async def plug(self, target: float) -> None:
        self.station.plug(1, protocol=self.protocol, soc_percent=20.0, target_soc_percent=target)

    def end(self, evse: int) -> str:
        """How the car at an outlet ended, and what the station says."""
        result, view = self.station.outlets[evse].result, self.station.view(evse)
        car = "still there" if result is None else f"{result.end} {result.detail} {result.errors}"
        return f"car: {car}; station: {view.phase.value} {view.cause.value} {view.cause_detail}"

    async def whole_session(self) -> str:
        """Empty when a car charged from plug to unplug."""
        await self.plug(20.02)
        await self.station.session_over(1)
        result = self.station.outlets[1].result
        end = "" if result is not None and result.goal else self.end(1)
        await self.station.unplug(1)
        return end

    async def broken(self, fault: Callable[[], None], heal: Callable[[], None]) -> dict[str, Any]:
        """A fault in mid-charge: how fast the relay opened, what a person is told, the next car."""
        await self.plug(100.0)
        await self.charging(1)
        fault()
        open_s = await until(lambda: not self.station.mcu.relay(1).closed, lambda: "relay open")
        await until(lambda: self.station.view(1).phase in (Phase.FINISHED, Phase.FAULTED), lambda: "over")
        cause = self.station.view(1).cause.value
        await self.station.unplug(1, orderly=False) if cause != "modem_dead" else await self._pull()
        heal()
        await until(lambda: self.station.view(1).phase is Phase.IDLE, lambda: "idle again")
        return {"open_s": open_s, "cause": cause, "next": await self.whole_session()}

    async def _pull(self) -> None:
        await self.station.outlets[1].unplug(orderly=False)

    def lose(self, active: bool) -> None:
        Verbs(self.station).table["fault"]({"evse": 1, "code": "link-lost", "active": active})

    def delete(self) -> None:
        namespaces.ip("-n", self.line.station, "link", "del", outlet_interface(1))

    def link(self, *what: str) -> None:
        """`ip link set` on the interface of outlet 1."""
        namespaces.ip("-n", self.line.station, "link", "set", outlet_interface(1), *what)

    def readdress(self) -> None:
        """Down, another MAC; up again it has another link-local address too."""
        self.link("down")
        self.link("address", "02:00:00:00:01:77")

    def restore(self) -> None:
        self.line.replace_outlet(1)


async def scene(line: Powerline, protocol: str) -> dict[str, Any]:
    options = StationOptions(capacity_wh=60_000.0, plc=outlet_urls(2))
    async with SimulatedStation(options, line=line) as station:
        story = Story(station, line, protocol)
        other = "iso2" if protocol == "din" else "din"
        for evse in (1, 2):
            await until(
                lambda evse=evse: station.view(evse).phase is Phase.IDLE,  # type: ignore[misc]
                lambda: f"idle, {report.state(station)['evses']}",
            )
        station.plug(2, protocol=other, soc_percent=20.0, target_soc_percent=100.0)
        await story.charging(2)
        story.neighbour.clear()  # the relay was told as open before it closed
        told = {
            "link lost": await story.broken(lambda: story.lose(True), lambda: story.lose(False)),
            "address changed": await story.broken(story.readdress, lambda: story.link("up")),
            "interface deleted": await story.broken(story.delete, story.restore),
        }
        view = station.view(2)
        told["neighbour"] = {
            "sessions": story.sessions,
            "troubles": list(story.neighbour),
            "phase": view.phase.value,
            "current_a": view.power.current_a,
            "end": story.end(2),
        }
        return told


def main() -> None:
    with Powerline(outlets=2, cars=2) as line:
        namespaces.enter(line.station)
        print(json.dumps(asyncio.run(scene(line, sys.argv[1]))))


if __name__ == "__main__":
    main()
