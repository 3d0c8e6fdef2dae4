"""Terminals of the whole simulated station: the control API at one end, the host's view at the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.station import report
from vsecc_sim.station.options import Refused, StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

Story = Callable[[SimulatedStation, Verbs], Awaitable[Any]]


def play(story: Story, settings: dict[tuple[str, str], object] | None = None, **inputs: object) -> None:
    """Run a story in a station on a virtual clock."""

    async def scene() -> None:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=400.0)
        station = SimulatedStation(options, settings=settings)
        station.inputs_at_start = dict(inputs)
        async with station:
            await story(station, Verbs(station))

    virtual_time.run(scene())


def test_io_drives_every_kind_of_input_and_the_host_sees_it() -> None:
    async def story(station: SimulatedStation, verbs: Verbs) -> None:
        driven = {"d2": True, "d7": 5.0, "a1": 9.99, "t1": 25.0, "tr9": 1385.055, "t2": "open", "dip1": True}
        verbs.table["io"]({"inputs": {**driven, "cc1dc": 4.0, "button": True}})
        await asyncio.sleep(6.0)
        seen = report.state(station)["mcu"]["measured"]
        assert seen["digital_inputs"] == 0b10 and seen["dip_switches"] == 0b1101
        assert seen["analog1_mv"] == 9990 and seen["cc1_dc_mv"] == 4000
        assert 0.29 * seen["resistance1_mohm"] / 1000 - 295 == pytest.approx(25.0, abs=0.01)
        assert seen["resistance9_mohm"] == 1_385_055 and seen["sensors_open"] == 0b10
        assert seen["button_held_ms"] > 5000

    play(story)


def test_state_shows_outputs_lights_and_locks() -> None:
    async def story(station: SimulatedStation, verbs: Verbs) -> None:
        station.app.mcu.set_outputs(0xFFFF, 0x8001)
        station.app.mcu.set_lock(1, True)
        await asyncio.sleep(1.0)
        terminals = report.state(station)["terminals"]
        assert [name for name, on in terminals["outputs"].items() if on] == ["d1", "d16"]
        assert terminals["locks"] == {"1": "locked", "2": "unlocked"}
        assert terminals["leds"]["port1"] == "off"
        assert report.state(station)["mcu"]["measured"]["lock1_state"] == 2

    play(story)


def test_unknown_inputs_and_targets_are_refused_by_name() -> None:
    async def story(station: SimulatedStation, verbs: Verbs) -> None:
        with pytest.raises(Refused, match="no input d9"):
            verbs.table["io"]({"inputs": {"d9": True}})
        with pytest.raises(Refused, match="output-overload: target 17"):
            verbs.table["fault"]({"evse": 1, "code": "output-overload", "target": 17})
        verbs.table["fault"]({"evse": 1, "code": "sensor-open", "target": 9})
        await asyncio.sleep(1.0)
        assert report.state(station)["mcu"]["measured"]["sensors_open"] == 1 << 8

    play(story)


@pytest.mark.clause("S9")
def test_s9_an_emergency_input_that_cannot_be_read_stops_the_session() -> None:
    async def story(station: SimulatedStation, verbs: Verbs) -> None:
        station.plug(1)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.CHARGING, within_s=90.0)
        verbs.table["fault"]({"evse": 1, "code": "expander-dead"})
        await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=2.0)
        await station.session_over(1)
        assert station.view(1).cause is Cause.EMERGENCY_INPUT

    # On while pressed: a dead expander reads as 0, which would be "all well".
    play(story, {("EmergencyStop", "Input"): "d3", ("EmergencyStop", "ActiveLow"): False})
