"""The PECC simulator as a whole: charge points of a scenario behind one server, its steps, its report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from vsecc_host.power.stage import Load
from vsecc_sim.pecc.faults import Fault
from vsecc_sim.pecc.link import OnNews, PointLink
from vsecc_sim.pecc.loads import build_load
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.report import report_of
from vsecc_sim.pecc.scenario import Scenario, ScenarioStep
from vsecc_sim.pecc.service import PeccServer
from vsecc_sim.pecc.values import News


class PeccSimulator:
    """Async context manager; inside it the charge points can be reached at `url(1)`, `url(2)`..."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        charge_points: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        prefix: str = "/chargepoint",
        loads: Mapping[int, Load] | None = None,
        wired: bool = False,
        on_news: OnNews | None = None,
    ) -> None:
        """`loads` replaces the scenario's load; `wired`: somebody calls `supervise`, open until then."""
        self.scenario = scenario or Scenario()
        self._on_news = on_news
        self._wired = wired
        self._timers: list[asyncio.TimerHandle] = []
        self._done: set[tuple[int, int]] = set()
        points = [
            ChargePoint(
                number, self.scenario.config, (loads or {}).get(number) or build_load(self.scenario.load)
            )
            for number in range(1, charge_points + 1)
        ]
        self.server = PeccServer(points, host=host, port=port, prefix=prefix, on_news=self._hear)

    async def __aenter__(self) -> PeccSimulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; steps with a time count from here."""
        await self.server.start()
        loop = asyncio.get_running_loop()
        for link in self.links.values():
            link.point.supervised_by_ev_state = not self._wired and self.scenario.supervision == "ev-state"
            if not self._wired and self.scenario.supervision == "closed":
                link.supervise(True)
        for step in self.scenario.steps:
            if step.at_s is not None:
                for number in self._concerned(step):
                    self._timers.append(loop.call_later(step.at_s + step.after_s, self._do, number, step))

    async def stop(self) -> None:
        """Hang up; the judges close their books."""
        for timer in self._timers:
            timer.cancel()
        await self.server.stop()

    @property
    def links(self) -> dict[int, PointLink]:
        """Charge points by number."""
        return self.server.links

    @property
    def points(self) -> list[ChargePoint]:
        """All of them, by number."""
        return [link.point for link in self.links.values()]

    def point(self, number: int) -> ChargePoint:
        """One charge point."""
        return self.links[number].point

    def url(self, number: int) -> str:
        """Where it is reached."""
        return self.server.url(number)

    def inject(self, number: int, fault: Fault) -> None:
        """A fault on, off or now."""
        self.links[number].inject(fault)

    def supervise(self, number: int, permitted: bool) -> None:
        """The wire of the CP/PP supervision."""
        self.links[number].supervise(permitted)

    def report(self) -> dict[str, Any]:
        """Conduct of the SECC so far, and what the outlets did."""
        return report_of(self.points)

    # --- steps -------------------------------------------------------------------------------------------

    def _concerned(self, step: ScenarioStep) -> list[int]:
        return [number for number in self.links if step.charge_point in (None, number)]

    def _hear(self, number: int, news: News) -> None:
        if self._on_news is not None:
            self._on_news(number, news)
        if news.state is None:
            return
        for index, step in enumerate(self.scenario.steps):
            if (
                step.at_state is news.state
                and number in self._concerned(step)
                and (index, number) not in self._done
            ):
                self._done.add((index, number))
                loop = asyncio.get_running_loop()
                self._timers.append(loop.call_later(step.after_s, self._do, number, step))

    def _do(self, number: int, step: ScenarioStep) -> None:
        link = self.links[number]
        if step.fault is not None:
            link.inject(step.fault)
            if step.for_s is not None:
                heal = Fault(step.fault.name, active=False)
                self._timers.append(asyncio.get_running_loop().call_later(step.for_s, link.inject, heal))
        elif step.limits is not None:
            link.set_limits(dict(step.limits))
        elif step.supervision is not None:
            link.supervise(step.supervision)
        elif step.request is not None:
            link.request(step.request, dict(step.payload or {}))
