"""The factory-reset button of the whole simulated station, from the emulated pin to the file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.station import report
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

Story = Callable[[SimulatedStation, Callable[[bool], Any]], Awaitable[Any]]


def play(story: Story, folder: Path) -> None:
    """Run a story in a station on a virtual clock whose settings were changed by somebody."""

    async def scene() -> None:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=400.0, state_dir=folder)
        async with SimulatedStation(options) as station:
            station.settings.set("EVSE", "MaxPower", 9_000.0, evse=1)
            station.settings.set("ChargingStation", "Identity", "mine")
            io = Verbs(station).table["io"]
            await story(station, lambda pressed: io({"inputs": {"button": pressed}}))

    virtual_time.run(scene())


def kept(folder: Path) -> Any:
    return json.loads((folder / "settings.json").read_text())


def light(station: SimulatedStation) -> str:
    return str(report.state(station)["terminals"]["leds"]["system"])


def test_a_station_says_that_it_could_not_read_what_it_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "settings.json").write_text('[{"component": "EVSE"')

    async def story(station: SimulatedStation, press: Callable[[bool], Any]) -> None:
        assert station.settings.number("EVSE", "MaxPower", evse=1) == 9_000.0

    play(story, tmp_path)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "settings.json is unreadable" in line and "settings.json.corrupt" in line


def test_a_short_press_does_nothing(tmp_path: Path) -> None:
    async def story(station: SimulatedStation, press: Callable[[bool], Any]) -> None:
        press(True)
        await asyncio.sleep(4.7)
        press(False)
        await asyncio.sleep(5.0)
        assert len(kept(tmp_path)) == 2 and light(station) == "green"

    play(story, tmp_path)


def test_five_seconds_without_a_car_act_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(station: SimulatedStation, press: Callable[[bool], Any]) -> None:
        press(True)
        await asyncio.sleep(5.5)
        assert kept(tmp_path) == [] and light(station) == "green flashing"
        assert station.settings.number("EVSE", "MaxPower", evse=1) > 9_000.0
        press(False)
        await asyncio.sleep(6.0)
        assert light(station) == "green"  # the board's own again
        assert caplog.text.count("factory reset: 2 values back") == 1

    play(story, tmp_path)
    assert "acting after a restart: ChargingStation/Identity" in caplog.text


@pytest.mark.clause("S1", "S9")
def test_a_charging_session_ends_in_good_order_first(tmp_path: Path) -> None:
    async def story(station: SimulatedStation, press: Callable[[bool], Any]) -> None:
        station.plug(1)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.CHARGING, within_s=90.0)
        press(True)
        await virtual_time.settle(lambda: light(station) == "red flashing", within_s=6.0)
        assert len(kept(tmp_path)) == 2, "not before the session is over"
        await station.session_over(1)
        await virtual_time.settle(lambda: kept(tmp_path) == [], within_s=10.0)
        assert station.view(1).cause is Cause.STOP_REQUESTED and not station.mcu.relay(1).closed
        assert report.summary(station)["errors"] == ["EVSE 1: stopped_by_evse: CurrentDemandRes"]
        await station.unplug(1)
        # What acts with the next session does: more than 9 kW are offered now.
        station.plug(1)
        await virtual_time.settle(
            lambda: station.view(1).power.voltage_v * station.view(1).power.current_a > 9_500.0, within_s=90.0
        )

    play(story, tmp_path)
