"""Limits of named owners: the tightest wins, zero is enforced but not offered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.host.station.rig import EV, LIMITS

from vsecc_host.station.config import EvseConfig
from vsecc_host.station.faults import cause_of_open_relay, needs_replug, ramp_s, sentence
from vsecc_host.station.limits import (
    LIMIT_GRACE_S,
    NOTHING,
    Bound,
    Superseded,
    Verdict,
    cable_check_voltage,
    clamp_current,
    effective,
    judge_request,
    looser,
    measured_over,
    voltage_suits,
)
from vsecc_host.station.values import Cause, EvParameters

CONFIG = EvseConfig()
TIGHT = replace(LIMITS, max_voltage_v=450.0, max_current_a=100.0, max_power_w=30_000.0)


@pytest.mark.clause("IEC61851-23:2023 CC.4.1.2")
@pytest.mark.parametrize(
    ("ev_v", "evse_v", "check_v"),
    [(400, 920, 450), (450, 920, 500), (480, 920, 500), (500, 920, 500), (400, 430, 430), (800, 1000, 880)],
)
def test_cable_check_voltage(ev_v, evse_v, check_v):
    assert cable_check_voltage(ev_v, evse_v) == pytest.approx(check_v)


def test_cable_check_voltage_never_exceeds_the_outlet():
    assert cable_check_voltage(920, 920) == 920
    assert cable_check_voltage(0, 920) == 500


def test_nothing_is_offered_before_the_power_electronics_spoke():
    assert effective(None, EV, CONFIG, {}) == NOTHING


@pytest.mark.parametrize(
    ("ev", "config", "named", "owner", "power_w"),
    [
        (None, CONFIG, {}, "power_electronics", 60_000.0),
        (EV, CONFIG, {}, "ev", 125.0 * 450.0),
        (replace(EV, max_power_w=40_000.0), CONFIG, {}, "ev", 40_000.0),
        (EvParameters(max_voltage_v=250.0, max_current_a=500.0), CONFIG, {}, "power_electronics", 50_000.0),
        (None, EvseConfig(cable_max_current_a=50.0), {}, "cable", 46_000.0),
        (None, EvseConfig(max_power_w=11_000.0), {}, "station", 11_000.0),
        (EV, CONFIG, {"csms": Bound(22_000.0), "station_total": Bound(30_000.0)}, "csms", 22_000.0),
        (EV, CONFIG, {"csms": Bound(32_000.0), "station_total": Bound(30_000.0)}, "station_total", 30_000.0),
        (EV, CONFIG, {"default_profile": Bound(current_a=16.0)}, "default_profile", 16.0 * 450.0),
    ],
)
def test_the_tightest_owner_wins_and_is_named(ev, config, named, owner, power_w):
    limits = effective(LIMITS, ev, config, named)
    assert (limits.enforced.owner, limits.enforced.max_power_w) == (owner, power_w)
    assert limits.offered.owner == owner
    assert limits.bounds_w[0] == (owner, power_w)
    assert {"power_electronics", "cable", "station"} <= dict(limits.bounds_w).keys()
    assert [watts for _, watts in limits.bounds_w] == sorted(watts for _, watts in limits.bounds_w)


def test_a_bound_in_amperes_binds_at_every_voltage():
    named = {"default_profile": Bound(current_a=16.0)}
    for at_v in (0.0, 200.0, 400.0):
        assert effective(LIMITS, EV, CONFIG, named, at_v).enforced.max_current_a == 16.0


def test_a_car_that_tells_no_limit_does_not_limit():
    silent = EvParameters(max_voltage_v=0.0, max_current_a=0.0, max_power_w=0.0)
    assert effective(LIMITS, silent, CONFIG, {}).enforced.max_current_a == LIMITS.max_current_a


def test_zero_is_enforced_but_a_little_is_offered():
    limits = effective(LIMITS, EV, CONFIG, {"csms": Bound(0.0)})
    assert (limits.enforced.max_power_w, limits.enforced.max_current_a) == (0.0, 0.0)
    assert limits.offered.max_current_a >= 1.0
    assert limits.offered.max_power_w > 0
    assert limits.offered.owner == "csms"


def test_zero_of_the_power_electronics_cannot_be_avoided():
    dead = replace(LIMITS, max_power_w=0.0, max_current_a=0.0)
    assert effective(dead, None, CONFIG, {}).offered.max_power_w == 0.0


def test_power_limits_the_current_at_the_present_voltage_in_steps():
    at = [
        effective(LIMITS, None, CONFIG, {"csms": Bound(20_000.0)}, volt).enforced.max_current_a
        for volt in (391, 399, 400, 401)
    ]
    assert at == [50.0, 50.0, 50.0, pytest.approx(20_000 / 410)]


@given(
    told=st.builds(
        lambda v, a, w: replace(LIMITS, max_voltage_v=v, max_current_a=a, max_power_w=w),
        st.floats(1, 1500),
        st.floats(0, 600),
        st.floats(0, 500_000),
    ),
    ev=st.none()
    | st.builds(
        lambda v, a, w: EvParameters(max_voltage_v=v, max_current_a=a, max_power_w=w),
        st.floats(0, 1500),
        st.floats(0, 600),
        st.none() | st.floats(0, 500_000),
    ),
    named=st.dictionaries(
        st.sampled_from(["csms", "grid", "neighbour"]),
        st.builds(Bound, st.floats(0, 200_000), st.just(float("inf")) | st.floats(0, 600)),
    ),
    at_v=st.floats(0, 1000),
)
def test_enforced_never_exceeds_any_owner(told, ev, named, at_v):
    limits = effective(told, ev, CONFIG, named, at_v).enforced
    assert limits.max_power_w <= min(
        [told.max_power_w, CONFIG.max_power_w, *(bound.power_w for bound in named.values())]
    )
    currents = [bound.current_a for bound in named.values()]
    assert limits.max_current_a <= min([told.max_current_a, CONFIG.cable_max_current_a, *currents])
    assert limits.max_power_w <= told.max_current_a * limits.max_voltage_v
    assert limits.max_voltage_v <= told.max_voltage_v
    if ev is not None and ev.max_current_a > 0:
        assert limits.max_current_a <= ev.max_current_a
    assert limits.max_current_a * at_v <= limits.max_power_w * (1 + 1e-9) + 1e-9 or at_v == 0


@pytest.mark.clause("IEC61851-23:2023 CC.5.5.7")
@pytest.mark.parametrize(("asked", "given_a"), [(-5, 0), (0, 0), (4, 0), (5, 5), (99, 99), (500, 100)])
def test_clamped_current(asked, given_a):
    assert clamp_current(asked, replace(TIGHT, min_current_a=5.0)) == given_a


@pytest.mark.parametrize(
    ("voltage", "current", "present", "wrong"),
    [
        (400, 50, 390, set()),
        (450, 101, 280, set()),
        (450, 101.1, 280, {Verdict.CURRENT}),
        (921, 10, 390, set()),
        (922, 10, 390, {Verdict.VOLTAGE}),
        (100, 10, 390, {Verdict.VOLTAGE}),
        (0, 0, 390, set()),
        (400, 120, 200, {Verdict.CURRENT}),
        (400, 90, 390, {Verdict.POWER}),
        (400, 200, 390, {Verdict.CURRENT, Verdict.POWER}),
    ],
)
def test_requests_are_judged(voltage, current, present, wrong):
    assert judge_request(voltage, current, present, TIGHT, 920.0) == wrong


@pytest.mark.parametrize(
    ("voltage", "current", "over"), [(450, 100, False), (459, 106, False), (461, 0, True), (400, 108, True)]
)
def test_measurements_are_judged_within_their_accuracy(voltage, current, over):
    assert measured_over(voltage, current, TIGHT) is over


def test_looser_takes_the_wider_of_each():
    wide = looser(TIGHT, replace(TIGHT, max_current_a=120.0, max_power_w=10.0))
    assert (wide.max_current_a, wide.max_power_w) == (120.0, 30_000.0)


def test_an_old_offer_is_excusable_for_its_time_whatever_follows():
    superseded, cut = Superseded(), replace(LIMITS, max_power_w=10_000.0)
    superseded.add(LIMITS, 100.0)
    for step in range(1, 120):  # the car changes its own limits with every request
        now = 100.0 + step * 0.05
        superseded.add(replace(cut, max_current_a=50.0 + step % 2), now)
        widest = superseded.widen(cut, now)
        assert widest.max_power_w == (60_000.0 if now < 100.0 + LIMIT_GRACE_S else 10_000.0), now
    assert superseded.widen(cut, 120.0) == cut


def test_voltage_suits():
    assert voltage_suits(None, EV)
    assert voltage_suits(LIMITS, EV)
    assert not voltage_suits(LIMITS, replace(EV, max_voltage_v=149.0))


def test_causes_have_consequences():
    assert ramp_s(Cause.CP_LEFT_C) == 0.0
    assert ramp_s(Cause.ISOLATION_FAULT) == 1.0
    assert needs_replug(Cause.EMERGENCY_INPUT)
    assert not needs_replug(Cause.EV_DISCONNECTED)
    assert "isolation" in sentence(Cause.ISOLATION_FAULT)
    assert cause_of_open_relay("something new") is Cause.RELAY_NOT_CLOSED
