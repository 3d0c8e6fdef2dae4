"""The port around the sessions: pilot, E/F routine, D-LINK primitives, keys per session, the table itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from unit.host.slac.rig import CAR, OWN, RUN, Solo

from vsecc_host.slac import messages as m
from vsecc_host.slac import table
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import (
    DlinkReady,
    MatchState,
    MatchStateChanged,
    PilotRequest,
    SlacCause,
    SlacFailed,
)
from vsecc_host.slac.table import PortInput, PortState
from vsecc_host.station.values import CpState, PilotMode

X1, PWM, F = PilotMode.STEADY_POSITIVE, PilotMode.PWM, PilotMode.STEADY_NEGATIVE


def pilot(solo: Solo) -> list[tuple[float, PilotMode]]:
    """What was asked of the pilot, at seconds after the plug."""
    return [(round(event.at - 1000.0, 3), event.mode) for event in solo.told(PilotRequest)]


def follow(solo: Solo, seconds: float) -> None:
    """Time passes and the pilot does what is asked, 20 ms later; the modem does its part."""
    end = solo.now + seconds
    done = len(solo.told(PilotRequest))
    while solo.now < end - 1e-6:
        solo.wait(0.02)
        for event in solo.told(PilotRequest)[done:]:
            done += 1
            solo.machine.cp_changed(
                CpState.F if event.mode is F else CpState.B, event.duty_permille, solo.now
            )
        serve(solo)


def serve(solo: Solo) -> None:
    """The modem takes every key."""
    for request in solo.said(m.SetKeyReq, m.NwInfoReq):
        if isinstance(request, m.SetKeyReq):
            solo.modem(m.SetKeyCnf(1))
        else:
            solo.modem(m.NwInfoCnf(m.Network(solo.machine.modem.key.nid, m.Role.COORDINATOR)))


def linked() -> Solo:
    solo = Solo()
    solo.plug()
    solo.sound()
    solo.match()
    solo.link()
    assert solo.machine.state is PortState.MATCHED
    return solo


def test_the_table_lists_every_pair_and_every_state_can_be_reached_and_left() -> None:
    assert {(i, s) for i, row in table.TABLE.items() for s in row} == set(
        itertools.product(PortInput, PortState)
    )
    moves = {(s, t) for row in table.TABLE.values() for s, t in row.items() if s is not t}
    assert {s for s, _ in moves} >= set(PortState) - {PortState.IDLE}
    assert {t for _, t in moves} == set(PortState)
    assert all(table.step(state, PortInput.UNPLUGGED) is PortState.IDLE for state in PortState)


def test_the_documented_table_is_the_real_one() -> None:
    text = (Path(__file__).parents[4] / "docs" / "slac.md").read_text()
    assert table.markdown() in text
    assert table.mermaid() in text


def test_listening_comes_before_five_percent() -> None:
    solo = Solo()
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.LISTENING
    assert pilot(solo) == [(0.0, PWM)]
    assert solo.told(PilotRequest)[0].duty_permille == 50


def test_nothing_starts_without_a_car() -> None:
    solo = Solo()
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.IDLE
    assert pilot(solo) == []


@pytest.mark.clause("ISO15118-3 TT_EVSE_SLAC_init", "ISO15118-3 C_sequ_retry", "ISO15118-3 T_step_EF")
def test_no_slac_wakes_the_car_twice_by_state_f_then_waits_for_the_cable() -> None:
    solo = Solo()
    solo.plug()
    follow(solo, 140.0)
    asked = pilot(solo)
    assert [mode for _, mode in asked] == [PWM, F, X1, PWM, F, X1, PWM, X1]
    at = [time for time, _ in asked]
    assert solo.machine.state not in table.STEPS
    assert at[1] == pytest.approx(40.0)
    assert at[2] - at[1] == pytest.approx(4.0)
    assert at[3] - at[2] == pytest.approx(0.75)
    assert at[4] - at[3] == pytest.approx(40.0, abs=0.03)  # from 5 % really on
    assert at[7] - at[6] == pytest.approx(40.0, abs=0.03)
    assert [(e.cause, e.final) for e in solo.told(SlacFailed)] == [
        (SlacCause.NO_SLAC, False),
        (SlacCause.NO_SLAC, False),
        (SlacCause.NO_SLAC, True),
    ]
    assert solo.machine.state is PortState.HELD
    assert solo.car(m.SlacParmReq(RUN)) == []


def test_after_the_cable_was_out_everything_is_open_again() -> None:
    solo = Solo(SlacConfig(slac_init_s=20.0, wake_retries=0))
    solo.plug()
    follow(solo, 25.0)
    assert solo.machine.state is PortState.HELD
    solo.machine.cp_changed(CpState.A, 0, solo.now)
    solo.plug()
    assert solo.machine.state is PortState.LISTENING


def test_a_car_that_wakes_up_late_still_matches() -> None:
    solo = Solo()
    solo.plug()
    follow(solo, 60.0)
    solo.sound()
    assert isinstance(solo.match()[0], m.SlacMatchCnf)


def test_a_cable_pulled_during_state_f_is_seen_afterwards() -> None:
    solo = Solo()
    solo.plug()
    follow(solo, 41.0)
    assert solo.machine.state in table.STEPS
    solo.wait(3.5)
    assert solo.machine.state is PortState.STEP_X1
    solo.machine.cp_changed(CpState.UNKNOWN, 0, solo.now)
    solo.wait(0.75)
    assert solo.machine.state is PortState.IDLE
    assert solo.machine.state not in table.STEPS


def test_a_cable_that_state_f_hid_a_little_longer_is_seen_afterwards() -> None:
    """The controller needs longer than X1 lasts to find state B again: the car is not forgotten."""
    solo = Solo()
    solo.plug()
    follow(solo, 41.0)
    assert solo.machine.state is PortState.STEP_EF
    solo.wait(5.0)
    assert solo.machine.state is PortState.IDLE
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.wait(1.0)
    assert solo.machine.state is PortState.LISTENING
    assert pilot(solo)[-1][1] is PWM


@pytest.mark.clause("ISO15118-3 T_step_EF")
def test_state_f_lasts_four_seconds_on_the_pilot_however_late_it_got_there() -> None:
    solo = Solo()
    solo.plug()
    follow(solo, 39.9)
    solo.wait(0.4)
    assert solo.machine.state is PortState.STEP_EF
    solo.machine.cp_changed(CpState.F, 0, solo.now)
    solo.wait(3.999)
    assert pilot(solo)[-1][1] is F
    solo.wait(0.001)
    assert pilot(solo)[-1][1] is X1


@pytest.mark.clause("ISO15118-3 T_conn_init_HLC")
@pytest.mark.parametrize("before", [CpState.C, CpState.D, CpState.E, CpState.F])
def test_state_b_lasts_200_ms_before_the_invitation_when_the_car_was_not_just_plugged(
    before: CpState,
) -> None:
    solo = Solo()
    solo.machine.cp_changed(before, 0, solo.now)
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.machine.start(solo.now)
    solo.wait(0.199)
    assert pilot(solo) == []
    assert solo.car(m.SlacParmReq(RUN)) == []
    solo.wait(0.001)
    assert [mode for _, mode in pilot(solo)] == [PWM]
    assert len(solo.car(m.SlacParmReq(RUN))) == 1


def test_a_modem_that_gets_ready_meanwhile_does_not_shorten_state_b() -> None:
    solo = Solo(ready=False)
    solo.machine.cp_changed(CpState.F, 0, solo.now)
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.machine.start(solo.now)
    solo.modem(m.SetKeyCnf(1))
    solo.modem(m.NwInfoCnf(m.Network(solo.machine.modem.key.nid, m.Role.COORDINATOR)))
    solo.wait(0.199)
    assert pilot(solo) == []
    solo.wait(0.001)
    assert [mode for _, mode in pilot(solo)] == [PWM]


def test_wanted_again_right_after_terminate_the_last_answer_still_gets_out() -> None:
    solo = linked()
    solo.machine.terminate(solo.now)
    solo.wait(0.1)
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.LEAVING
    solo.wait(0.699)
    assert solo.said(m.SetKeyReq) == []
    solo.wait(0.001)
    assert len(solo.said(m.SetKeyReq)) == 1


@pytest.mark.clause("ISO15118-3 TT_match_join")
def test_no_link_in_twelve_seconds_leaves_and_starts_over_with_a_new_key() -> None:
    solo = Solo()
    solo.plug()
    solo.sound()
    solo.match()
    given = solo.machine.modem.key
    began = solo.now
    solo.link(stations=0, for_s=11.99)
    assert solo.machine.state is PortState.JOINING
    solo.link(stations=0, for_s=0.02)
    assert solo.machine.state is PortState.LEAVING
    assert solo.told(SlacFailed)[-1].cause is SlacCause.NOT_JOINED
    assert solo.machine.modem.key.nmk != given.nmk
    before = len(pilot(solo))
    assert solo.told(PilotRequest)[-1].at - began == pytest.approx(12.0)
    follow(solo, 7.0)
    assert [mode for _, mode in pilot(solo)[before - 1 :]] == [X1, F, X1, PWM]
    assert solo.machine.state is PortState.LISTENING


def test_after_five_failed_joins_the_cable_must_come_out() -> None:
    solo = Solo()
    solo.plug()
    for run in range(5):
        solo.sound(run=run.to_bytes(8, "big"))
        solo.match(run=run.to_bytes(8, "big"))
        solo.link(stations=0, for_s=12.1)
        follow(solo, 8.0)
    assert solo.machine.state is PortState.HELD
    assert [e.final for e in solo.told(SlacFailed) if e.cause is SlacCause.NOT_JOINED] == [*[False] * 4, True]


@pytest.mark.clause("ISO15118-3 D-LINK_TERMINATE", "ISO15118-3 TP_match_leave")
def test_terminate_leaves_within_a_second_and_holds_until_the_cable_was_out_or_cp_passed_f() -> None:
    for way_out in (CpState.A, CpState.F, CpState.E):
        solo = linked()
        given = solo.machine.modem.key.nmk
        solo.machine.terminate(solo.now)
        assert solo.said(m.SetKeyReq) == [], "the last V2G answer is still on its way"
        solo.wait(1.0)
        (request,) = solo.said(m.SetKeyReq)
        assert request.new_key != given
        assert [event.link for event in solo.told(DlinkReady)] == [True, False]
        assert pilot(solo)[-1][1] is X1
        assert solo.told(MatchStateChanged)[-1].state is MatchState.UNMATCHED
        assert solo.car(m.SlacParmReq(RUN)) == []
        solo.machine.cp_changed(way_out, 0, solo.now)
        assert solo.machine.state is PortState.IDLE


def test_unplugged_right_after_terminate_the_network_is_left_at_once() -> None:
    solo = linked()
    given = solo.machine.modem.key.nmk
    solo.machine.terminate(solo.now)
    solo.machine.cp_changed(CpState.A, 0, solo.now)
    (request,) = solo.said(m.SetKeyReq)
    assert request.new_key != given
    solo.wait(3.0)
    assert {request.new_key for request in solo.said(m.SetKeyReq)} <= {solo.machine.modem.key.nmk}


def test_wanted_again_after_terminate_the_port_passes_state_f_before_it_listens() -> None:
    solo = linked()
    solo.machine.terminate(solo.now)
    began = solo.now
    solo.machine.start(solo.now)
    assert solo.car(m.SlacParmReq(RUN)) == []
    follow(solo, 5.74)
    assert solo.car(m.SlacParmReq(RUN)) == []
    follow(solo, 0.02)
    asked = [mode for at, mode in pilot(solo) if at + 1000.0 >= began]
    assert asked[-4:] == [X1, F, X1, PWM]
    assert len(solo.car(m.SlacParmReq(RUN))) == 1


def test_a_port_that_nobody_wants_answers_nobody() -> None:
    """Its car's session is over and the cable still in: a request now is some neighbour's."""
    for before, after in (("listening", "idle"), ("matching", "idle"), ("joining", "held")):
        solo = Solo()
        solo.plug()
        if before != "listening":
            solo.sound()
        if before == "joining":
            solo.match()
        assert solo.machine.state == before
        given = solo.machine.modem.key
        solo.machine.rest(solo.now)
        assert solo.machine.state == after
        assert (solo.machine.modem.key == given) is (before != "joining"), "a key that was handed out"
        assert solo.car(m.SlacParmReq(RUN)) == []


def test_an_error_routine_nobody_waits_for_ends_idle_and_starts_when_wanted() -> None:
    solo = linked()
    solo.machine.error(solo.now)
    solo.machine.rest(solo.now)
    follow(solo, 6.0)
    assert solo.machine.state is PortState.IDLE
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.LISTENING


def test_wanted_during_state_f_the_port_listens_afterwards() -> None:
    solo = linked()
    solo.machine.error(solo.now)
    solo.machine.rest(solo.now)
    follow(solo, 3.0)
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.STEP_EF
    follow(solo, 3.0)
    assert solo.machine.state is PortState.LISTENING


@pytest.mark.clause("ISO15118-3 D-LINK_ERROR")
def test_error_goes_through_x1_and_f_back_to_listening() -> None:
    solo = linked()
    solo.machine.error(solo.now)
    began = solo.now
    follow(solo, 7.0)
    asked = [(round(t + 1000.0 - began, 2), mode) for t, mode in pilot(solo) if t + 1000.0 >= began - 1e-6]
    assert asked == [(0.0, X1), (1.0, F), (5.0, X1), (5.75, PWM)]
    assert solo.machine.state is PortState.LISTENING
    solo.sound()
    assert isinstance(solo.match()[0], m.SlacMatchCnf)


def test_error_after_a_lost_link_is_ready_within_fifteen_seconds() -> None:
    solo = linked()
    lost = solo.now
    solo.link(stations=0, for_s=1.0)
    assert solo.machine.state is PortState.LOST
    solo.machine.error(solo.now)
    follow(solo, 6.0)
    assert solo.machine.state is PortState.LISTENING
    assert solo.now - lost < 15.0


@pytest.mark.clause("ISO15118-3 D-LINK_PAUSE")
def test_a_pause_keeps_the_key_and_ends_without_slac() -> None:
    solo = linked()
    key = solo.machine.modem.key
    solo.machine.pause(solo.now)
    assert pilot(solo)[-1][1] is X1
    solo.wait(4.0)
    solo.machine.rest(solo.now)  # nobody talks meanwhile
    solo.machine.cp_changed(CpState.C, 0, solo.now)
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    assert solo.machine.state is PortState.PAUSED, "who wakes up is decided above"
    solo.machine.start(solo.now)
    assert pilot(solo)[-1][1] is PWM
    solo.link()
    assert [event.link for event in solo.told(DlinkReady)] == [True, True]
    assert solo.machine.modem.key == key


def test_a_car_that_does_not_wake_up_is_matched_anew() -> None:
    solo = linked()
    solo.machine.pause(solo.now)
    solo.machine.start(solo.now)
    solo.link(stations=0, for_s=6.1)
    assert solo.told(SlacFailed)[-1].cause is SlacCause.NOT_RESUMED
    assert solo.machine.state is PortState.LEAVING


def test_unplugging_in_every_step_leaves_nothing_behind() -> None:
    def parameters(solo: Solo) -> None:
        solo.car(m.SlacParmReq(RUN))

    def sounding(solo: Solo) -> None:
        solo.sound(sounds=4)

    def reported(solo: Solo) -> None:
        solo.sound()

    def joining(solo: Solo) -> None:
        solo.sound()
        solo.match()

    def matched(solo: Solo) -> None:
        joining(solo)
        solo.link()

    for step in (parameters, sounding, reported, joining, matched):
        solo = Solo()
        solo.plug()
        step(solo)
        given = solo.machine.modem.key.nmk
        solo.take()
        solo.machine.cp_changed(CpState.A, 0, solo.now)
        assert solo.machine.sessions == ()
        assert solo.machine.state is PortState.IDLE
        renewed = solo.said(m.SetKeyReq)
        assert bool(renewed) is (step in (joining, matched)), "only a key that a car got is renewed"
        assert all(request.new_key != given for request in renewed)
        if renewed:
            solo.modem(m.SetKeyCnf(1))
        follow(solo, 1.0)
        solo.plug()
        solo.sound()
        assert isinstance(solo.match()[0], m.SlacMatchCnf)


def test_fast_replugging_asks_the_modem_for_one_key_at_a_time_and_hands_out_the_last() -> None:
    solo = linked()
    solo.machine.cp_changed(CpState.A, 0, solo.now)
    (first,) = solo.said(m.SetKeyReq)
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.WAITING
    assert solo.said(m.SetKeyReq) == []
    solo.modem(m.SetKeyCnf(1))
    follow(solo, 1.0)
    assert solo.machine.state is PortState.LISTENING
    assert solo.machine.modem.key.nmk == first.new_key


@pytest.mark.parametrize("state", [CpState.E, CpState.F])
def test_a_pilot_fault_ends_matching_until_it_is_wanted_again(state: CpState) -> None:
    solo = linked()
    solo.machine.cp_changed(state, 0, solo.now)
    assert solo.machine.state is PortState.IDLE
    assert [event.link for event in solo.told(DlinkReady)] == [True, False]
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    follow(solo, 1.0)
    assert solo.machine.state is PortState.IDLE
    solo.machine.start(solo.now)
    assert solo.machine.state is PortState.LISTENING


def test_an_outlet_whose_pilot_cannot_be_read_answers_no_request() -> None:
    solo = Solo()
    solo.plug()
    solo.machine.cp_changed(CpState.UNKNOWN, 50, solo.now)
    assert solo.car(m.SlacParmReq(RUN)) == []
    solo.machine.cp_changed(CpState.B, 50, solo.now)
    assert len(solo.car(m.SlacParmReq(RUN))) == 1


def test_a_lost_interface_is_a_lost_link_and_comes_back_with_a_new_key() -> None:
    solo = linked()
    given = solo.machine.modem.key.nmk
    solo.machine.disconnected("gone", solo.now)
    assert solo.machine.state is PortState.LOST
    assert solo.machine.next_deadline() is None
    solo.machine.connected(OWN, solo.now)
    assert solo.said(m.SetKeyReq)[0].new_key != given


def test_charging_states_and_unknown_readings_do_not_disturb() -> None:
    solo = linked()
    for state in (CpState.C, CpState.D, CpState.UNKNOWN, CpState.C, CpState.B):
        solo.machine.cp_changed(state, 50, solo.now)
        assert solo.machine.state is PortState.MATCHED
    assert solo.machine.sessions[0].ev_mac == CAR
