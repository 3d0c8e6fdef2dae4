"""The asyncio shell: timers of the loop, one cause id from command to effect."""

from __future__ import annotations

import asyncio

import pytest

from vsecc_host.power.config import PowerConfig
from vsecc_host.power.service import SimulatedPower
from vsecc_host.runtime.trace import Trace
from vsecc_host.station import commands as c
from vsecc_host.station import events as e


class Clocked(asyncio.SelectorEventLoop):
    """A loop whose time is moved by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = 0.0

    def time(self) -> float:
        return 1000.0 + self.offset


async def _pass(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clocked)
    for _ in range(round(seconds / 0.01)):
        loop.offset += 0.01
        for _ in range(3):
            await asyncio.sleep(0)


def run(story):
    loop = Clocked()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()


async def _session() -> tuple[list[tuple[e.StationEvent, int]], Trace]:
    told: list[tuple[e.StationEvent, int]] = []
    trace = Trace(asyncio.get_running_loop().time)
    power = SimulatedPower(1, PowerConfig(), lambda event, cause: told.append((event, cause)), trace)
    power.start()
    power.execute(c.PowerContactors(evse_id=1, closed=True), 77)
    power.execute(c.PowerSupervision(evse_id=1, relay_closed=True), 78)
    power.execute(c.PowerContactors(evse_id=1, closed=True), 79)
    await _pass(1.0)
    power.inject("over_temperature")
    await _pass(0.3)
    await power.stop()
    count = len(told)
    await _pass(1.0)
    assert len(told) == count
    return told, trace


def test_events_follow_commands_and_timers():
    told, trace = run(_session())
    refused = [cause for event, cause in told if isinstance(event, e.PowerLost)]
    assert refused == [77]
    measured = [event.snapshot for event, _ in told if isinstance(event, e.PowerMeasured)]
    assert measured[-1].contactors_closed
    assert measured[-1].temperature_c > 100
    assert [record.cause for record in trace] == [77, 78, 79]


def test_faults_are_known_by_name():
    async def story() -> None:
        power = SimulatedPower(1)
        with pytest.raises(ValueError, match="no fault"):
            power.inject("nonsense")

    assert "silent" in SimulatedPower.faults
    run(story())
