"""Modem, link, neighbours and plug go wrong in every phase of matching and charging: the whole station.

Each time: output safe, the right cause for a person, the port ready for the next car (which charges), the car
at the other outlet undisturbed.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from integration.line_stories import (
    BIG_WH,
    IN_SESSION,
    LineStation,
    Neighbour,
    car,
    charging,
    next_car_charges,
    play,
    safe,
    until,
)

from vsecc_host.runtime.trace import Frame
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.session import SessionState
from vsecc_host.slac.table import PortState
from vsecc_host.station.commands import LockConnector
from vsecc_host.station.events import V2gSessionEnded, V2gSessionStarted
from vsecc_host.station.values import Cause, Phase
from vsecc_sim.plc import habits
from vsecc_sim.plc.ev_machine import EvState
from vsecc_sim.plc.loopback_line import LoopbackLine


def slac_frame(raw: bytes) -> codec.Frame | None:
    """What a recorded frame says, if it is one of matching."""
    with contextlib.suppress(codec.CodecError):
        return codec.decode(raw)
    return None


MODEM_DIES = ["modem-dead", "interface gone"]


def modem_dies(station: LineStation, how: str, dead: bool = True) -> None:
    if how != "interface gone":
        station.fault(1, how, dead)
    elif dead:
        station.line.pull_modem(1)
    else:
        station.line.put_modem(1)


# --- the modem --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", MODEM_DIES)
def test_a_modem_dead_in_idle_makes_the_outlet_unavailable_until_it_is_back(how: str) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        modem_dies(station, how)
        await until(lambda: station.view(1).phase is Phase.FAULTED, within_s=60.0)
        assert station.view(1).cause is Cause.MODEM_DEAD
        assert station.view(1).cause_detail
        station.plug(1)
        await asyncio.sleep(10.0)
        assert "PWM" not in [mode for _, mode in station.pilots(1)], "no invitation that nobody can answer"
        modem_dies(station, how, dead=False)
        await until(lambda: station.view(1).phase in IN_SESSION)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("how", MODEM_DIES)
@pytest.mark.parametrize("moment", [PortState.LISTENING, PortState.MATCHING, PortState.JOINING])
def test_a_modem_dead_while_matching(how: str, moment: PortState) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.plug(1)
        await until(lambda: station.matching(1) is moment, within_s=20.0, step_s=0.001)
        modem_dies(station, how)
        await until(lambda: station.view(1).cause is Cause.MODEM_DEAD, within_s=60.0)
        assert (station.view(1).phase, safe(station, 1)) == (Phase.FAULTED, True)
        assert station.pilots(1)[-1][1] == "STEADY_POSITIVE"
        modem_dies(station, how, dead=False)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("how", MODEM_DIES)
@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_a_modem_dead_in_mid_charge(how: str, protocol: str) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.plug(1, protocol=protocol, target_soc_percent=100.0)
        await charging(station, 1)
        modem_dies(station, how)
        await until(lambda: safe(station, 1), within_s=2.0)
        await until(lambda: station.view(1).cause is Cause.MODEM_DEAD, within_s=20.0)
        (ended,) = station.of(1, V2gSessionEnded)
        assert not ended.orderly
        told = Cause.MODEM_DEAD if how == "interface gone" else Cause.LINK_LOST
        assert station.recorder.outlets[1].end is told
        modem_dies(station, how, dead=False)
        await next_car_charges(station, 1, protocol=protocol)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("code", ["modem-no-set-key", "modem-refuses-key"])
def test_a_modem_that_takes_no_new_key_after_a_session_is_told_and_taken_back(code: str) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.fault(1, code)
        station.plug(1, soc_percent=20.0, target_soc_percent=20.05)
        await until(lambda: station.outlets[1].result is not None)
        await station.unplug(1)
        await until(lambda: station.view(1).cause is Cause.MODEM_DEAD, within_s=30.0)
        assert "CM_SET_KEY" in station.view(1).cause_detail
        station.plug(1)
        await asyncio.sleep(30.0)
        assert station.of(1, V2gSessionStarted)[1:] == [], "a key that an old car knows is given to nobody"
        station.fault(1, code, active=False)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("answers", [False, True], ids=["never answers", "answers in the end"])
def test_a_modem_that_does_not_take_its_first_key(answers: bool) -> None:
    """The station comes up with it: the outlet says why it is not available, the other one charges."""

    def prepare(line: LoopbackLine) -> None:
        line.medium.modems["outlet1"].manners.takes_keys = False

    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        await until(lambda: station.view(1).phase is Phase.FAULTED, within_s=20.0)
        assert station.view(1).cause_detail == "no answer to CM_SET_KEY"
        station.plug(1)
        await asyncio.sleep(120.0)
        assert (station.view(1).cause, safe(station, 1)) == (Cause.MODEM_DEAD, True)
        if answers:
            station.line.medium.modems["outlet1"].manners.takes_keys = True
            await until(lambda: station.view(1).phase in IN_SESSION, within_s=20.0)
            await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH, prepare=prepare)


@pytest.mark.parametrize("code", ["modem-slow-key", "modem-tells-nothing", "sounds-lost", "line-lossy"])
def test_what_a_port_has_to_live_with(code: str) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.fault(1, code)
        for _ in range(3):
            station.plug(1)
            await until(lambda: station.view(1).phase in IN_SESSION, within_s=120.0)
            await station.unplug(1, orderly=False)
            assert safe(station, 1)
        station.fault(1, code, active=False)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


# --- the link ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_a_link_lost_in_mid_charge_stops_safely_and_the_same_car_matches_again(protocol: str) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        clock = asyncio.get_running_loop().time
        station.plug(1, protocol=protocol, soc_percent=20.0, target_soc_percent=21.0, rematches=1)
        await charging(station, 1)
        lost_at = clock()
        station.fault(1, "link-lost")
        await until(lambda: not station.mcu.relay(1).closed, within_s=5.0)
        assert clock() - lost_at < 2.0, "0.8 s until the loss is known, 1 s for the current to fall"
        await until(lambda: station.view(1).phase is Phase.FINISHED, within_s=10.0)
        assert station.view(1).cause is Cause.LINK_LOST
        station.fault(1, "link-lost", active=False)
        await until(lambda: station.matching(1) is PortState.LISTENING, within_s=20.0)
        assert clock() - lost_at < 15.0, "T_conn_resetup"
        steps = [mode for at, mode in station.pilots(1) if at > lost_at]
        assert steps == ["STEADY_POSITIVE", "STEADY_NEGATIVE", "STEADY_POSITIVE", "PWM"]
        await until(lambda: station.outlets[1].result is not None)
        result = station.outlets[1].result
        assert result is not None and result.goal, result
        assert len(station.of(1, V2gSessionStarted)) == 2
        await next_car_charges(station, 1, protocol=protocol)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_a_short_dropout_of_the_link_goes_unnoticed(protocol: str) -> None:
    async def story(station: LineStation) -> None:
        station.plug(1, protocol=protocol)
        await charging(station, 1)
        station.fault(1, "modem-dead")
        await asyncio.sleep(0.15)
        station.fault(1, "modem-dead", active=False)
        await until(lambda: station.outlets[1].result is not None)
        result = station.outlets[1].result
        assert result is not None and result.goal, result
        assert len(station.of(1, V2gSessionStarted)) == 1

    play(story)


def test_a_link_that_never_comes_up_ends_in_x1_after_five_joins_and_the_next_car_charges() -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.fault(1, "link-fails")
        station.plug(1)
        await until(lambda: station.view(1).phase is Phase.FINISHED, within_s=300.0)
        assert station.view(1).cause is Cause.MATCHING_FAILED
        assert station.view(1).cause_detail == "no link after CM_SLAC_MATCH.CNF"
        assert (
            station.recorder.outlets[1].matching.failures
            == ["not_joined: no link after CM_SLAC_MATCH.CNF"] * 5
        )
        at = asyncio.get_running_loop().time()
        await asyncio.sleep(120.0)
        assert [mode for when, mode in station.pilots(1) if when > at] == [], "until the cable was out"
        station.fault(1, "link-fails", active=False)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.clause("ISO15118-3 C_sequ_retry")
def test_no_slac_at_all_toggles_e_f_twice_then_waits_in_x1_and_says_why() -> None:
    async def story(station: LineStation) -> None:
        station.plug_external(1)
        began = asyncio.get_running_loop().time()
        await until(lambda: station.view(1).phase is Phase.FINISHED, within_s=300.0)
        modes = [mode for at, mode in station.pilots(1) if at >= began]
        round_trip = ["STEADY_NEGATIVE", "STEADY_POSITIVE", "PWM"]
        assert modes == ["PWM", *round_trip, *round_trip, "STEADY_POSITIVE"]
        assert station.view(1).cause is Cause.MATCHING_FAILED
        assert station.view(1).cause_detail == "no CM_SLAC_PARM.REQ"
        await next_car_charges(station, 1)

    play(story)


# --- neighbours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["neighbour-louder", "neighbour-as-loud"])
def test_a_neighbours_car_that_is_heard_too_well_at_an_empty_outlet(code: str) -> None:
    """Outlet 1 hears the car at outlet 2, but has no car itself: it keeps silent."""

    async def story(station: LineStation) -> None:
        station.fault(1, code)
        station.plug(2)
        await until(lambda: station.outlets[2].result is not None)
        result = station.outlets[2].result
        assert result is not None and result.goal
        assert station.matching(1) is PortState.IDLE
        assert station.of(1, V2gSessionStarted) == []
        await next_car_charges(station, 1)

    play(story)


def test_a_car_that_is_louder_at_a_charging_outlet_disturbs_nobody() -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        station.fault(2, "neighbour-louder")
        for _ in range(3):
            await next_car_charges(station, 1)
            neighbour.check()

    play(story, capacity_wh=BIG_WH)


def test_a_car_that_is_louder_at_a_charged_outlet_finds_its_own() -> None:
    """The neighbour is done, its cable still in: its outlet must not answer for it."""

    async def story(station: LineStation) -> None:
        station.plug(2)
        await until(lambda: station.outlets[2].result is not None)
        await until(lambda: station.view(2).phase is Phase.FINISHED)
        station.fault(2, "neighbour-louder")
        station.plug(1)
        await until(lambda: station.view(1).phase in IN_SESSION, within_s=4.0)
        assert len(station.of(2, V2gSessionStarted)) == 1
        await until(lambda: station.outlets[1].result is not None)
        result = station.outlets[1].result
        assert result is not None and result.goal

    play(story)


def test_two_cars_at_once_one_heard_best_at_the_wrong_outlet_no_energy_and_ready_afterwards() -> None:
    """Nothing at the outlets can tell a wrong choice of the car; its pilot does: no state C, no relay."""

    async def story(station: LineStation) -> None:
        station.fault(2, "neighbour-louder")
        station.plug(1)
        station.plug(2, habits=replace(habits.load(), parm_repeat_ms=60_000, start_after_ms=5_000))
        await until(lambda: station.matching(2) in (PortState.JOINING, PortState.MATCHED), within_s=10.0)
        slac = station.app.evses[2].slac
        assert slac is not None and slac.machine._port.matched is not None
        assert slac.machine._port.matched.ev_mac == car(station, 1).matching.slac.machine.mac  # type: ignore[union-attr]
        await asyncio.sleep(30.0)
        for evse in (1, 2):
            assert safe(station, evse)
        station.fault(2, "neighbour-louder", active=False)
        for evse in (1, 2):
            await next_car_charges(station, evse)

    play(story)


# --- the plug ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        *[s for s in SessionState if s not in (SessionState.FAILED, SessionState.MATCHED)],
        PortState.LISTENING,
        PortState.JOINING,
        PortState.MATCHED,
        PortState.STEP_EF,
        PortState.LEAVING,
    ],
    ids=str,
)
def test_the_plug_is_pulled_in_each_phase_of_matching(moment: SessionState | PortState) -> None:
    toggles = 2 if moment in (SessionState.VALIDATING, SessionState.TOGGLING, SessionState.VALIDATED) else 0
    waits = 500 if moment is SessionState.VALIDATED else 0
    habit = replace(habits.load(), validate_toggles=toggles)

    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        slac = station.app.evses[1].slac
        assert slac is not None
        if moment in (PortState.STEP_EF, PortState.LEAVING):
            station.fault(1, "link-fails")
        if waits:
            station.fault(1, "line-late")

        def there() -> bool:
            if isinstance(moment, PortState):
                return slac.state is moment
            return any(session.state is moment for session in slac.machine.sessions)

        station.plug(1, habits=habit)
        given = slac.machine.modem.key.nmk
        await until(there, within_s=60.0, step_s=0.0005)
        handed_out = slac.state in (PortState.JOINING, PortState.MATCHED)
        await station.unplug(1, orderly=False)
        assert safe(station, 1)
        await until(lambda: slac.state is PortState.IDLE and slac.machine.modem.ready, within_s=10.0)
        assert slac.machine.sessions == ()
        assert not handed_out or slac.machine.modem.key.nmk != given
        for code in ("link-fails", "line-late"):
            station.fault(1, code, active=False)
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.clause("ISO15118-3 CM_VALIDATE")
def test_a_car_validates_by_toggling_the_real_pilot() -> None:
    async def story(station: LineStation) -> None:
        await next_car_charges(station, 1, habits=replace(habits.load(), validate_toggles=2))
        frames = [record.raw for record in station.app.trace if isinstance(record, Frame)]
        told = [seen.message for raw in frames if (seen := slac_frame(raw)) is not None]
        answers = [message for message in told if isinstance(message, m.ValidateCnf)]
        assert [answer.result for answer in answers[-2:]] == [
            m.ValidateResult.READY,
            m.ValidateResult.SUCCESS,
        ]
        assert answers[-1].toggles == 2

    play(story)


# --- pause ------------------------------------------------------------------------------------------------


@pytest.mark.clause("ISO15118-3 D-LINK_PAUSE", "ISO15118-3 T_conn_resume")
def test_a_pause_over_the_powerline_sleeps_in_x1_and_wakes_up_without_slac() -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        clock = asyncio.get_running_loop().time
        slac = station.app.evses[1].slac
        assert slac is not None
        station.settings.set_for_run("Connector", "LockEnabled", True, evse=1)
        station.plug(1, profile="iso2", soc_percent=20.0, target_soc_percent=21.0)
        await charging(station, 1)
        key = slac.machine.modem.key
        paused_at = clock()
        car(station, 1).ev.pause()
        await until(lambda: car(station, 1).ev.paused, within_s=30.0)
        await asyncio.sleep(60.0)
        assert station.matching(1) is PortState.PAUSED
        assert slac.machine.modem.key == key
        assert (station.view(1).phase, station.view(1).cause) == (Phase.FINISHED, Cause.EV_PAUSED)
        assert [mode for at, mode in station.pilots(1) if at > paused_at] == ["STEADY_POSITIVE"]
        woken_at = clock()
        car(station, 1).ev.resume()
        await until(lambda: len(station.of(1, V2gSessionStarted)) == 2, within_s=20.0)
        assert clock() - woken_at < 8.0
        assert station.of(1, V2gSessionStarted)[1].resumed
        assert [mode for at, mode in station.pilots(1) if at > woken_at] == ["PWM"]
        assert car(station, 1).matching.state is EvState.LINKED  # type: ignore[union-attr]
        await until(lambda: station.outlets[1].result is not None)
        result = station.outlets[1].result
        assert result is not None and result.goal, result
        await station.unplug(1)
        assert [lock.locked for lock in station.of(1, LockConnector)] == [True, False]
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


def test_a_link_lost_in_a_pause_is_matched_anew_when_the_car_wakes_up() -> None:
    async def story(station: LineStation) -> None:
        station.plug(1, profile="iso2", soc_percent=20.0, target_soc_percent=60.0, rematches=1)
        await charging(station, 1)
        car(station, 1).ev.pause()
        await until(lambda: car(station, 1).ev.paused, within_s=30.0)
        station.fault(1, "link-lost")
        await asyncio.sleep(60.0)
        car(station, 1).ev.resume()
        await until(lambda: station.view(1).cause is Cause.MATCHING_FAILED, within_s=10.0)
        assert station.view(1).cause_detail == "no link after the pause"
        station.fault(1, "link-lost", active=False)
        await until(lambda: station.outlets[1].result is not None)
        await next_car_charges(station, 1)

    play(story)
