"""The simulated car over real loopback sockets in virtual time: discovery, sessions, people, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from unit.host.v2g.scripted import ScriptedStation
from unit.tools.ev.charger import PaperCharger
from unit.tools.ev.loopback import LoopbackCharger, Pilot

from vsecc_host.station.values import Cause
from vsecc_host.v2g import sdp
from vsecc_host.v2g.exi import din70121 as din
from vsecc_sim.ev.misbehave import Act, Do
from vsecc_sim.ev.profiles import load_profile, profile_names
from vsecc_sim.ev.result import EvResult, Progress
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd, EvPhase, Step
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus
from vsecc_sim.virtual_time import run, settle

SMALL_WH = 1000.0


def small_battery(profile: str, soc: float = 40.0) -> Battery:
    """A session of seconds, nothing else changed."""
    return Battery.of_profile(load_profile(profile), soc, capacity_wh=SMALL_WH)


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in virtual time."""

    @wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapped


async def charge(
    world: LoopbackCharger, profile: str = "default", *, target: float = 45.0, **more: Any
) -> EvResult:
    """One whole run of a small car."""
    car = EvSimulator(
        profile,
        sdp=world.url,
        bus=world.bus,
        battery=more.pop("battery", None) or small_battery(profile),
        target_soc_percent=target,
        **more,
    )
    return await car.run()


@pytest.mark.parametrize("name", profile_names())
@virtually
async def test_every_profile_charges_over_loopback(name: str) -> None:
    async with LoopbackCharger(DcBus()) as world:
        pilot = Pilot()
        result = await charge(world, name, pilot=pilot)
        profile = load_profile(name)
        assert result.end == profile.expected_end
        assert result.goal and not result.errors
        assert result.soc_end >= 45.0 > 40.0 == result.soc_start
        assert result.energy_wh == pytest.approx(SMALL_WH * 0.05, rel=0.25)
        assert pilot.states == ["B", "C", "B"]
        assert [span.name for span in result.phases] == [
            "connected",
            "setup",
            "cable_check",
            "pre_charge",
            "charging",
            "stopping",
            "finished",
        ]
        assert result.phases[1].start_s >= profile.discovery.delay_s + profile.discovery.connect_s


@pytest.mark.parametrize("name", profile_names())
@virtually
async def test_every_profile_charges_at_the_real_v2g_service(name: str) -> None:
    async with ScriptedStation() as station:
        car = EvSimulator(name, sdp=station.sdp_url, battery=small_battery(name), target_soc_percent=45.0)
        result = await car.run()
        assert (result.end, result.errors) == (load_profile(name).expected_end, ())
        await settle(lambda: bool(station.ends))
        assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_FINISHED, True)]


@virtually
async def test_same_seed_same_session() -> None:
    async with LoopbackCharger(DcBus()) as world:
        results = [await charge(world, "ioniq", seed=seed) for seed in (7, 7, 8)]
        spans = [[round(span.duration_s, 4) for span in result.phases] for result in results]
        assert spans[0] == spans[1] != spans[2]


@virtually
async def test_figures_for_machines_and_people() -> None:
    async with LoopbackCharger(DcBus()) as world:
        told: list[Progress] = []
        result = await charge(world, on_progress=told.append)
        table = result.as_json()
        assert table["answers"]["count"] == sum(map(len, result.answers.values()))
        assert table["answers"]["max_ms"] < 25
        assert {progress.phase for progress in told} == set(EvPhase)
        assert max(progress.current_a for progress in told) > 50
        assert told[-1].energy_wh == result.energy_wh


# --- discovery --------------------------------------------------------------------------------------------


@virtually
async def test_the_car_waits_for_the_five_percent_before_it_asks() -> None:
    async with LoopbackCharger(DcBus()) as world:
        began = asyncio.get_running_loop().time()
        result = await charge(world, pilot=Pilot(on_after_s=30.0))
        assert result.goal
        assert world.asked[0][0] - began == pytest.approx(30.2, abs=0.06)


