"""What the control API lets a car do: TLS, habits, misbehaviour, renegotiation from either side."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from vsecc_host.station.events import ChargeRenegotiationRequested
from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd
from vsecc_sim.station import report
from vsecc_sim.station.control import parse_body
from vsecc_sim.station.options import Refused, StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

ROOT = Path(__file__).parents[2]
Say = Callable[..., None]
Story = Callable[[SimulatedStation, Say], Awaitable[None]]


def play(story: Story, **options: Any) -> None:
    """Run a story in a station on a virtual clock; `say(verb, **body)` is a request as it comes over HTTP."""

    async def scene() -> None:
        made = StationOptions(evses=1, interpreter="cpython", capacity_wh=2_000.0, **options)
        async with SimulatedStation(made) as station:
            table = Verbs(station).table

            def say(verb: str, **body: Any) -> None:
                table[verb](parse_body(verb, json.dumps({"evse": 1, **body}).encode()))

            await story(station, say)

    virtual_time.run(scene())


async def charging(station: SimulatedStation) -> None:
    await virtual_time.settle(
        lambda: station.view(1).phase is Phase.CHARGING and station.view(1).power.current_a > 10.0,
        within_s=90.0,
    )


async def ended(station: SimulatedStation) -> Any:
    await station.session_over(1)
    return station.outlets[1].result


def test_a_car_over_tls() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug", protocol="iso2", tls="insist", target_soc=21)
        result = await ended(station)
        assert (result.goal, result.tls) == (True, True)

    play(story, tls=True)


def test_a_car_with_changed_habits_that_misbehaves() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say(
            "plug",
            changes={"charging": {"max_current_a": 40.0}},
            misbehave=[{"at": "current_demand", "nth": 30, "do": "disconnect", "reset": True}],
        )
        await charging(station)
        await virtual_time.settle(lambda: station.view(1).power.current_a > 39.0)
        result = await ended(station)
        assert (result.end, station.view(1).power.current_a <= 41.0) == (EvEnd.MISBEHAVED, True)

    play(story)


def test_a_car_told_to_misbehave_while_it_charges() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug")
        await charging(station)
        say("ev-misbehave", act={"at": "current_demand", "do": "beyond", "current_a": 900})
        result = await ended(station)
        assert result.detail == "CurrentDemandRes FAILED"
        assert station.view(1).cause is Cause.LIMITS_EXCEEDED

    play(story)


def test_the_driver_stops() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug")
        await charging(station)
        say("ev-stop")
        assert (await ended(station)).end is EvEnd.STOPPED_BY_DRIVER

    play(story)


def test_the_station_asks_for_renegotiation() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        heard: list[ChargeRenegotiationRequested] = []
        station.app.listen(
            lambda event: heard.append(event) if isinstance(event, ChargeRenegotiationRequested) else None
        )
        say("plug", protocol="iso2")
        with pytest.raises(Refused, match="does not charge"):
            say("renegotiate")
        await charging(station)
        say("renegotiate")
        await virtual_time.settle(lambda: bool(heard), within_s=10.0)
        assert (await ended(station)).goal
        assert len(heard) == 1

    play(story)


@pytest.mark.parametrize(
    ("verb", "body", "told"),
    [
        ("plug", {"misbehave": ["stall"]}, "misbehave 1: must be a table"),
        ("plug", {"soc": -5}, "soc must be from 0 to 100"),
        ("plug", {"soc": 100.1}, "soc must be from 0 to 100"),
        ("plug", {"target_soc": 101}, "target_soc must be from 0 to 100"),
        ("plug", {"soc": True}, "soc must be a number"),
        ("plug", {"profile": "/nowhere/mine.toml"}, "No such file"),
        ("plug", {"profile": "trabant"}, "no profile trabant"),
        ("plug", {"protocol": "din", "tls": "insist"}, "TLS"),
        ("plug", {"charge": "ac"}, "only DC"),
        ("plug", {"auth": "pnc"}, "external identification"),
        ("plug", {"evse": True}, "evse must be a whole number"),
        ("plug", {"external": "yes"}, "external must be true or false"),
        ("unplug", {}, "outlet 1 has no car"),
        ("fault", {"code": "earthquake"}, "there are .*isolation-fault.*over-temperature"),
        ("fault", {"code": "relay-weld", "target": 4}, "target 4"),
        ("start-button", {"evse": 0}, "no outlet 0"),
        ("io", {"inputs": {"d9": True}}, "unknown: evse"),
        ("clock", {"advance_s": -1}, "unknown: evse"),
        ("plug", {"misbehave": [{"at": "pre_charge", "do": "dance"}]}, "misbehave 1"),
        ("plug", {"changes": {"charging": {"colour": 1}}}, "unknown colour"),
        ("plug", {"tls": "perhaps"}, "must be one of off, try, insist"),
        ("plug", {"misbehave": "stall"}, "must be a list"),
        ("ev-misbehave", {"act": {"at": "pre_charge", "do": "stall"}}, "no simulated car"),
        ("ev-misbehave", {}, "act is missing"),
        ("ev-stop", {}, "no simulated car"),
        ("renegotiate", {}, "does not charge"),
        ("renegotiate", {"evse": 3}, "no outlet 3"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    verb: str, body: dict[str, Any], told: str
) -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        with pytest.raises(Refused, match=told):
            say(verb, **body)
        assert not station.outlets[1].plugged

    play(story)


@pytest.mark.parametrize(
    ("verb", "body", "told"),
    [
        ("token", {"value": "A", "evses": [2]}, "no outlet 2; there are 1"),
        ("token", {"value": "A", "evses": [True]}, "list of whole numbers"),
        ("token", {"value": "A", "evses": 1}, "evses must be a list"),
        ("token", {"evses": [1]}, "value is missing"),
        ("io", {"inputs": {"d9": True}}, "no input d9"),
        ("io", {"inputs": {"a1": "much"}}, "not a number"),
        ("io", {"inputs": [1]}, "inputs must be an object"),
        ("clock", {"advance_s": -1}, "advance_s must be from 0"),
        ("clock", {"advance_s": 1e9}, "advance_s must be from 0"),
        ("clock", {"advance_s": 1}, "needs --virtual-time"),
    ],
)
def test_what_no_outlet_is_asked_is_refused_too(verb: str, body: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        play_raw(verb, body)


def play_raw(verb: str, body: dict[str, Any]) -> None:
    """One request with exactly this body."""

    async def scene() -> None:
        async with SimulatedStation(StationOptions(evses=1, interpreter="cpython")) as station:
            Verbs(station).table[verb](parse_body(verb, json.dumps(body).encode()))

    virtual_time.run(scene())


def test_a_refused_car_leaves_the_record_of_the_last_one() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug", target_soc=21)
        assert (await ended(station)).goal
        await station.unplug(1)
        with pytest.raises(Refused, match="TLS"):
            say("plug", protocol="din", tls="insist")
        assert [phase.name for phase in station.recorder.outlets[1].phases][-1] == "finished"

    play(story)


def test_a_cable_pulled_while_the_car_still_ends_its_session(caplog: pytest.LogCaptureFixture) -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug", target_soc=80)
        await charging(station)
        say("unplug", orderly=True)
        say("unplug")
        await virtual_time.settle(lambda: not station.outlets[1].plugged, within_s=1.0)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.IDLE, within_s=10.0)
        say("plug", target_soc=21)
        assert (await ended(station)).goal
        assert station.outlets[1].plugged, "the first request took the second car away"

    play(story)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_din_cars_cannot_renegotiate() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug", protocol="din")
        await charging(station)
        with pytest.raises(Refused, match="only ISO 15118-2"):
            say("renegotiate")
        with pytest.raises(Refused, match="knows no renegotiation"):
            say("ev-renegotiate")
        assert (await ended(station)).goal

    play(story)


def test_a_car_from_outside_pauses_and_the_station_wakes_it_up() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        say("plug", external=True)
        with pytest.raises(Refused, match="outlet 1 is not paused"):
            say("ev-resume")
        host, port = station.app.evses[1].v2g.sdp_address
        car = EvSimulator("iso2", sdp=f"sdp://[{host}]:{port}", soc_percent=40.0, target_soc_percent=40.2)
        run = asyncio.create_task(car.run())
        await charging(station)
        car.pause()
        await virtual_time.settle(lambda: car.paused and station.view(1).cause is Cause.EV_PAUSED)
        await asyncio.sleep(60.0)
        assert not station.mcu.relay(1).closed
        car.resume()
        await asyncio.sleep(1.0)
        say("ev-resume")
        result = await run
        assert (result.end, result.errors, result.rounds) == (EvEnd.CHARGED, (), 2)
        await station.unplug(1)

    play(story)


def test_the_manual_names_every_key_of_the_state() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        state = report.state(station)
        text = (ROOT / "docs" / "station-simulator.md").read_text(encoding="utf-8")
        of_station, of_outlet = text.partition("| Key | ")[2].split("| Key of an outlet | ")
        assert keys_of(of_station) == {*state, "pecc"}
        assert keys_of(of_outlet.partition("\n\n")[0]) == set(state["evses"][0])

    play(story)


def keys_of(table: str) -> set[str]:
    """Words in code style of the first column."""
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_every_fault_can_be_set_and_healed_and_a_car_charges_afterwards() -> None:
    async def story(station: SimulatedStation, say: Say) -> None:
        with pytest.raises(Refused) as refused:
            say("fault", code="?")
        codes = str(refused.value).partition("there are ")[2].split(", ")
        for needed in ("cp-short", "cp-diode", "inoperative", "isolation-fault", "contactor-stuck"):
            assert needed in codes
        for needed in ("uart-noise", "mcu-hang", "over-temperature", "relay-weld", "supply"):
            assert needed in codes
        for code in codes:
            say("fault", code=code)
            await asyncio.sleep(0.5)
            say("fault", code=code, active=False)
        await asyncio.sleep(2.0)
        say("fault", code="mcu-soft-reset")  # latched faults need more than being over
        say("fault", code="mcu-soft-reset", active=False)
        await virtual_time.settle(lambda: station.view(1).phase is Phase.IDLE, within_s=15.0)
        say("plug", target_soc=21)
        assert (await ended(station)).goal

    play(story)


def test_every_fault_of_the_contract_ends_a_charge_by_its_name() -> None:
    expected = {
        "cp-short": Cause.CP_LEFT_C,  # the relay has opened before the fault is latched
        "inoperative": Cause.POWER_INOPERATIVE,
        "isolation-fault": Cause.ISOLATION_FAULT,
        "over-temperature": Cause.OVER_TEMPERATURE,
        "mcu-hang": Cause.MCU_LINK_LOST,
        "uart-cut": Cause.MCU_LINK_LOST,
        "silent": Cause.POWER_STALE,
    }

    async def story(station: SimulatedStation, say: Say) -> None:
        for code, cause in expected.items():
            say("plug", target_soc=100)
            await charging(station)
            say("fault", code=code)
            await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=5.0)
            await virtual_time.settle(lambda: station.view(1).phase is not Phase.CHARGING, within_s=5.0)
            assert station.view(1).cause is cause, code
            say("fault", code=code, active=False)
            await asyncio.sleep(1.0)
            say("unplug")
            await virtual_time.settle(lambda: station.view(1).phase is Phase.IDLE, within_s=30.0)

    play(story)
