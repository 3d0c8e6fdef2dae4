"""CM_VALIDATE: both steps, toggles on the pilot, other cars, and cars that give up (ISO 15118-3 A.9.3)."""

from __future__ import annotations

import pytest
from unit.host.slac.rig import CAR, OWN, RUN, Solo, mac

from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.station.values import CpState

R = m.ValidateResult


@pytest.fixture
def solo() -> Solo:
    return accepted(SlacConfig())


def accepted(config: SlacConfig) -> Solo:
    """A session whose attenuation the car took."""
    solo = Solo(config)
    solo.plug()
    solo.sound()
    solo.car(m.AttenCharRsp(CAR, RUN), to=OWN)
    return solo


def toggle(solo: Solo, times: int) -> None:
    for _ in range(times):
        for state in (CpState.C, CpState.B):
            solo.wait(0.25)
            solo.machine.cp_changed(state, 50, solo.now)


def test_both_steps_and_the_match(solo: Solo) -> None:
    assert solo.car(m.ValidateReq(0), to=OWN) == [m.ValidateCnf(0, R.READY)]
    assert solo.car(m.ValidateReq(15), to=OWN, after_s=0.1) == []
    began = solo.now
    toggle(solo, 2)
    solo.wait(began + 1.6 - 0.001 - solo.now)
    assert solo.said() == []
    solo.wait(0.001)
    assert solo.said() == [m.ValidateCnf(2, R.SUCCESS)]
    assert solo.car(m.ValidateReq(15), to=OWN, after_s=0.1) == [m.ValidateCnf(2, R.SUCCESS)]
    (confirm,) = solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN, after_s=0.2)
    assert isinstance(confirm, m.SlacMatchCnf)


def test_without_a_second_step_the_answer_is_repeated_twice(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    for _ in range(2):
        solo.wait(0.399)
        assert solo.said() == []
        solo.wait(0.001)
        assert solo.said() == [m.ValidateCnf(0, R.READY)]
    solo.wait(0.4)
    assert solo.said() == []
    assert solo.machine.sessions == ()


def test_after_success_the_match_must_follow_within_400_ms(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    solo.car(m.ValidateReq(5), to=OWN)
    solo.wait(0.6)
    assert solo.said() == [m.ValidateCnf(0, R.SUCCESS)]
    solo.wait(0.4)
    assert solo.machine.sessions == ()


def test_toggles_are_counted_for_three_and_a_half_seconds_at_most(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    solo.car(m.ValidateReq(255), to=OWN)
    solo.wait(3.499)
    assert solo.said() == []
    solo.wait(0.001)
    assert solo.said() == [m.ValidateCnf(0, R.SUCCESS)]


def test_toggles_before_the_second_step_do_not_count(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    solo.machine.cp_changed(CpState.C, 50, solo.now)
    solo.machine.cp_changed(CpState.B, 50, solo.now)
    solo.car(m.ValidateReq(9), to=OWN)
    toggle(solo, 1)
    solo.wait(0.5)
    assert solo.said() == [m.ValidateCnf(1, R.SUCCESS)]


def test_a_car_that_gives_up_is_not_answered_and_may_still_choose(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    assert solo.car(m.ValidateReq(9, result=R.FAILURE), to=OWN) == []
    solo.wait(1.0)
    assert solo.said() == []
    assert len(solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN)) == 1


def test_another_car_is_told_to_wait(solo: Solo) -> None:
    other = mac(3, 9)
    solo.sound(ev=other)
    solo.car(m.AttenCharRsp(other, RUN), ev=other, to=OWN)
    solo.car(m.ValidateReq(0), to=OWN)
    assert solo.car(m.ValidateReq(0), ev=other, to=OWN) == [m.ValidateCnf(0, R.NOT_READY)]


def test_the_new_run_of_a_car_does_not_wait_for_its_old_one(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    solo.sound(run=b"another!")
    solo.car(m.AttenCharRsp(CAR, b"another!"), to=OWN)
    assert solo.car(m.ValidateReq(0), to=OWN) == [m.ValidateCnf(0, R.READY)]


def test_a_first_step_that_is_not_ready_is_ignored(solo: Solo) -> None:
    for result in (R.NOT_READY, R.FAILURE, 0xFF):
        assert solo.car(m.ValidateReq(0, result=result), to=OWN) == []
    assert solo.car(m.ValidateReq(0), to=OWN) == [m.ValidateCnf(0, R.READY)]


def test_a_car_that_gives_up_after_the_count_is_not_answered(solo: Solo) -> None:
    solo.car(m.ValidateReq(0), to=OWN)
    solo.car(m.ValidateReq(1), to=OWN)
    solo.wait(0.2)
    solo.said()
    assert solo.car(m.ValidateReq(1, result=R.FAILURE), to=OWN) == []


def test_validation_may_be_declined() -> None:
    solo = accepted(SlacConfig(validation=False))
    assert solo.car(m.ValidateReq(0), to=OWN) == [m.ValidateCnf(0, R.FAILURE)]
    assert len(solo.car(m.SlacMatchReq(CAR, OWN, RUN), to=OWN)) == 1


def test_a_car_without_a_session_or_with_a_wrong_signal_is_ignored(solo: Solo) -> None:
    assert solo.car(m.ValidateReq(0), ev=mac(3, 9), to=OWN) == []
    assert solo.car(m.ValidateReq(0, signal_type=1), to=OWN) == []


def test_the_second_step_without_the_first_is_ignored_and_costs_nothing(solo: Solo) -> None:
    before = solo.machine.ignored["out of sequence"]
    assert solo.car(m.ValidateReq(15), to=OWN) == []
    assert solo.machine.ignored["out of sequence"] == before + 1
    assert solo.car(m.ValidateReq(0), to=OWN) == [m.ValidateCnf(0, R.READY)]