@virtually
async def test_without_pilot_the_car_gives_up() -> None:
    async with LoopbackCharger() as world:
        result = await charge(world, pilot=Pilot(on_after_s=1e6))
        assert (result.end, result.goal, world.asked) == (EvEnd.NO_PILOT, False, [])


@virtually
async def test_the_audi_asks_for_tls_fifty_times_then_without() -> None:
    async with LoopbackCharger(DcBus(), answers_tls=False) as world:
        assert (await charge(world, "audi-q4")).goal
        kinds = [security for _, security in world.asked]
        assert kinds == [sdp.Security.TLS] * 50 + [sdp.Security.NONE]
        gaps = [b - a for (a, _), (b, _) in zip(world.asked, world.asked[1:], strict=False)]
        assert gaps == pytest.approx([0.25] * 50, abs=0.001)


@virtually
async def test_the_plaid_lives_with_an_answer_without_tls() -> None:
    async with LoopbackCharger(DcBus()) as world:
        assert (await charge(world, "model-x-plaid")).goal
        assert [security for _, security in world.asked] == [sdp.Security.TLS]


@pytest.mark.parametrize(("name", "rounds"), [("default", 1), ("audi-q4", 3)])
@virtually
async def test_nobody_answers(name: str, rounds: int) -> None:
    async with LoopbackCharger() as world:
        world.silent = True
        result = await charge(world, name)
        assert (result.end, result.rounds) == (EvEnd.NO_SDP_ANSWER, rounds)
        assert len(world.asked) == rounds * 50 * len(load_profile(name).discovery.security)


@virtually
async def test_a_closed_port_is_no_connection() -> None:
    async with LoopbackCharger(listens=False) as world:
        assert (await charge(world)).end is EvEnd.NO_CONNECTION


def test_a_wrong_url_is_refused() -> None:
    for url in ("http://x", "sdp://nowhere", "iface://"):
        with pytest.raises(ValueError, match="expected"):
            EvSimulator("default", sdp=url)
    with pytest.raises(OSError, match=r".+"):
        EvSimulator("default", sdp="iface://no-such-interface")


# --- people -----------------------------------------------------------------------------------------------


@virtually
async def test_the_driver_stops_while_charging() -> None:
    async with LoopbackCharger(DcBus()) as world:
        car = EvSimulator("default", sdp=world.url, bus=world.bus, battery=small_battery("default"))
        task = asyncio.create_task(car.run())
        await settle(lambda: car.phase is EvPhase.CHARGING and car.energy_wh > 5)
        car.request_stop()
        result = await task
        assert (result.end, result.goal, result.errors) == (EvEnd.STOPPED_BY_DRIVER, True, ())


@virtually
async def test_the_driver_stops_before_anybody_answered() -> None:
    async with LoopbackCharger() as world:
        world.silent = True
        car = EvSimulator("default", sdp=world.url)
        task = asyncio.create_task(car.run())
        await settle(lambda: bool(world.asked))
        car.request_stop()
        result = await task
        assert (result.end, result.goal) == (EvEnd.STOPPED_BY_DRIVER, False)


@virtually
async def test_pulling_the_cable_goes_silent() -> None:
    async with LoopbackCharger(DcBus()) as world:
        assert world.bus is not None
        pilot = Pilot()
        battery = small_battery("default")
        car = EvSimulator("default", sdp=world.url, bus=world.bus, battery=battery, pilot=pilot)
        task = asyncio.create_task(car.run())
        await settle(lambda: world.bus is not None and world.bus.current_a > 20)
        requests = len(world.charger.requests)
        car.unplug()
        result = await task
        await asyncio.sleep(1.0)
        assert result.end is EvEnd.UNPLUGGED and not result.goal
        assert pilot.states == ["B", "C", "A"]
        assert len(world.charger.requests) == requests
        assert world.bus.current_a == 0.0 and world.bus.battery is None


