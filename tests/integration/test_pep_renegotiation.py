"""A car renegotiates at power electronics that check the cable only on a fresh start."""

from __future__ import annotations

import asyncio

import pytest

from vsecc_host.runtime.trace import Frame
from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.pecc.rules import Weight
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation


@pytest.mark.parametrize(("kind", "checks"), [("full", 2), ("short", 1)])
def test_both_kinds_of_renegotiation_reach_the_goal(kind: str, checks: int) -> None:
    async def scene() -> None:
        options = StationOptions(
            interpreter="cpython", capacity_wh=None, pecc=("sim://pep",), pep_version="auto"
        )
        async with SimulatedStation(options) as station:
            changes = {"checks": {"renegotiation": kind}}
            station.plug(
                1, profile="iso2", protocol="iso2", changes=changes, soc_percent=20.0, target_soc_percent=20.3
            )
            await virtual_time.settle(lambda: station.view(1).power.current_a > 50.0)
            car = station.outlets[1].car
            assert isinstance(car, EvSimulator)
            car.renegotiate()
            await asyncio.wait_for(station.session_over(1), 120.0)
            await virtual_time.settle(lambda: station.view(1).phase is Phase.FINISHED)
            result, pecc = station.outlets[1].result, station.pecc
            assert result is not None and result.goal
            assert station.view(1).cause is Cause.EV_FINISHED
            assert pecc is not None
            conduct = pecc.point(1).conduct
            assert [str(found) for found in conduct.findings if found.weight is Weight.RULE] == []
            frames = [record.raw for record in station.app.trace if isinstance(record, Frame)]
            assert sum(b'"request","kind":"cableCheck"' in raw for raw in frames) == checks

    virtual_time.run(scene())
