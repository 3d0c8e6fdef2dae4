"""Matching of one car, message by message, with exact times (ISO 15118-3 clause 9 and Table A.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from unit.host.slac.rig import CAR, MODEM, OWN, RUN, Solo, mac

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import (
    DlinkReady,
    MatchState,
    MatchStateChanged,
    SlacCause,
    SlacFailed,
    SlacMatched,
)
from vsecc_host.slac.table import PortState
from vsecc_host.slac.times import MAX_SESSIONS
from vsecc_host.station.values import CpState

EARLY_S = 0.001


@pytest.fixture
def solo() -> Solo:
    made = Solo()
    made.plug()
    return made


def kinds(messages: list[Any]) -> list[str]:
    return [type(message).__name__ for message in messages]


@pytest.mark.clause("ISO15118-3 A.9.1")
def test_parameters_are_answered_at_once_with_the_cars_run_id(solo: Solo) -> None:
    assert solo.car(m.SlacParmReq(RUN)) == [m.SlacParmCnf(CAR, RUN)]
    solo.take_events()
    assert solo.told(MatchStateChanged)[-1].state is MatchState.MATCHING


def test_nobody_is_answered_before_a_car_is_plugged() -> None:
    solo = Solo()
    assert solo.car(m.SlacParmReq(RUN)) == []
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    assert solo.car(m.SlacParmReq(RUN)) == []
    assert solo.machine.ignored["not listening"] == 2


def test_several_requests_within_ten_milliseconds_are_all_answered(solo: Solo) -> None:
    for _ in range(3):
        assert kinds(solo.car(m.SlacParmReq(RUN), after_s=0.003)) == ["SlacParmCnf"]
    assert len(solo.machine.sessions) == 1


def test_the_answer_goes_to_the_car_alone(solo: Solo) -> None:
    solo.machine.receive(codec.encode(m.BROADCAST, CAR, m.SlacParmReq(RUN)), solo.now)
    (frame,) = solo.take()
    assert (frame.destination, frame.source) == (CAR, OWN)


@pytest.mark.clause("ISO15118-3 A.9.2")
def test_ten_sounds_are_reported_at_once(solo: Solo) -> None:
    said = solo.sound(level_db=21)
    assert said[-1] == m.AttenCharInd(CAR, RUN, 10, bytes([21] * 58))
    assert kinds(said) == ["SlacParmCnf", "AttenCharInd"]


def test_a_lost_sound_is_reported_when_the_window_ends(solo: Solo) -> None:
    """The window begins with the first START; stragglers get 45 ms more."""
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    began = solo.now
    for _ in range(7):
        solo.wait(0.04)
        solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
    solo.wait(began + 0.645 - EARLY_S - solo.now)
    assert solo.said() == []
    solo.wait(EARLY_S)
    (report,) = solo.said()
    assert (report.num_sounds, report.groups_db) == (7, bytes([30] * 58))


@pytest.mark.parametrize(("time_out", "window_s"), [(6, 0.6), (10, 1.0), (3, 0.6), (200, 1.0)])
def test_a_longer_window_of_the_car_is_kept_a_shorter_one_is_not(
    solo: Solo, time_out: int, window_s: float
) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN, time_out=time_out))
    solo.modem(m.AttenProfileInd(CAR, bytes(58)))
    solo.wait(window_s + 0.045 - EARLY_S)
    assert solo.said() == []
    solo.wait(EARLY_S)
    assert kinds(solo.said()) == ["AttenCharInd"]


def test_only_the_first_start_begins_the_window(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    for _ in range(3):
        solo.car(m.StartAttenCharInd(CAR, RUN), after_s=0.05)
    solo.modem(m.AttenProfileInd(CAR, bytes(58)))
    solo.wait(0.645 - 0.1)
    assert kinds(solo.said()) == ["AttenCharInd"]


def test_no_sound_at_all_is_met_with_silence(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.wait(2.0)
    assert solo.said() == []
    assert solo.told(SlacFailed)[-1].cause is SlacCause.SESSIONS_FAILED
    assert solo.machine.state is PortState.LISTENING


def test_a_modem_that_cannot_measure_needs_the_stand_in_setting() -> None:
    for allowed, expected in ((False, []), (True, ["AttenCharInd"])):
        solo = Solo(SlacConfig(stand_in_attenuation=allowed))
        solo.plug()
        solo.car(m.SlacParmReq(RUN))
        solo.car(m.StartAttenCharInd(CAR, RUN))
        solo.modem(m.AttenProfileInd(CAR, b""))
        solo.wait(0.645)
        assert kinds(solo.said()) == expected


def test_the_boards_own_loss_is_taken_off() -> None:
    solo = Solo(SlacConfig(attenuation_offset_db=7))
    solo.plug()
    assert solo.sound(level_db=30)[-1].groups_db == bytes([23] * 58)


@pytest.mark.clause("ISO15118-3 TT_match_sequence")
def test_a_session_without_start_ends_after_400_ms(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.wait(0.4 - EARLY_S)
    assert len(solo.machine.sessions) == 1
    solo.wait(EARLY_S)
    assert solo.machine.sessions == ()
    assert solo.car(m.StartAttenCharInd(CAR, RUN)) == []


@pytest.mark.clause("ISO15118-3 TT_match_response", "ISO15118-3 C_EV_match_retry")
def test_the_report_is_repeated_twice_then_the_session_fails(solo: Solo) -> None:
    first = solo.sound()[-1]
    began = solo.now
    for repeat in (1, 2):
        solo.wait(began + 0.2 * repeat - EARLY_S - solo.now)
        assert solo.said() == []
        solo.wait(EARLY_S)
        assert solo.said() == [first]
    solo.wait(0.2 - EARLY_S)
    assert len(solo.machine.sessions) == 1
    solo.wait(EARLY_S)
    assert solo.machine.sessions == ()
    assert solo.said() == []


def test_an_answer_to_the_third_report_is_in_time(solo: Solo) -> None:
    solo.sound()
    solo.wait(0.4 + 0.029)
    assert kinds(solo.said()) == ["AttenCharInd"] * 2
    assert kinds(solo.match()) == ["SlacMatchCnf"]


@pytest.mark.clause("ISO15118-3 TT_EVSE_match_session")
def test_the_car_may_take_ten_seconds_to_choose(solo: Solo) -> None:
    solo.sound()
    ended = solo.now
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    solo.wait(ended + 10.0 - EARLY_S - solo.now)
    assert len(solo.machine.sessions) == 1
    assert kinds(solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN)) == ["SlacMatchCnf"]


def test_a_car_that_never_chooses_is_forgotten(solo: Solo) -> None:
    solo.sound()
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    solo.wait(10.0)
    assert solo.machine.sessions == ()


@pytest.mark.clause("ISO15118-3 A.9.4")
def test_the_match_hands_out_the_key_and_names_car_and_attenuation(solo: Solo) -> None:
    solo.sound(level_db=12)
    (confirm,) = solo.match()
    key = solo.machine.modem.key
    assert confirm == m.SlacMatchCnf(CAR, OWN, RUN, key.nid, key.nmk)
    (matched,) = solo.told(SlacMatched)
    assert (matched.ev_mac, matched.run_id) == (CAR.hex().upper(), RUN.hex().upper())
    assert matched.attenuation.groups_db == (12,) * 58
    assert solo.machine.state is PortState.JOINING


def test_a_repeated_choice_gets_the_same_answer_until_the_link_is_up(solo: Solo) -> None:
    solo.sound()
    first = solo.match()
    assert solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN, after_s=0.2) == first
    assert len(solo.told(SlacMatched)) == 1
    solo.link()
    assert solo.machine.state is PortState.MATCHED
    assert solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN) == []


def test_a_choice_counts_even_if_the_response_was_lost(solo: Solo) -> None:
    solo.sound()
    assert kinds(solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN, after_s=0.003)) == ["SlacMatchCnf"]


def test_a_choice_before_the_report_is_ignored_and_the_measurement_goes_on(solo: Solo) -> None:
    choice = m.SlacMatchReq(CAR, OWN, RUN)
    assert solo.car(choice, to=OWN) == []
    solo.car(m.SlacParmReq(RUN))
    assert solo.car(choice, to=OWN) == []
    solo.car(m.StartAttenCharInd(CAR, RUN))
    for _ in range(9):
        solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
        assert solo.car(choice, to=OWN) == []
    solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
    assert kinds(solo.said()) == ["AttenCharInd"]
    assert kinds(solo.car(choice, to=OWN)) == ["SlacMatchCnf"]


def test_nobody_else_is_answered_once_a_car_chose(solo: Solo) -> None:
    solo.sound()
    solo.match()
    assert solo.car(m.SlacParmReq(b"another!"), ev=mac(3, 9)) == []
    solo.link()
    assert solo.car(m.SlacParmReq(RUN)) == []


def test_the_others_are_dropped_once_a_car_chose(solo: Solo) -> None:
    solo.car(m.SlacParmReq(b"another!"), ev=mac(3, 9))
    solo.sound()
    solo.match()
    assert [session.ev_mac for session in solo.machine.sessions] == [CAR]


VALID: dict[str, tuple[m.Message, str]] = {
    "parm": (m.SlacParmReq(RUN), "SlacParmCnf"),
    "match": (m.SlacMatchReq(CAR, OWN, RUN), "SlacMatchCnf"),
}


@pytest.mark.clause("ISO15118-3 9.1")
@pytest.mark.parametrize(
    ("message", "change"),
    [
        (VALID["parm"][0], {"application_type": 1}),
        (VALID["parm"][0], {"security_type": 1}),
        (VALID["match"][0], {"application_type": 1}),
        (VALID["match"][0], {"security_type": 1}),
        (VALID["match"][0], {"length": 0x3F}),
        (VALID["match"][0], {"ev_id": b"x" * 17}),
        (VALID["match"][0], {"evse_id": b"x" * 17}),
        (VALID["match"][0], {"ev_mac": mac(3, 9)}),
        (VALID["match"][0], {"evse_mac": mac(1, 9)}),
        (VALID["match"][0], {"run_id": b"another!"}),
    ],
)
def test_a_wrong_field_is_ignored_and_aborts_nothing(
    solo: Solo, message: Any, change: dict[str, Any]
) -> None:
    wrong = dataclasses.replace(message, **change)
    if isinstance(message, m.SlacParmReq):
        assert solo.car(wrong) == []
        assert kinds(solo.car(message)) == ["SlacParmCnf"]
        return
    solo.sound()
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    assert solo.car(wrong, to=OWN) == []
    assert kinds(solo.car(message, to=OWN)) == ["SlacMatchCnf"]


@pytest.mark.parametrize(
    "change", [{"num_sounds": 0}, {"time_out": 0}, {"run_id": b"another!"}, {"forwarding_sta": mac(3, 9)}]
)
def test_a_wrong_start_does_not_begin_the_window(solo: Solo, change: dict[str, Any]) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(dataclasses.replace(m.StartAttenCharInd(CAR, RUN), **change))
    solo.modem(m.AttenProfileInd(CAR, bytes(58)))
    solo.wait(1.0)
    assert solo.said() == []


@pytest.mark.parametrize(
    "change",
    [{"result": 1}, {"source_address": mac(3, 9)}, {"source_id": b"x" * 17}, {"run_id": b"another!"}],
)
def test_a_wrong_response_leaves_the_report_to_be_repeated(solo: Solo, change: dict[str, Any]) -> None:
    solo.sound()
    solo.car(dataclasses.replace(m.AttenCharRsp(CAR, RUN), **change), to=OWN)
    solo.wait(0.2)
    assert kinds(solo.said()) == ["AttenCharInd"]


def test_frames_for_others_are_not_heard(solo: Solo) -> None:
    assert solo.car(m.SlacParmReq(RUN), to=mac(1, 9)) == []
    assert solo.machine.ignored["other destination"] == 1


@pytest.mark.parametrize("source", [m.BROADCAST, OWN, b"\x01" + CAR[1:]])
def test_nobody_speaks_from_a_group_address_or_ours(solo: Solo, source: bytes) -> None:
    assert solo.car(m.SlacParmReq(RUN), ev=source) == []


def test_padding_and_extra_bytes_do_not_matter(solo: Solo) -> None:
    raw = codec.encode(m.BROADCAST, CAR, m.SlacParmReq(RUN))
    for frame in (raw[:29], raw + bytes(100)):
        solo.machine.receive(frame, solo.now)
        assert kinds(solo.said()) == ["SlacParmCnf"]


def test_profiles_of_another_modem_or_car_are_not_counted(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.modem(m.AttenProfileInd(CAR, bytes(58)), source=CAR)
    solo.modem(m.AttenProfileInd(mac(3, 9), bytes(58)))
    solo.wait(1.0)
    assert solo.said() == []


# --- restarts ----------------------------------------------------------------------------------------------


def test_a_car_that_starts_over_with_the_same_run_id_is_measured_anew(solo: Solo) -> None:
    solo.sound(level_db=50)
    solo.wait(0.1)
    solo.said()
    said = solo.sound(level_db=20)
    assert kinds(said) == ["SlacParmCnf", "AttenCharInd"]
    assert said[-1].groups_db == bytes([20] * 58)


def test_a_late_copy_of_the_request_does_not_disturb_the_sounds(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
    assert kinds(solo.car(m.SlacParmReq(RUN), after_s=0.1)) == ["SlacParmCnf"]
    for _ in range(9):
        solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
    assert solo.said()[-1].num_sounds == 10


def test_a_new_run_id_in_mid_session_is_a_session_of_its_own(solo: Solo) -> None:
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.modem(m.AttenProfileInd(CAR, bytes([50] * 58)))
    said = solo.sound(run=b"another!")
    assert said[0] == m.SlacParmCnf(CAR, b"another!")
    assert said[-1] == m.AttenCharInd(CAR, b"another!", 10, bytes([30] * 58))
    assert kinds(solo.match(run=b"another!")) == ["SlacMatchCnf"]


def test_two_cars_with_the_same_run_id_are_told_apart(solo: Solo) -> None:
    other = mac(3, 9)
    run = b"TESLA EV"
    for ev in (CAR, other):
        solo.car(m.SlacParmReq(run), ev=ev)
        solo.car(m.StartAttenCharInd(ev, run), ev=ev)
    for _ in range(10):
        solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
        solo.modem(m.AttenProfileInd(other, bytes([51] * 58)))
    reports = {report.source_address: report.groups_db[0] for report in solo.said()}
    assert reports == {CAR: 30, other: 51}


def test_a_flood_of_requests_is_bounded_and_one_car_cannot_use_up_the_places(solo: Solo) -> None:
    for run in range(100):
        solo.car(m.SlacParmReq(run.to_bytes(8, "little")))
    assert len(solo.machine.sessions) == 2
    for number in range(100):
        solo.car(m.SlacParmReq(RUN), ev=mac(3, number))
    assert len(solo.machine.sessions) == MAX_SESSIONS
    assert solo.machine.ignored["too many sessions"] == 100 - MAX_SESSIONS + 2
    solo.wait(0.4)
    assert solo.machine.sessions == ()


def kept_waiting(solo: Solo) -> None:
    """Reported three times, no RSP: the session has 50 ms left."""
    solo.sound()
    solo.wait(0.55)


def left_validating(solo: Solo) -> None:
    """First step confirmed three times, no second one: 50 ms left."""
    solo.sound()
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    solo.car(m.ValidateReq(0), to=OWN)
    solo.wait(1.15)


def unheard(solo: Solo) -> None:
    """The window without a sound ends in 45 ms."""
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.wait(0.6)


@pytest.mark.clause("ISO15118-3 TT_match_sequence")
@pytest.mark.parametrize("before", [kept_waiting, left_validating, unheard], ids=lambda f: f.__name__)
def test_a_car_that_starts_over_as_its_session_ends_has_400_ms_for_its_start(
    solo: Solo, before: Callable[[Solo], None]
) -> None:
    """Ioniq and Tesla use one run id for ever: the old session must not take the new one with it."""
    before(solo)
    solo.said()
    assert kinds(solo.car(m.SlacParmReq(RUN))) == ["SlacParmCnf"]
    solo.wait(0.4 - EARLY_S)
    solo.said()
    solo.car(m.StartAttenCharInd(CAR, RUN))
    for left in reversed(range(10)):
        solo.car(m.MnbcSoundInd(left, RUN, bytes(16)), after_s=0.02)
        solo.modem(m.AttenProfileInd(CAR, bytes([20] * 58)))
    assert kinds(solo.said()) == ["AttenCharInd"]
    assert kinds(solo.match()) == ["SlacMatchCnf"]


@pytest.mark.parametrize("before", [kept_waiting, left_validating, unheard], ids=lambda f: f.__name__)
def test_a_car_that_only_seemed_to_start_over_is_forgotten_after_400_ms(
    solo: Solo, before: Callable[[Solo], None]
) -> None:
    before(solo)
    solo.car(m.SlacParmReq(RUN))
    solo.wait(0.4)
    assert solo.machine.sessions == ()


def test_a_start_long_after_a_repeated_request_is_a_late_copy(solo: Solo) -> None:
    """The request was a copy too: what is measured stays measured."""
    solo.car(m.SlacParmReq(RUN))
    solo.car(m.StartAttenCharInd(CAR, RUN))
    solo.car(m.SlacParmReq(RUN))
    for _ in range(10):
        solo.modem(m.AttenProfileInd(CAR, bytes([30] * 58)))
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    assert solo.car(m.StartAttenCharInd(CAR, RUN), after_s=0.4) == []
    assert kinds(solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN)) == ["SlacMatchCnf"]


# --- after the match ---------------------------------------------------------------------------------------


@pytest.mark.clause("ISO15118-3 A.9.5")
def test_amplitude_maps_of_the_matched_car_are_accepted(solo: Solo) -> None:
    assert solo.car(m.AmpMapReq(4, b"\x11\x22"), to=OWN) == []
    solo.sound()
    solo.match()
    solo.link()
    assert solo.car(m.AmpMapReq(4, b"\x11\x22"), to=OWN) == [m.AmpMapCnf(0)]
    assert solo.car(m.AmpMapReq(0, b""), to=OWN) == []
    assert solo.car(m.AmpMapReq(4, b"\x11\x22"), ev=mac(3, 9), to=OWN) == []


def test_link_is_told_once_the_modem_names_the_cars_host(solo: Solo) -> None:
    solo.sound()
    solo.match()
    solo.link(for_s=0.5)
    (ready,) = solo.told(DlinkReady)
    assert ready.link
    assert ready.proven
    assert ready.ev_mac == CAR.hex().upper()


def test_a_link_to_an_unknown_host_is_a_link_but_not_proven(solo: Solo) -> None:
    solo.sound()
    solo.match()
    solo.link(host=m.BROADCAST)
    assert [(e.link, e.proven) for e in solo.told(DlinkReady)] == [(True, False)]


def test_answers_of_a_foreign_modem_make_no_link(solo: Solo) -> None:
    solo.sound()
    solo.match()
    network = m.Network(solo.machine.modem.key.nid, 2, (m.NetworkStation(MODEM, CAR),))
    for _ in range(10):
        solo.wait(0.1)
        solo.modem(m.NwInfoCnf(network), source=mac(2, 77))
    assert solo.told(DlinkReady) == []
