"""Sessions whose power comes from the PECC simulator over real WebSockets, on two outlets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.pecc.rules import Weight
from vsecc_sim.pecc.scenario import parse_scenario
from vsecc_sim.pecc.simulator import PeccSimulator
from vsecc_sim.pecc.states import PeccState
from vsecc_sim.station import report
from vsecc_sim.station.options import PECC_INSIDE, PECC_SIMULATOR, Refused, StationOptions, power_urls
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

Story = Callable[[SimulatedStation], Awaitable[Any]]


def options(**changes: Any) -> StationOptions:
    given = {
        "interpreter": "cpython",
        "capacity_wh": 80.0,
        "pecc": (PECC_SIMULATOR,),
        "pep_version": "auto",
        **changes,
    }
    return StationOptions(**given)


def play(story: Story, **changes: Any) -> Any:
    async def scene() -> Any:
        async with SimulatedStation(options(**changes)) as station:
            return await story(station)

    return virtual_time.run(scene())


async def two_cars(station: SimulatedStation, protocols: tuple[str, str] = ("din", "iso2")) -> None:
    for evse, protocol in enumerate(protocols, 1):
        station.plug(evse, protocol=protocol)
    for evse in (1, 2):
        await station.session_over(evse)
    for evse in (1, 2):
        await station.unplug(evse)


def assert_goal(station: SimulatedStation) -> None:
    """Charged, the SECC kept every rule, no contactor opened under load."""
    summary = report.summary(station)
    assert summary["goal"] and summary["errors"] == []
    assert station.pecc is not None
    for point in station.pecc.points:
        assert [one for one in point.conduct.findings if one.weight is Weight.RULE] == []
        assert point.conduct.sessions >= 1
        assert point.stage.worst_opening_a < 5.0


@pytest.mark.parametrize("version", ["auto", "1.2", "1.5"])
def test_din_and_iso2_on_two_outlets(version: str) -> None:
    async def story(station: SimulatedStation) -> None:
        await two_cars(station)
        assert_goal(station)
        assert {point.version.text for point in station.pecc.points} == {
            "1.8" if version == "auto" else version
        }
        assert report.state(station)["pecc"]["charge_points"][0]["state"] == "standby"

    play(story, pep_version=version)


def scenario(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pecc.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "manners",
    [
        "float_values = false",
        "transition_refuses = false",
        "reply_delay_s = 0.3",
        "strict_pending = true",
        'versions = ["1.4"]',
        "status_period_s = 0.25",
        "transition_s = 3.0",
        "ping_period_s = 0",
    ],
)
def test_whatever_the_manners_of_the_pecc(tmp_path: Path, manners: str) -> None:
    async def story(station: SimulatedStation) -> None:
        await two_cars(station)
        assert_goal(station)

    play(story, pecc_scenario=scenario(tmp_path, f"[manners]\n{manners}\n"))


def test_limits_of_the_pecc_reach_the_car_and_are_kept(tmp_path: Path) -> None:
    async def story(station: SimulatedStation) -> None:
        station.plug(1, protocol="iso2", target_soc_percent=60.0)
        await station.session_over(1)
        amperes = max(sample.current_a for sample in station.pecc.point(1).samples)
        watts = max(sample.current_a * sample.voltage_v for sample in station.pecc.point(1).samples)
        assert 40.0 < amperes <= 60.5
        assert watts <= 20_100.0
        await station.unplug(1)

    text = "[power]\nmax_current_a = 60\nmax_power_w = 20000\n"
    play(story, pecc_scenario=scenario(tmp_path, text), evses=1, capacity_wh=150.0)


def test_five_sessions_in_a_row_leave_nothing_behind() -> None:
    async def story(station: SimulatedStation) -> None:
        for _ in range(5):
            await two_cars(station, ("din", "din"))
            assert_goal(station)
        assert len(asyncio.all_tasks()) < 30

    play(story, capacity_wh=60.0)


def test_the_safety_relay_is_the_supervision_input() -> None:
    async def story(station: SimulatedStation) -> None:
        point = station.pecc.point(1)
        assert not point.supervised
        station.plug(1)
        await virtual_time.settle(lambda: point.state is PeccState.CHARGE and point.stage.current_a > 50)
        assert point.supervised and station.mcu.relay(1).closed
        Verbs(station).table["fault"]({"evse": 1, "code": "cp-open"})
        await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=0.1, step_s=0.001)
        assert not point.stage.closed and point.stage.current_a == 0.0
        await virtual_time.settle(lambda: point.state is PeccState.STANDBY, within_s=5.0)

    play(story, evses=1)


def test_contactors_that_stay_closed_take_the_outlet_out_of_service_until_they_open() -> None:
    async def story(station: SimulatedStation) -> None:
        verbs = Verbs(station).table
        station.plug(1)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.CHARGING, within_s=60.0)
        verbs["fault"]({"evse": 1, "code": "contactor-stuck-closed"})
        await station.session_over(1)
        await station.outlets[1].unplug(orderly=False)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.FAULTED, within_s=20.0)
        assert station.view(1).cause is Cause.POWER_INOPERATIVE
        verbs["fault"]({"evse": 1, "code": "contactor-stuck-closed", "active": False})
        await virtual_time.settle(lambda: station.view(1).phase is Phase.IDLE, within_s=20.0)
        station.plug(1)
        await station.session_over(1)
        assert station.outlets[1].result.goal

    play(story, evses=1)


def test_stop_charging_ends_the_session_in_good_order() -> None:
    async def story(station: SimulatedStation) -> None:
        station.plug(1)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.CHARGING, within_s=60.0)
        await asyncio.sleep(2.0)
        Verbs(station).table["fault"]({"evse": 1, "code": "stop-charging"})
        await station.session_over(1)
        assert station.recorder.outlets[1].end is Cause.STOP_REQUESTED
        assert str(station.outlets[1].result.end) == "stopped_by_evse"
        assert station.pecc.point(1).stage.worst_opening_a < 5.0

    play(story, evses=1, capacity_wh=2000.0)


def test_faults_are_named_by_whoever_has_them() -> None:
    async def story(station: SimulatedStation) -> None:
        fault = Verbs(station).table["fault"]
        fault({"evse": 1, "code": "silent"})
        assert station.pecc.point(1).faults.names() == ["silent"]
        with pytest.raises(Refused, match=r"no fault fire; there are .*cp-short.*silent"):
            fault({"evse": 1, "code": "fire"})
        with pytest.raises(Refused, match="takes no value"):
            fault({"evse": 1, "code": "silent", "value": 3})
        fault({"evse": 2, "code": "isolation-fault"})
        assert station.pecc.point(2).faults.names() == []

    play(story, pecc=(PECC_SIMULATOR, PECC_INSIDE))


def test_power_electronics_elsewhere() -> None:
    async def scene() -> None:
        elsewhere = parse_scenario({"load": {"kind": "battery", "soc_percent": 20, "capacity_wh": 5000}})
        async with PeccSimulator(elsewhere, charge_points=2) as pecc:
            url = pecc.url(1).removesuffix("1") + "{evse}"
            async with SimulatedStation(options(pecc=(url,))) as station:
                assert station.pecc is None
                for evse in (1, 2):
                    station.plug_external(evse)
                    assert station.app.evses[evse].power.faults == frozenset()
                await virtual_time.settle(lambda: all(point.linked for point in pecc.points))
        assert pecc.report()["ok"]

    virtual_time.run(scene())


@pytest.mark.parametrize(
    ("given", "outlets", "urls"),
    [
        ((), 2, {1: "sim://", 2: "sim://"}),
        (("sim://pep",), 2, {1: "sim://pep", 2: "sim://pep"}),
        (("sim://", "sim://pep"), 2, {1: "sim://", 2: "sim://pep"}),
        (("ws://a/p{evse}",), 2, {1: "ws://a/p1", 2: "ws://a/p2"}),
        (("ws://a/p",), 2, {1: "ws://a/p", 2: "sim://"}),
    ],
)
def test_one_url_per_outlet(given: tuple[str, ...], outlets: int, urls: dict[int, str]) -> None:
    assert power_urls(given, outlets) == urls


@pytest.mark.parametrize("given", [("tcp://a",), ("sim://other",), ("ws://a", "ws://b", "ws://c")])
def test_other_urls_are_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        power_urls(given, 2)


# --- real time ---------------------------------------------------------------------------------------


async def test_real_time_real_firmware_two_outlets() -> None:
    """MicroPython where there is one, every process and socket real, nothing jumps."""
    async with SimulatedStation(options(interpreter="auto", capacity_wh=60.0)) as station:
        await two_cars(station)
        summary = report.summary(station)
        assert summary["goal"], summary["errors"]
        assert station.pecc.report()["ok"], station.pecc.report()


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("inoperative", Cause.POWER_INOPERATIVE), ("isolation-fault", Cause.ISOLATION_FAULT)],
)
async def test_real_time_a_fault_while_charging(fault: str, cause: Cause) -> None:
    async with SimulatedStation(options(interpreter="auto", capacity_wh=2000.0, evses=1)) as station:
        station.plug(1)
        await virtual_time.settle(lambda: station.view(1).power.current_a > 20.0, within_s=30.0)
        Verbs(station).table["fault"]({"evse": 1, "code": fault})
        await station.session_over(1)
        await virtual_time.settle(lambda: station.recorder.outlets[1].end is cause, within_s=5.0)
        stage = station.pecc.point(1).stage
        await virtual_time.settle(lambda: not (stage.closed or station.mcu.relay(1).closed), within_s=2.0)
        assert station.view(1).cause is cause
        assert not station.view(1).relay_closed and station.outlets[1].bus.current_a == 0.0
        assert station.pecc.report()["ok"], station.pecc.report()