@virtually
async def test_a_lost_duty_cycle_opens_and_hangs_up() -> None:
    async with LoopbackCharger(DcBus()) as world:
        assert world.bus is not None
        pilot = Pilot()
        car = EvSimulator(
            "default", sdp=world.url, bus=world.bus, battery=small_battery("default"), pilot=pilot
        )
        task = asyncio.create_task(car.run())
        await settle(lambda: car.phase is EvPhase.CHARGING)
        pilot.forced = 1000
        lost_at = asyncio.get_running_loop().time()
        result = await task
        assert result.end is EvEnd.PILOT_LOST
        assert asyncio.get_running_loop().time() - lost_at < 3.0
        assert not world.bus.contactor_closed


@virtually
async def test_a_cancelled_run_leaves_the_contactor_open() -> None:
    async with LoopbackCharger(DcBus()) as world:
        assert world.bus is not None
        pilot = Pilot()
        car = EvSimulator("default", sdp=world.url, bus=world.bus, pilot=pilot)
        task = asyncio.create_task(car.run())
        await settle(lambda: world.bus is not None and world.bus.contactor_closed)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not world.bus.contactor_closed
        assert pilot.states[-1] == "B"


# --- faults -----------------------------------------------------------------------------------------------


@virtually
async def test_a_charger_that_hangs_up_is_connection_lost() -> None:
    class HangsUp(LoopbackCharger):
        def prepare(self, charger: PaperCharger) -> PaperCharger:
            def hang_up(res: Any, nth: int) -> Any:
                for transport in list(self._transports):
                    transport.close()

            charger.change(din.CableCheckRes, hang_up)
            return charger

    async with HangsUp(DcBus()) as world:
        assert (await charge(world)).end is EvEnd.CONNECTION_LOST


@virtually
async def test_the_audi_tries_three_times() -> None:
    class Silent(LoopbackCharger):
        def prepare(self, charger: PaperCharger) -> PaperCharger:
            charger.change(din.ServiceDiscoveryRes, lambda res, nth: None)
            return charger

    async with Silent(DcBus()) as world:
        result = await charge(world, "audi-q4")
        assert (result.end, result.rounds, len(world.chargers)) == (EvEnd.MESSAGE_TIMEOUT, 3, 3)


@virtually
async def test_one_byte_at_a_time_still_charges() -> None:
    async with LoopbackCharger(DcBus()) as world:
        act = Act(at=Step.PAYMENT_SELECTION, do=Do.ONE_BYTE, interval_s=0.001)
        result = await charge(world, misbehave=(act,))
        assert result.goal
        assert {size for _, size in world.received[3:]} == {1}


@virtually
async def test_never_reading_runs_into_the_message_timeout() -> None:
    async with LoopbackCharger(DcBus()) as world:
        act = Act(at=Step.CABLE_CHECK, do=Do.NEVER_READ)
        result = await charge(world, misbehave=(act,))
        assert result.end is EvEnd.MESSAGE_TIMEOUT


@virtually
async def test_a_misbehaving_car_is_told_off_by_the_real_service() -> None:
    async with ScriptedStation() as station:
        act = Act(at=Step.CURRENT_DEMAND, nth=5, do=Do.WRONG_SESSION_ID)
        car = EvSimulator("default", sdp=station.sdp_url, battery=small_battery("default"), misbehave=(act,))
        result = await car.run()
        assert result.end is EvEnd.ANSWER_FAILED
        assert "FAILED_UnknownSession" in result.detail


@virtually
async def test_minutes_of_charging_take_seconds() -> None:
    async with LoopbackCharger(DcBus()) as world:
        battery = Battery.of_profile(load_profile("ioniq"), 20.0)
        result = await charge(world, "ioniq", battery=battery, target=40.0)
        assert result.goal
        assert 300 < result.phases[4].duration_s < 600
        assert result.energy_wh == pytest.approx(28_000 * 0.2, rel=0.1)
