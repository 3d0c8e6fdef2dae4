"""One outlet: cable check, pre-charge, charging."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.host.station.rig import LIMITS, Rig, only

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import (
    CableCheck,
    Cause,
    CpState,
    EvParameters,
    Isolation,
    Phase,
    PowerPhase,
    Stop,
)

# --- cable check -------------------------------------------------------------------------------------------


def test_permission_relay_contactors_check_in_this_order():
    rig = Rig().to(Phase.SETUP)
    rig.cp(CpState.C)
    assert not only(rig.log, c.SetGrant)
    rig.evse(e.CableCheckRequested)
    assert only(rig.log, c.SetGrant)[-1].allowed
    assert not only(rig.log, c.PowerContactors)
    rig.relay(True)
    assert only(rig.log, c.PowerContactors) == [c.PowerContactors(evse_id=1, closed=True)]
    assert c.PowerSupervision(evse_id=1, relay_closed=True) in rig.log
    assert not only(rig.log, c.PowerCableCheck)
    rig.measure(contactors_closed=True)
    assert only(rig.log, c.PowerCableCheck) == [c.PowerCableCheck(evse_id=1, voltage_v=500.0)]
    assert rig.view.cable_check is CableCheck.ONGOING


def test_the_cable_check_waits_for_cp_c():
    rig = Rig().to(Phase.SETUP)
    rig.evse(e.CableCheckRequested)
    assert c.SetGrant(evse_id=1, allowed=True) not in rig.log
    rig.wait(1.4)
    rig.cp(CpState.C)
    assert c.SetGrant(evse_id=1, allowed=True) in rig.log


@pytest.mark.parametrize(
    ("prepare", "after_s", "cause"),
    [
        ((), 1.5, Cause.CP_NOT_C),
        (("c",), 1.0, Cause.RELAY_NOT_CLOSED),
        (("c", "relay"), 5.0, Cause.POWER_REFUSED),
        (("c", "relay", "contactors"), 37.0, Cause.CABLE_CHECK_TIMEOUT),
    ],
)
def test_every_wait_of_the_cable_check_is_bounded(prepare, after_s, cause):
    rig = Rig().to(Phase.SETUP)
    if "c" in prepare:
        rig.cp(CpState.C)
    rig.evse(e.CableCheckRequested)
    if "relay" in prepare:
        rig.relay(True)
    if "contactors" in prepare:
        rig.measure(contactors_closed=True)
    rig.wait(after_s - 0.01)
    assert (rig.phase, rig.view.stop) == (Phase.CABLE_CHECK, Stop.NONE)
    rig.wait(0.02)
    assert (rig.phase, rig.view.cause, rig.view.stop) == (Phase.STOPPING, cause, Stop.EMERGENCY)
    assert rig.view.cable_check is CableCheck.FAILED
    assert not only(rig.log, c.SetGrant)[-1].allowed


@pytest.mark.parametrize(
    ("isolation", "allowed"), [(Isolation.VALID, False), (Isolation.VALID, True), (Isolation.WARNING, True)]
)
def test_a_good_isolation_passes_and_a_doubtful_one_where_allowed(isolation, allowed):
    rig = Rig(EvseConfig(allow_isolation_warning=allowed)).to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckDone, isolation=isolation)
    assert (rig.phase, rig.view.cable_check) == (Phase.CABLE_CHECK, CableCheck.PASSED)


@pytest.mark.parametrize("isolation", [Isolation.WARNING, Isolation.FAULT, Isolation.INVALID])
def test_a_bad_isolation_fails(isolation):
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckDone, isolation=isolation)
    assert (rig.view.cable_check, rig.view.cause) == (CableCheck.FAILED, Cause.ISOLATION_FAULT)


def test_only_a_result_of_this_check_counts():
    rig = Rig().to(Phase.SETUP)
    rig.cp(CpState.C)
    rig.evse(e.CableCheckRequested)
    rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
    rig.measure(isolation=Isolation.VALID)
    assert rig.view.cable_check is CableCheck.ONGOING


def test_repeated_cable_check_requests_change_nothing():
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckRequested)
    assert [x for x in rig.log if not isinstance(x, c.PublishView)] == []


def test_pre_charge_before_the_cable_check_passed_ends_the_session():
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.PreChargeRequested, voltage_v=400.0, current_a=1.0)
    assert rig.view.cause is Cause.EV_PROTOCOL_ERROR


# --- pre-charge and charging -------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked_a", "given_a"), [(0.0, 2.0), (1.0, 1.0), (5.0, 2.0)])
def test_pre_charge_current_is_at_most_2_a(asked_a, given_a):
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
    rig.evse(e.PreChargeRequested, voltage_v=400.0, current_a=asked_a)
    assert only(rig.log, c.PowerTarget) == [
        c.PowerTarget(
            evse_id=1, voltage_v=400.0, current_a=given_a, soc_percent=40, phase=PowerPhase.PRE_CHARGE
        )
    ]


@pytest.mark.parametrize("voltage_v", [149.0 - 1, 921.5])
def test_a_pre_charge_voltage_out_of_reach_ends_the_session(voltage_v):
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
    rig.evse(e.PreChargeRequested, voltage_v=voltage_v, current_a=1.0)
    assert rig.view.cause is Cause.VOLTAGE_NOT_SUPPORTED


def test_pre_charge_that_never_arrives_is_bounded():
    rig = Rig().to(Phase.PRE_CHARGE)
    rig.wait(6.4)
    rig.evse(e.PreChargeRequested, voltage_v=400.1, current_a=1.0)  # a repeat does not restart the wait
    rig.wait(0.2)
    assert rig.view.cause is Cause.PRE_CHARGE_TIMEOUT


def test_a_car_may_dwell_in_a_finished_pre_charge():
    rig = Rig().to(Phase.PRE_CHARGE)
    rig.measure(voltage_v=395.0)
    rig.wait(12.0)
    assert rig.phase is Phase.PRE_CHARGE


def test_targets_are_cut_to_the_limits():
    config = EvseConfig(abort_on_invalid_current=False, abort_on_invalid_power=False)
    rig = Rig(config).to(Phase.CHARGING)
    rig.target(600.0, 500.0)
    last = only(rig.log, c.PowerTarget)[-1]
    assert (last.voltage_v, last.current_a, last.phase) == (450.0, 125.0, PowerPhase.CHARGE)


def test_power_cuts_the_current_at_the_present_voltage():
    rig = Rig(EvseConfig(max_power_w=20_000.0))
    rig.current_a = 40.0
    rig.to(Phase.CHARGING)
    assert rig.view.limits.max_current_a == 50.0
    rig.target(420.0, 50.0)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 50.0


def test_a_request_below_the_lowest_current_means_none():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.PowerLimitsTold, limits=replace(LIMITS, min_current_a=5.0))
    rig.target(420.0, 3.0)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 0.0


@pytest.mark.parametrize(("abort", "cause"), [(True, Cause.LIMITS_EXCEEDED), (False, Cause.NONE)])
def test_a_request_above_the_told_current_aborts_when_configured(abort, cause):
    rig = Rig(EvseConfig(abort_on_invalid_current=abort)).to(Phase.CHARGING)
    rig.wait(5.0)
    rig.target(420.0, 140.0)
    assert rig.view.cause is cause


@pytest.mark.parametrize(("abort", "cause"), [(True, Cause.LIMITS_EXCEEDED), (False, Cause.NONE)])
def test_a_request_above_the_told_power_aborts_when_configured(abort, cause):
    rig = Rig(EvseConfig(abort_on_invalid_power=abort, abort_on_invalid_current=False)).to(Phase.CHARGING)
    rig.evse(e.LimitChanged, owner="csms", max_power_w=20_000.0)
    rig.measure(current_a=45.0)
    rig.wait(5.1)
    rig.target(420.0, 120.0)
    assert rig.view.cause is cause


def test_a_voltage_beyond_the_hardware_always_ends_the_session():
    rig = Rig(EvseConfig(abort_on_invalid_current=False, abort_on_invalid_power=False)).to(Phase.CHARGING)
    rig.target(930.0, 10.0)
    assert rig.view.cause is Cause.VOLTAGE_NOT_SUPPORTED


def test_a_cut_of_the_limits_acts_at_once_and_the_car_gets_time_to_follow():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.LimitChanged, owner="csms", max_power_w=10_000.0)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 25.0
    rig.measure(current_a=90.0)
    rig.wait(3.0)
    rig.target(420.0, 100.0)
    assert (rig.phase, rig.view.limits.owner) == (Phase.CHARGING, "csms")
    assert only(rig.log, c.PowerTarget)[-1].current_a == 25.0


def test_a_car_that_changes_its_own_limits_all_the_time_must_follow_a_cut_too():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.LimitChanged, owner="csms", max_power_w=10_000.0)
    for step in range(52):
        rig.wait(0.1)
        assert rig.phase is Phase.CHARGING or step >= 50, step
        rig.target(420.0, 100.0, max_current_a=120.0 + step % 3)
    assert (rig.phase, rig.view.cause) == (Phase.STOPPING, Cause.LIMITS_EXCEEDED)


def test_a_limit_in_amperes_acts_at_once_and_goes_as_it_came():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.LimitChanged, owner="default_profile", max_current_a=16.0)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 16.0
    assert (rig.view.limits.owner, rig.view.limits.max_current_a) == ("default_profile", 16.0)
    assert rig.view.bounds_w[0] == ("default_profile", 16.0 * 450.0)
    rig.evse(e.LimitChanged, owner="default_profile")
    assert only(rig.log, c.PowerTarget)[-1].current_a == 100.0


def test_a_car_that_goes_quiet_in_the_loop_gets_no_current():
    rig = Rig().to(Phase.CHARGING)
    rig.wait(2.9)
    assert not only(rig.log, c.PowerTarget)
    rig.wait(0.2)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 0.0
    assert rig.phase is Phase.CHARGING


def test_the_car_may_change_its_limits_on_the_way():
    rig = Rig().to(Phase.CHARGING)
    rig.target(420.0, 80.0, max_voltage_v=430.0, max_current_a=80.0, max_power_w=30_000.0)
    assert (rig.view.limits.max_voltage_v, rig.view.limits.max_power_w) == (430.0, 30_000.0)
    assert rig.view.limits.owner == "ev"


def test_a_car_whose_voltage_lies_below_the_power_electronics_is_refused():
    rig = Rig().to(Phase.SETUP)
    rig.evse(e.EvParametersTold, parameters=EvParameters(max_voltage_v=120.0, max_current_a=50.0))
    assert (rig.view.cause, rig.view.stop) == (Cause.VOLTAGE_NOT_SUPPORTED, Stop.EMERGENCY)


def test_the_view_says_what_power_electronics_want_to_know_of_the_car():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.LimitChanged, owner="back_end", max_power_w=30_000.0)
    rig.target(400.0, 20.0, remaining_to_full_s=900)
    view = rig.view
    assert (view.evcc_id, view.soc_percent, view.remaining_to_full_s) == ("AABBCCDDEEFF", 41, 900)
    assert view.ev is not None and view.ev.max_voltage_v > 0
    assert view.profile_max_power_w == 30_000.0
    rig.cp(CpState.A)
    assert (rig.view.evcc_id, rig.view.ev, rig.view.remaining_to_full_s) == ("", None, None)
