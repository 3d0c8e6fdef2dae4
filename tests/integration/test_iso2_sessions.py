"""ISO 15118-2 sessions in the whole station, virtual time: pause, renegotiation, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from vsecc_host.settings.variable import Value
from vsecc_host.station.events import (
    CableCheckRequested,
    ChargeRenegotiationRequested,
    LimitChanged,
    RenegotiationRequested,
    StationEvent,
    StopRequested,
    V2gSessionEnded,
    V2gSessionStarted,
)
from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.plant.battery import Battery
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

Story = Callable[[SimulatedStation, list[Any]], Awaitable[Any]]
EVSE = 1
CAPACITY_WH = 1500.0


def play(story: Story, settings: Mapping[tuple[str, str], Value] | None = None) -> Any:
    """Run a story in a station on a virtual clock; it gets everything the host routed."""

    async def scene() -> Any:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=CAPACITY_WH)
        async with SimulatedStation(options, settings=settings or {}) as station:
            heard: list[Any] = []
            station.app.listen(heard.append)
            return await story(station, heard)

    return virtual_time.run(scene())


def plug(
    station: SimulatedStation, *, renegotiation: str = "full", target_soc_percent: float = 80.0
) -> EvSimulator:
    """A -2 car with a small battery."""
    profile = load_profile("iso2")
    profile = replace(profile, checks=replace(profile.checks, renegotiation=renegotiation))
    outlet = station.outlet(EVSE)
    host, port = station.app.evses[EVSE].v2g.sdp_address
    car = EvSimulator(
        profile,
        sdp=f"sdp://[{host}]:{port}",
        bus=outlet.bus,
        battery=Battery.of_profile(profile, 20.0, capacity_wh=CAPACITY_WH),
        pilot=outlet.pilot,
        target_soc_percent=target_soc_percent,
        seed=1,
    )
    outlet.plug(car)
    return car


async def charging(station: SimulatedStation) -> None:
    """Until energy flows."""
    await virtual_time.settle(
        lambda: station.view(EVSE).phase is Phase.CHARGING and station.view(EVSE).power.current_a > 10.0,
        within_s=90.0,
    )


def those(heard: list[Any], kind: type[StationEvent]) -> list[Any]:
    """The events of one type."""
    return [event for event in heard if isinstance(event, kind)]


def clean(station: SimulatedStation) -> bool:
    """The car charged to its end and was not treated badly."""
    result = station.outlet(EVSE).result
    return result is not None and result.goal and not result.errors


@pytest.mark.clause("ISO15118-2 8.4.2")
def test_a_paused_session_goes_on_under_its_id_and_its_authorization() -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        # GIVEN a car somebody authorised, charging
        car = plug(station)
        await virtual_time.settle(lambda: station.app.authorization.waiting == {EVSE}, within_s=30.0)
        for event in station.app.authorization.token("04AABBCC", {EVSE}, asyncio.get_running_loop().time()):
            station.app.publish(event, station.app.trace.new_cause())
        await charging(station)
        # WHEN it pauses for ten minutes and goes on
        car.pause()
        await virtual_time.settle(lambda: car.paused, within_s=20.0)
        (paused,) = those(heard, V2gSessionEnded)
        assert (paused.cause, paused.orderly) == (Cause.EV_PAUSED, True)
        await virtual_time.settle(lambda: station.outlet(EVSE).pilot.duty_permille() == 1000, within_s=10.0)
        assert not station.mcu.relay(EVSE).closed
        await asyncio.sleep(600.0)
        view = station.view(EVSE)
        assert (view.phase, view.cause) == (Phase.FINISHED, Cause.EV_PAUSED)
        car.resume()
        await charging(station)
        # THEN it is the same session, and nobody was asked again
        first, second = those(heard, V2gSessionStarted)
        assert (first.resumed, second.resumed) == (False, True)
        assert first.session_id == second.session_id
        await station.session_over(EVSE)
        assert clean(station)

    play(story, {("AuthCtrlr", "Enabled"): True})


def test_unplugging_forgets_the_pause() -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        car = plug(station)
        await charging(station)
        car.pause()
        await virtual_time.settle(lambda: car.paused, within_s=20.0)
        assert station.app.evses[EVSE].v2g.paused is not None
        await station.unplug(EVSE, orderly=False)
        assert station.app.evses[EVSE].v2g.paused is None

    play(story)


@pytest.mark.parametrize(("habit", "cable_checks"), [("full", 2), ("short", 1)])
def test_a_car_renegotiates(habit: str, cable_checks: int) -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        car = plug(station, renegotiation=habit)
        await charging(station)
        car.renegotiate()
        await virtual_time.settle(lambda: bool(those(heard, ChargeRenegotiationRequested)), within_s=20.0)
        await charging(station)
        await station.session_over(EVSE)
        assert clean(station), station.outlet(EVSE).result
        assert len(those(heard, CableCheckRequested)) == cable_checks
        assert len(those(heard, V2gSessionStarted)) == 1
        assert station.view(EVSE).cause is Cause.EV_FINISHED
        assert station.outlet(EVSE).bus.facts.worst_opening_a < 5.0

    play(story)


def limit(station: SimulatedStation, max_power_w: float) -> None:
    """The back end's word."""
    told = LimitChanged(
        at=asyncio.get_running_loop().time(), evse_id=EVSE, owner="csms", max_power_w=max_power_w
    )
    station.app.publish(told, station.app.trace.new_cause())


