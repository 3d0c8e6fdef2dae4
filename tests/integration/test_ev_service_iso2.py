"""The car in ISO 15118-2 against the V2G service of the host: real sockets, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station import events as e
from vsecc_host.station.values import Authorization, Cause, Stop
from vsecc_sim.ev.misbehave import Act, Do
from vsecc_sim.ev.profiles import load_profile, profile_names
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd, Step
from vsecc_sim.plant.battery import Battery
from vsecc_sim.virtual_time import run, settle


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in virtual time."""

    @wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapped


def new_car(station: ScriptedStation, profile: str = "iso2", **more: Any) -> EvSimulator:
    """A small car, 40 to 45 %."""
    battery = Battery.of_profile(load_profile(profile), 40.0, capacity_wh=1000.0)
    return EvSimulator(profile, sdp=station.sdp_url, battery=battery, target_soc_percent=45.0, **more)


def protocols(station: ScriptedStation) -> list[str]:
    """Of every session the station saw."""
    return [event.protocol for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]


@pytest.mark.parametrize("name", profile_names())
@virtually
async def test_every_profile_charges_when_it_is_told_to_speak_it(name: str) -> None:
    async with ScriptedStation() as station:
        result = await new_car(station, name, protocol="iso2").run()
        assert (result.end, result.errors, result.protocol) == (EvEnd.CHARGED, (), "iso2")
        await settle(lambda: bool(station.ends))
        assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_FINISHED, True)]
        assert protocols(station) == ["iso2"]


@pytest.mark.parametrize(
    ("name", "protocol"), [("iso2", "iso2"), ("polestar-2", "din"), ("audi-q4", "din"), ("ioniq", "din")]
)
@virtually
async def test_the_cars_priority_decides(name: str, protocol: str) -> None:
    async with ScriptedStation() as station:
        result = await new_car(station, name).run()
        assert (result.goal, result.protocol) == (True, protocol)
        assert protocols(station) == [protocol]


@virtually
async def test_a_driver_who_comes_late() -> None:
    async with ScriptedStation() as station:
        station.change(authorization=Authorization.ONGOING)
        asyncio.get_running_loop().call_later(
            400.0, lambda: station.change(authorization=Authorization.ACCEPTED)
        )
        result = await new_car(station).run()
        assert result.goal
        setup = next(span for span in result.phases if span.name == "setup")
        assert 398.0 < setup.duration_s < 402.0


@virtually
async def test_a_paused_session_goes_on() -> None:
    async with ScriptedStation() as station:
        car = new_car(station)
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        car.pause()
        await settle(lambda: car.paused and bool(station.ends))
        assert [end.cause for end in station.ends] == [Cause.EV_PAUSED]
        await asyncio.sleep(600.0)
        car.resume()
        result = await task
        assert (result.goal, result.rounds, result.errors) == (True, 2, ())
        started = [event for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]
        assert [event.resumed for event in started] == [False, True]
        assert started[0].session_id == started[1].session_id


@pytest.mark.parametrize("kind", ["full", "short"])
@virtually
async def test_the_car_renegotiates(kind: str) -> None:
    async with ScriptedStation() as station:
        profile = load_profile("iso2", {"checks": {"renegotiation": kind}})
        battery = Battery.of_profile(profile, 40.0, capacity_wh=1000.0)
        car = EvSimulator(profile, sdp=station.sdp_url, battery=battery, target_soc_percent=45.0)
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        car.renegotiate()
        result = await task
        assert (result.end, result.errors) == (EvEnd.CHARGED, ())
        assert len(result.answers["ChargeParameterDiscoveryRes"]) == 2
        names = [span.name for span in result.phases]
        assert names.count("cable_check") == (2 if kind == "full" else 1)


@virtually
async def test_the_station_stops() -> None:
    async with ScriptedStation() as station:
        car = new_car(station)
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        station.change(stop=Stop.NORMAL)
        assert (await task).end is EvEnd.STOPPED_BY_EVSE


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.WRONG_SESSION_ID), "FAILED_UnknownSession"),
        (Act(at=Step.AUTHORIZATION, do=Do.SKIP, to=Step.CHARGE_PARAMETERS), "FAILED_SequenceError"),
        (Act(at=Step.CABLE_CHECK, do=Do.SKIP, to=Step.POWER_ON), "FAILED_SequenceError"),
        (Act(at=Step.POWER_ON, do=Do.WRONG_SCHEDULE), "FAILED_TariffSelectionInvalid"),
        (Act(at=Step.CHARGE_PARAMETERS, do=Do.SKIP, to=Step.RENEGOTIATE), "FAILED"),
    ],
    ids=["session id", "no authorization", "no cable check", "schedule", "early renegotiation"],
)
@virtually
async def test_misbehaviour_is_answered_with_its_code(act: Act, code: str) -> None:
    async with ScriptedStation() as station:
        result = await new_car(station, misbehave=(act,)).run()
        assert result.end is EvEnd.ANSWER_FAILED
        assert code in result.detail


@pytest.mark.parametrize(
    "act",
    [
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.GARBAGE),
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.DISCONNECT),
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.DISCONNECT, reset=True),
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.TWICE),
        Act(at=Step.PRE_CHARGE, do=Do.NEVER_READ),
        Act(at=Step.SESSION_STOP, do=Do.DISCONNECT),
    ],
    ids=lambda act: f"{act.do} at {act.at}",
)
@virtually
async def test_misbehaviour_ends_the_stations_session(act: Act) -> None:
    async with ScriptedStation() as station:
        await new_car(station, misbehave=(act,)).run()
        await settle(lambda: bool(station.ends))
        assert station.target_a == 0.0


STEPS = [step for step in Step if step not in (Step.CLOSE, Step.SERVICE_DETAIL, Step.RENEGOTIATE)]


@pytest.mark.parametrize("step", STEPS)
@virtually
async def test_a_car_that_falls_silent_is_given_up(step: Step) -> None:
    async with ScriptedStation() as station:
        act = Act(at=step, do=Do.STALL)
        car = new_car(station, misbehave=(act,))
        result = await asyncio.wait_for(car.run(), 200.0)
        assert result.end in (EvEnd.CONNECTION_LOST, EvEnd.SETUP_TIMEOUT, EvEnd.CHARGED)
        if step not in (Step.HANDSHAKE, Step.SESSION_SETUP):
            await settle(lambda: bool(station.ends), within_s=100.0)
        assert station.target_a == 0.0


@pytest.mark.parametrize(
    "act",
    [
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.BEYOND, current_a=900.0),
        Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.BEYOND, power_w=2_000_000.0),
        Act(at=Step.POWER_ON, do=Do.BEYOND, power_w=300_000.0),
        Act(at=Step.PAYMENT_SELECTION, do=Do.ONE_BYTE, interval_s=0.0005),
    ],
    ids=["current", "power", "plan", "one byte at a time"],
)
@virtually
async def test_what_a_charger_should_bear(act: Act) -> None:
    async with ScriptedStation() as station:
        result = await new_car(station, misbehave=(act,)).run()
        assert result.end is EvEnd.CHARGED
