"""Powerline matching as the outlet sees it: who drives the pilot, what a person is told, when it is over."""

from __future__ import annotations

import pytest
from unit.host.station.rig import Rig

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import Cause, CpState, Phase, PilotMode

OVER_POWERLINE = EvseConfig(matches=True, lock_connector=True)


def connected() -> Rig:
    """A car at an outlet with a powerline modem."""
    return Rig(OVER_POWERLINE).to(Phase.CONNECTED)


def pilots(rig: Rig) -> list[PilotMode]:
    return [command.mode for command in rig.log if isinstance(command, c.SetPilot)]


def locks(rig: Rig) -> list[bool]:
    return [command.locked for command in rig.log if isinstance(command, c.LockConnector)]


@pytest.mark.clause("ISO15118-3 9.2")
def test_the_pilot_invites_only_when_matching_listens() -> None:
    rig = Rig(OVER_POWERLINE).to(Phase.IDLE)
    rig.log.clear()
    rig.cp(CpState.B)
    assert any(isinstance(command, c.AcceptV2g) and command.accepted for command in rig.log)
    assert PilotMode.PWM not in pilots(rig)
    rig.evse(e.PilotWanted, mode=PilotMode.PWM)
    assert pilots(rig)[-1] is PilotMode.PWM


def test_a_failed_run_shows_why_and_the_link_forgets_it() -> None:
    rig = connected()
    rig.evse(e.MatchingFailed, final=False, detail="no CM_ATTEN_CHAR.RSP")
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED, Cause.MATCHING_FAILED)
    assert rig.view.cause_detail == "no CM_ATTEN_CHAR.RSP"
    rig.evse(e.LinkChanged, linked=True)
    assert (rig.phase, rig.view.cause, rig.view.cause_detail) == (Phase.CONNECTED, Cause.NONE, "")


def test_given_up_the_outlet_waits_in_x1_for_unplugging_and_lets_the_cable_go() -> None:
    rig = connected()
    rig.log.clear()
    rig.evse(e.MatchingFailed, final=True, detail="no CM_SLAC_PARM.REQ")
    rig.wait(600.0)
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.MATCHING_FAILED)
    assert rig.view.cause_detail == "no CM_SLAC_PARM.REQ"
    assert pilots(rig)[-1] is PilotMode.STEADY_POSITIVE
    assert not [x for x in rig.log if isinstance(x, c.AcceptV2g)][-1].accepted
    assert locks(rig) == [False]
    rig.cp(CpState.A)
    rig.cp(CpState.B)
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED, Cause.NONE)


def test_a_link_lost_before_a_session_began_shows() -> None:
    rig = connected()
    rig.evse(e.LinkChanged, linked=True)
    rig.evse(e.LinkChanged, linked=False)
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED, Cause.LINK_LOST)


def test_a_link_lost_under_load_ends_the_session_and_the_error_routine_has_the_pilot() -> None:
    rig = Rig(OVER_POWERLINE).to(Phase.CHARGING)
    rig.log.clear()
    rig.evse(e.V2gSessionEnded, cause=Cause.LINK_LOST, orderly=False)
    rig.evse(e.LinkChanged, linked=False)
    rig.measure(current_a=0.0)
    rig.measure(contactors_closed=False, voltage_v=10.0)
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.LINK_LOST)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_NEGATIVE)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_POSITIVE)
    rig.evse(e.PilotWanted, mode=PilotMode.PWM)
    assert pilots(rig)[-3:] == [
        PilotMode.STEADY_POSITIVE,
        PilotMode.STEADY_NEGATIVE,
        PilotMode.STEADY_POSITIVE,
    ], "5 % waits for the next session"
    assert any(isinstance(x, c.PowerContactors) and not x.closed for x in rig.log)


def test_an_orderly_end_keeps_the_pilot_whatever_matching_wants() -> None:
    rig = Rig(OVER_POWERLINE).to(Phase.STOPPING)
    rig.measure(current_a=0.0)
    rig.measure(contactors_closed=False, voltage_v=10.0)
    rig.cp(CpState.B)
    rig.log.clear()
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_POSITIVE)
    rig.wait(1.4)
    assert pilots(rig) == []
    rig.wait(0.2)
    assert pilots(rig) == [PilotMode.STEADY_POSITIVE]


@pytest.mark.parametrize("plugged", [False, True])
def test_a_dead_modem_makes_the_outlet_unavailable_until_it_works_again(plugged: bool) -> None:
    rig = Rig(OVER_POWERLINE).to(Phase.CONNECTED if plugged else Phase.IDLE)
    rig.log.clear()
    rig.evse(e.ModemTold, usable=False, detail="no answer to CM_SET_KEY")
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.MODEM_DEAD)
    assert rig.view.cause_detail == "no answer to CM_SET_KEY"
    assert locks(rig) == ([False] if plugged else [])
    rig.evse(e.ModemTold, usable=True)
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED if plugged else Phase.IDLE, Cause.NONE)


def test_matching_has_no_say_while_a_session_runs() -> None:
    rig = Rig(OVER_POWERLINE).to(Phase.CHARGING)
    rig.log.clear()
    for mode in PilotMode:
        rig.evse(e.PilotWanted, mode=mode)
    rig.evse(e.MatchingFailed, final=True, detail="a neighbour's car")
    assert pilots(rig) == []
    assert (rig.phase, rig.view.cause) == (Phase.CHARGING, Cause.NONE)
