"""A car in its own network namespace, behind powerline modems: matched by SLAC, then a process there.

The pilot stays here: the station drives it as for any external car.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import fields
from typing import Any

from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.values import EvEnd
from vsecc_sim.plc.habits import Habits
from vsecc_sim.plc.powerline import EV_INTERFACE, Powerline
from vsecc_sim.station.car_matching import CarMatching
from vsecc_sim.station.matched_car import not_matched
from vsecc_sim.station.outlet import EmulatedPilot

MATCH_WITHIN_S = 60.0  # several matching runs of a patient car


class DistantCar:
    """Quacks like EvSimulator as far as an outlet needs; `run()` is one plug-in."""

    def __init__(
        self,
        line: Powerline,
        number: int,
        pilot: EmulatedPilot,
        *,
        habits: Habits,
        profile: str,
        options: dict[str, str],
    ) -> None:
        """`options`: of `vsecc sim ev`, such as soc, target-soc, capacity."""
        self.phase = "connected"
        self.soc_percent = float(options.get("soc", 0.0))
        self._line = line
        self._number = number
        self._pilot = pilot
        self._profile = profile
        self._options = options
        self._habits = habits
        self.matching: CarMatching | None = None
        self._unplugged = False
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> EvResult:
        """Match, then charge."""
        self.matching = CarMatching(self._line.ev_socket(self._number), self._habits, self._pilot)
        try:
            self.phase = "matching"
            await self.matching.linked(MATCH_WITHIN_S)
            self.phase = "session"
            return await self._charge()
        except TimeoutError:
            end = EvEnd.UNPLUGGED if self._unplugged else EvEnd.NO_SDP_ANSWER
            return not_matched(self._profile, self.soc_percent, end, f"not matched, {self.matching.state}")
        finally:
            self.matching.close()
            self.phase = "finished"

    async def _charge(self) -> EvResult:
        options = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        self._process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self._line.car(self._number), sys.executable, "-m", "vsecc_cli.main"),
            *(
                "sim",
                "ev",
                "--connect",
                f"iface://{EV_INTERFACE}",
                "--profile",
                self._profile,
                "--json",
                *options,
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await self._process.communicate()
        lines = output.decode().splitlines()
        if not lines:
            detail = "the car's process ended without a result"
            return not_matched(self._profile, self.soc_percent, EvEnd.UNPLUGGED, detail)
        result = _result(json.loads(lines[-1]))
        self.soc_percent = result.soc_end
        return result

    def request_stop(self) -> None:
        """The process ends by itself only; stopping earlier is unplugging."""
        self.unplug()

    def unplug(self) -> None:
        """Cable out, whatever it was doing."""
        self._unplugged = True
        if self.matching is not None:
            self.matching.close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def _result(table: dict[str, Any]) -> EvResult:
    """The figures of a car's JSON; single answer times stay with the car."""
    known = {field.name: table[field.name] for field in fields(EvResult) if field.name in table}
    return EvResult(**{**known, "end": EvEnd(table["end"]), "answers": {}})
