"""Whole sessions in virtual time: real firmware, real host, cars; everything but the clock is real."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.ev.profiles import load_profile, profile_names
from vsecc_sim.plc.loopback_line import LoopbackLine
from vsecc_sim.station import census, report
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

Story = Callable[[SimulatedStation], Awaitable[Any]]
CAPACITY_WH = 400.0
ROUNDS = 24  # several thorough collections, the last one at the end
ROUNDS_BLOCKS = 15  # of two sessions


def play(story: Story, *, evses: int = 2, line: LoopbackLine | None = None) -> Any:
    """Run a story in a station on a virtual clock."""

    async def scene() -> Any:
        options = StationOptions(evses=evses, interpreter="cpython", capacity_wh=CAPACITY_WH)
        async with SimulatedStation(options, line=line) as station:
            return await story(station)

    return virtual_time.run(scene())


async def charging(station: SimulatedStation, evse: int, *, above_a: float = 10.0) -> None:
    """Until energy flows at this outlet."""
    await virtual_time.settle(
        lambda: station.view(evse).phase is Phase.CHARGING and station.view(evse).power.current_a > above_a,
        within_s=90.0,
    )


@pytest.mark.parametrize("profile", profile_names())
def test_each_profile_ends_as_its_car_does(profile: str) -> None:
    async def story(station: SimulatedStation) -> dict[str, Any]:
        station.plug(1, profile=profile)
        await station.session_over(1)
        await station.unplug(1)
        return report.summary(station)

    summary = play(story, evses=1)
    assert summary["end"] == load_profile(profile).expected_end
    assert summary["goal"] and summary["errors"] == []
    names = [phase["name"] for phase in summary["evses"][0]["phases"]]
    assert names == ["connected", "setup", "cable_check", "pre_charge", "charging", "stopping", "finished"]
    assert summary["evses"][0]["soc_end"] >= 79.5
    assert summary["relay"][0]["closed_s"] > 5.0


@pytest.mark.parametrize("powerline", [False, True])
def test_two_cars_charge_at_once_many_times_and_nothing_is_left_of_them(powerline: bool) -> None:
    async def story(station: SimulatedStation) -> list[census.Census]:
        census.shorten_rings(station)
        counts = []
        for _ in range(ROUNDS):
            for evse, profile in enumerate(("model-y", "iso2"), 1):
                station.plug(evse, profile=profile)
            for evse in (1, 2):
                await station.session_over(evse)
                await station.unplug(evse)
            assert report.summary(station)["goal"]
            counts.append(census.take())
        return counts

    grown = census.growth(play(story, line=LoopbackLine(outlets=2) if powerline else None))
    for figure in ("tasks", "files"):
        assert grown[figure]["warm"] == grown[figure]["last"], grown
    # A count costs some blocks itself; a session whose state stayed behind would cost thousands.
    assert grown["blocks"]["last"] - grown["blocks"]["warm"] < ROUNDS * ROUNDS_BLOCKS, grown


POWER_FAULTS = {
    "inoperative": Cause.POWER_INOPERATIVE,
    "silent": Cause.POWER_STALE,
    "isolation-fault": Cause.ISOLATION_FAULT,
    "over-temperature": Cause.OVER_TEMPERATURE,
}
MCU_FAULTS = {
    "cp-short": None,
    "cp-open": None,
    "cp-diode": None,
    "mcu-hang": Cause.MCU_LINK_LOST,
    "uart-cut": Cause.MCU_LINK_LOST,
}


@pytest.mark.parametrize(("code", "cause"), [*POWER_FAULTS.items(), *MCU_FAULTS.items()])
def test_a_fault_while_charging_ends_safely_and_the_next_car_charges(code: str, cause: Cause | None) -> None:
    async def story(station: SimulatedStation) -> None:
        verbs = Verbs(station).table
        station.plug(1)
        await charging(station, 1)
        verbs["fault"]({"evse": 1, "code": code})
        await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=5.0)
        await station.session_over(1)
        ended_by = station.view(1).cause
        assert ended_by is not Cause.NONE
        assert cause is None or ended_by is cause, ended_by
        assert station.outlets[1].bus.current_a == 0.0
        verbs["fault"]({"evse": 1, "code": code, "active": False})
        await station.unplug(1, orderly=False)
        await virtual_time.settle(lambda: station.view(1).cp_state.name == "A", within_s=20.0)
        station.plug(1)
        await station.session_over(1)
        await station.unplug(1)
        assert report.summary(station)["goal"]

    play(story, evses=1)


@pytest.mark.parametrize("code", ["inoperative", "isolation-fault", "cp-short", "cp-open"])
def test_s10_a_fault_on_one_outlet_never_disturbs_the_other(code: str) -> None:
    async def story(station: SimulatedStation) -> None:
        for evse in (1, 2):
            station.plug(evse)
        for evse in (1, 2):
            await charging(station, evse)
        Verbs(station).table["fault"]({"evse": 1, "code": code})
        await station.session_over(1)
        await station.session_over(2)
        assert not station.outlets[1].result.goal
        assert station.outlets[2].result.goal, station.outlets[2].result

    play(story)


def test_unplugging_under_load_opens_at_once() -> None:
    async def story(station: SimulatedStation) -> None:
        station.plug(1)
        await charging(station, 1)
        await station.unplug(1, orderly=False)
        assert not station.mcu.relay(1).closed
        assert station.view(1).phase is Phase.IDLE

    play(story, evses=1)


def test_a_stop_from_the_station_ends_in_good_order() -> None:
    async def story(station: SimulatedStation) -> Cause:
        station.plug(1)
        await charging(station, 1)
        Verbs(station).table["stop"]({"evse": 1})
        await station.session_over(1)
        assert station.outlets[1].bus.facts.worst_opening_a < 5.0
        return station.view(1).cause

    assert play(story, evses=1) is Cause.STOP_REQUESTED


def test_authorisation_waits_for_a_token() -> None:
    async def story(station: SimulatedStation) -> None:
        verbs = Verbs(station).table
        station.plug(1)
        await virtual_time.settle(lambda: station.app.authorization.waiting == {1}, within_s=30.0)
        verbs["token"]({"value": "04AABBCC", "type": "ISO14443", "evses": [1]})
        await station.session_over(1)
        await station.unplug(1)
        assert report.summary(station)["goal"]

    async def scene() -> None:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=CAPACITY_WH)
        station = SimulatedStation(options, settings={("AuthCtrlr", "Enabled"): True})
        async with station:
            await story(station)

    virtual_time.run(scene())


def test_s2_pilot_to_b_under_load_opens_the_relay_within_ten_milliseconds() -> None:
    async def story(station: SimulatedStation) -> int:
        station.plug(1)
        await charging(station, 1)
        marks: dict[str, int] = {}
        station.mcu.on_change.append(
            lambda entry: marks.setdefault(f"{entry.name}={entry.value}", entry.at_us)
        )
        station.outlets[1].pilot.set_state("B")
        await virtual_time.settle(lambda: not station.mcu.relay(1).driven, within_s=1.0)
        return marks["relay1.drive=False"] - marks["ev1=B"]

    assert 0 < play(story, evses=1) <= 10_000


def test_s9_the_emergency_input_stops_every_outlet() -> None:
    async def story(station: SimulatedStation) -> None:
        for evse in (1, 2):
            station.plug(evse)
        for evse in (1, 2):
            await charging(station, evse)
        station.mcu.drive_inputs({"d3": False})
        await virtual_time.settle(
            lambda: not any(station.mcu.relay(evse).closed for evse in (1, 2)), within_s=2.0
        )
        for evse in (1, 2):
            await station.session_over(evse)
            assert station.view(evse).cause is Cause.EMERGENCY_INPUT
        await station.unplug(1, orderly=False)
        station.plug(1)
        await asyncio.sleep(5.0)
        assert station.view(1).phase is not Phase.SETUP and not station.mcu.relay(1).closed

    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=CAPACITY_WH)
        station = SimulatedStation(options, settings={("EmergencyStop", "Input"): "d3"})
        station.inputs_at_start = {"d3": True}
        async with station:
            await story(station)

    virtual_time.run(scene())


def test_the_default_profile_limits_power_and_follows_a_change() -> None:
    async def story(station: SimulatedStation) -> None:
        station.plug(1)
        await charging(station, 1)
        station.settings.set_for_run("DefaultChargingProfile", "SchedulePeriodLimits", 10_000.0)
        await asyncio.sleep(2.0)
        view = station.view(1)
        assert view.limits.owner == "default_profile"
        assert view.power.voltage_v * view.power.current_a <= 10_100.0
        station.settings.set_for_run("DefaultChargingProfile", "SchedulePeriodLimits", 16.0)
        station.settings.set_for_run("DefaultChargingProfile", "Unit", "A")
        await asyncio.sleep(2.0)
        view = station.view(1)
        assert (view.limits.owner, view.limits.max_current_a) == ("default_profile", 16.0)
        assert 14.0 <= view.power.current_a <= 16.1
        station.settings.set_for_run("DefaultChargingProfile", "SchedulePeriodLimits", 60.0)
        await station.session_over(1)
        assert station.outlets[1].result.goal

    play(story, evses=1)


def test_two_cars_share_the_total_power_of_the_station() -> None:
    async def story(station: SimulatedStation) -> None:
        station.settings.set_for_run("ChargingStation", "MaxPower", 60_000.0)
        for evse in (1, 2):
            station.plug(evse)
        for evse in (1, 2):
            await charging(station, evse, above_a=60.0)
        await asyncio.sleep(1.0)
        drawn_w = [station.view(evse).power.voltage_v * station.view(evse).power.current_a for evse in (1, 2)]
        assert sum(drawn_w) <= 61_000.0 and min(drawn_w) > 25_000.0
        assert {station.view(evse).limits.owner for evse in (1, 2)} == {"station_total"}
        await station.unplug(2)
        await virtual_time.settle(
            lambda: station.view(1).power.voltage_v * station.view(1).power.current_a > 50_000.0,
            within_s=10.0,
        )
        await station.session_over(1)
        assert station.outlets[1].result.goal

    play(story)


def test_iso2_pauses_resumes_and_renegotiates() -> None:
    async def story(station: SimulatedStation) -> None:
        verbs = Verbs(station).table
        station.plug(1, profile="iso2")
        await charging(station, 1)
        began_s = asyncio.get_running_loop().time()
        verbs["ev-renegotiate"]({"evse": 1})
        await asyncio.sleep(6.0)
        await charging(station, 1)
        verbs["ev-pause"]({"evse": 1})
        await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=20.0)
        await asyncio.sleep(60.0)
        assert station.view(1).power.current_a == 0.0
        verbs["ev-resume"]({"evse": 1})
        await station.session_over(1)
        assert asyncio.get_running_loop().time() - began_s < 150.0, "charging crawls after a renegotiation"
        await station.unplug(1)
        assert report.summary(station)["goal"], report.summary(station)

    play(story, evses=1)
