"""MCU ticks to host seconds."""

from __future__ import annotations

import random

import pytest

from vsecc_host.mcu_link.clock_relation import TICKS_PERIOD, ClockRelation, ticks_diff


def test_ticks_diff_over_the_wrap() -> None:
    assert ticks_diff(5, TICKS_PERIOD - 5) == 10
    assert ticks_diff(TICKS_PERIOD - 5, 5) == -10


def test_before_the_first_sample_events_count_as_just_received() -> None:
    assert ClockRelation().host_time(12345, 7.0) == 7.0
    assert ClockRelation().uncertainty_s is None


def test_unknown_stamps_and_impossible_samples_say_nothing() -> None:
    relation = ClockRelation()
    relation.status(ticks_us=10, grant_stamp=3, grant_ticks_us=5, now=1.0)
    relation.granted(3, 1.0)
    relation.status(ticks_us=10, grant_stamp=3, grant_ticks_us=500_000, now=1.1)
    relation.status(ticks_us=900_000, grant_stamp=3, grant_ticks_us=5, now=1.1)
    assert relation.uncertainty_s is None


@pytest.mark.parametrize("drift_ppm", [-100, 0, 100])
def test_queueing_and_drift_leave_the_error_below_a_few_milliseconds(drift_ppm: int) -> None:
    rng = random.Random(4)
    relation = ClockRelation()
    rate = 1e6 * (1 + drift_ppm / 1e6)

    def ticks(at: float) -> int:
        return int(at * rate + 1_060_000_000) % TICKS_PERIOD

    worst = 0.0
    for round_ in range(400):
        sent = 100 + round_ * 0.1
        taken = sent + 0.001 + rng.expovariate(200)
        made = taken + rng.random() * 0.02
        now = made + 0.001 + rng.expovariate(200)
        relation.granted(round_ & 0xFFFF, sent)
        relation.status(
            ticks_us=ticks(made), grant_stamp=round_ & 0xFFFF, grant_ticks_us=ticks(taken), now=now
        )
        if round_ > 20:
            worst = max(worst, abs(relation.host_time(ticks(made), now) - made))
    assert worst < 0.003
    assert relation.uncertainty_s is not None
    assert relation.uncertainty_s < 0.003


def test_a_halted_clock_is_noticed_with_the_next_grant() -> None:
    relation = ClockRelation()
    for round_, halted in enumerate((0.0, 0.0, 0.0, 0.05)):
        sent = 1.0 + round_ * 0.1
        ticks = int((sent - halted) * 1e6)
        relation.granted(round_, sent)
        relation.status(
            ticks_us=ticks + 3000,
            grant_stamp=round_,
            grant_ticks_us=ticks + 1000,
            now=sent + 0.004 + round_ / 1000,
        )
    assert relation.host_time(ticks + 1000, 9.0) == pytest.approx(sent + 0.001, abs=0.004)


def test_an_event_is_never_in_the_future() -> None:
    relation = ClockRelation()
    relation.granted(1, 1.0)
    relation.status(ticks_us=100, grant_stamp=1, grant_ticks_us=50, now=1.01)
    assert relation.host_time(10_000_000, 1.02) == 1.02
