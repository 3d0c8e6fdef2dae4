"""Control API of a station over simulated powerlines: faults of the line, what is told of matching."""

from __future__ import annotations

import asyncio
import json

import pytest
from integration.line_stories import LineStation, charging, play, until

from vsecc_host.records.capture import to_capture
from vsecc_host.runtime.trace import Hop
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.events import SlacMatched
from vsecc_host.station.events import V2gSessionStarted
from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.plc.faults import FAULTS, LineFaults, UnknownLineFault
from vsecc_sim.plc.medium import Medium
from vsecc_sim.plc.site import outlet_modem, populate
from vsecc_sim.station import report
from vsecc_sim.station.options import Refused, StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs


def test_the_attenuation_of_each_group_is_kept_with_the_session_and_shown() -> None:
    async def story(station: LineStation) -> None:
        station.plug(1)
        await charging(station, 1)
        state = report.state(station)["evses"][0]["slac"]
        assert state["ev_mac"] == "020000000301" and len(state["run_id"]) == 16
        assert (state["linked"], state["proven"], state["sounds"]) == (True, True, 10)
        assert state["attenuation_db"] == [30] * 58 and state["average_db"] == 30.0
        assert state["modem"]["state"] == "ready"
        assert report.state(station)["evses"][1]["slac"]["attenuation_db"] is None
        await until(lambda: station.outlets[1].result is not None)
        await station.unplug(1)
        summary = json.loads(json.dumps(report.summary(station)))
        assert summary["evses"][0]["slac"]["attenuation_db"] == [30] * 58
        hops = [x.what for x in station.app.trace if isinstance(x, Hop) and isinstance(x.what, SlacMatched)]
        assert [hop.attenuation.groups_db for hop in hops] == [(30,) * 58]
        rows = to_capture(station.app.trace, 1)["homeplug"]
        reported = [codec.decode(bytes.fromhex(row["hex"])) for row in rows]
        assert [f.message.groups_db for f in reported if f and isinstance(f.message, m.AttenCharInd)] == [
            bytes([30] * 58)
        ]
        assert not any(station.app.evses[1].slac.machine.modem.key.nmk.hex() in row["hex"] for row in rows)  # type: ignore[union-attr]

    play(story)


def test_din_and_iso2_over_tls_at_once_five_times_in_a_row() -> None:
    async def story(station: LineStation) -> None:
        keys = set()
        for _ in range(5):
            station.plug(1, profile="polestar-2", protocol="din")
            station.plug(2, profile="iso2-tls")
            for evse in (1, 2):
                await until(lambda evse=evse: station.outlets[evse].result is not None)
                slac = station.app.evses[evse].slac
                assert slac is not None
                keys.add(slac.machine.modem.key.nmk)
            summary = report.summary(station)
            assert summary["goal"], summary["errors"]
            assert station.outlets[2].result is not None and station.outlets[2].result.tls
            for evse in (1, 2):
                assert summary["evses"][evse - 1]["slac"]["failures"] == []
                await station.unplug(evse)
        assert len(keys) == 10, "a key of its own for every session"
        assert len(asyncio.all_tasks()) < 20

    play(story, tls=True)


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_each_fault_of_the_line_can_be_set_and_healed(code: str) -> None:
    """Healed, the next car charges as if nothing had been."""

    async def story(station: LineStation) -> None:
        station.fault(1, code)
        station.plug(1)
        await asyncio.sleep(3.0)
        await station.unplug(1, orderly=False)
        station.fault(1, code, active=False)
        await until(lambda: station.view(1).phase is Phase.IDLE)
        await asyncio.sleep(10.0)  # a modem that was thought dead is asked every 2 s
        station.plug(1)
        await charging(station, 1)
        assert station.view(1).cause is Cause.NONE and station.view(2).cause is Cause.NONE

    play(story)


def test_without_a_powerline_its_faults_are_not_there() -> None:
    async def scene() -> None:
        async with SimulatedStation(StationOptions(evses=1, interpreter="cpython")) as station:
            with pytest.raises(Refused) as refused:
                Verbs(station).table["fault"]({"evse": 1, "code": "modem-dead"})
            assert "link-lost" not in str(refused.value) and "cp-short" in str(refused.value)
            assert report.state(station)["evses"][0]["slac"] is None

    virtual_time.run(scene())


def test_with_one_an_unknown_fault_is_answered_with_all_of_them() -> None:
    async def story(station: LineStation) -> None:
        with pytest.raises(Refused, match="modem-dead") as refused:
            station.fault(1, "no-such")
        assert all(code in str(refused.value) for code in ("link-lost", "cp-short", "neighbour-louder"))

    play(story)


def test_pause_and_resume_reach_the_car_behind_the_modem() -> None:
    async def story(station: LineStation) -> None:
        verbs = Verbs(station).table
        station.plug(1, profile="iso2")
        await charging(station, 1)
        verbs["ev-pause"]({"evse": 1})
        await until(lambda: station.view(1).phase is Phase.FINISHED)
        assert station.view(1).cause is Cause.EV_PAUSED and not station.view(1).relay_closed
        verbs["ev-resume"]({"evse": 1})
        await charging(station, 1)
        assert station.of(1, V2gSessionStarted)[-1].resumed

    play(story)


def test_an_unknown_line_fault_names_all() -> None:
    medium = Medium()
    populate(medium, 2, 2)
    faults = LineFaults(medium)
    with pytest.raises(UnknownLineFault, match="modem-dead"):
        faults.inject("nothing", True, 1, 0.0)
    faults.inject("modem-dead", True, 2, 0.0)
    assert medium.modems[outlet_modem(2)].manners.silent
    assert not medium.modems[outlet_modem(1)].manners.silent
