"""Recorded cars against the whole simulated station: real firmware and rules, the pilot follows."""

from __future__ import annotations

import pytest
from conformance.test_v2g_captures import CAPTURES, REAL_CARS, pytestmark

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.replay.capture import load
from vsecc_sim.replay.channel import connector
from vsecc_sim.replay.player import replay
from vsecc_sim.replay.report import ReplayReport
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

__all__ = ["pytestmark"]

# How the station itself names the end of the last session.
ENDS = {
    "ioniq-10min-two-sessions": Cause.EV_DISCONNECTED,
    "ioniq-currentdemand-3min": Cause.EV_DISCONNECTED,
    "ioniq-93-percent": Cause.EV_DISCONNECTED,
    "modely-stop-in-precharge": Cause.EV_STOPPED_EARLY,
    "polestar2-stop-in-precharge": Cause.EV_STOPPED_EARLY,
}


@pytest.mark.parametrize("name", list(REAL_CARS))
def test_real_car(name: str) -> None:
    async def scene() -> tuple[ReplayReport, Cause]:
        async with SimulatedStation(StationOptions(evses=1, interpreter="cpython")) as station:
            station.plug_external(1)
            host, port = station.app.evses[1].v2g.sdp_address
            report = await replay(load(CAPTURES / f"{name}.json"), connector(f"sdp://[{host}]:{port}"))
            await virtual_time.settle(lambda: station.view(1).phase is Phase.FINISHED)
            await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=1.0)
            return report, station.view(1).cause

    report, cause = virtual_time.run(scene())
    assert report.differences == []
    assert cause is ENDS[name]