@pytest.mark.parametrize(("before_w", "after_w"), [(90_000.0, 9_000.0), (9_000.0, 30_000.0)])
def test_a_limit_that_falls_or_rises_much_makes_the_station_ask_for_renegotiation(
    before_w: float, after_w: float
) -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        # GIVEN a car that takes all it was told it may
        limit(station, before_w)
        plug(station, target_soc_percent=40.0)
        await charging(station)
        await asyncio.sleep(3.0)
        # WHEN the back end changes its mind
        limit(station, after_w)
        await virtual_time.settle(lambda: bool(those(heard, ChargeRenegotiationRequested)), within_s=20.0)
        # THEN the car has a new schedule and takes what it allows
        await charging(station)
        most_w = 0.0
        while not station.outlet(EVSE).result:
            power = station.view(EVSE).power
            most_w = max(most_w, power.voltage_v * power.current_a)
            await asyncio.sleep(0.5)
        assert 0.9 * after_w < most_w <= after_w * 1.02
        assert clean(station)
        assert len(those(heard, ChargeRenegotiationRequested)) == 1

    play(story)


def test_without_the_setting_only_a_person_makes_the_station_ask() -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        plug(station, target_soc_percent=30.0)
        await charging(station)
        limit(station, 9_000.0)
        await asyncio.sleep(30.0)
        assert not those(heard, ChargeRenegotiationRequested)
        wish = RenegotiationRequested(at=asyncio.get_running_loop().time(), evse_id=EVSE, who="test")
        station.app.publish(wish, station.app.trace.new_cause())
        await virtual_time.settle(lambda: bool(those(heard, ChargeRenegotiationRequested)), within_s=10.0)
        await station.session_over(EVSE)
        assert clean(station)

    play(story, {("ChargingCommunicationCtrlr", "RenegotiateAbove"): 0.0})


def test_a_stop_from_the_station_ends_in_good_order() -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        plug(station)
        await charging(station)
        wish = StopRequested(at=asyncio.get_running_loop().time(), evse_id=EVSE, who="test")
        station.app.publish(wish, station.app.trace.new_cause())
        await station.session_over(EVSE)
        assert station.view(EVSE).cause is Cause.STOP_REQUESTED
        assert [end.orderly for end in those(heard, V2gSessionEnded)] == [True]

    play(story)


def test_what_is_offered_may_change_while_the_station_runs() -> None:
    async def story(station: SimulatedStation, heard: list[Any]) -> None:
        settings = station.app.settings
        settings.set("ChargingCommunicationCtrlr", "Protocols", "din")
        settings.set("Connector", "DinChargingMode", "DC_core", evse=EVSE)
        assert station.app.evses[EVSE].v2g.config.din_charging_mode == "DC_core"
        plug(station)
        await station.session_over(EVSE)
        result = station.outlet(EVSE).result
        assert result is not None and not result.goal
        assert "urn:iso:15118:2:2013:MsgDef" in those(heard, V2gSessionEnded)[0].detail
        await station.unplug(EVSE)
        settings.set("ChargingCommunicationCtrlr", "Protocols", "din,iso2")
        plug(station)
        await station.session_over(EVSE)
        assert clean(station)

    play(story)
