"""One outlet through its sessions, step by step in exact time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.host.station.rig import EV, LIMITS, Rig, only, position

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import (
    Authorization,
    CableCheck,
    Cause,
    CpState,
    EvParameters,
    Isolation,
    Phase,
    PilotMode,
    PowerPhase,
    Stop,
)

# --- start and plug ----------------------------------------------------------------------------------------


def test_an_outlet_begins_out_of_service():
    machine = EvseMachine(1, EvseConfig())
    assert (machine.view.phase, machine.view.cause) == (Phase.FAULTED, Cause.MCU_LINK_LOST)
    assert machine.next_deadline() is None


def test_it_becomes_idle_when_mcu_pilot_and_power_are_known_in_any_order():
    for order in ((0, 1, 2, 3), (2, 1, 0, 3), (1, 2, 0, 3), (0, 3, 2, 1), (0, 3, 1, 2)):
        rig = Rig()
        steps = (
            rig.mcu_up,
            lambda rig=rig: rig.evse(e.PowerLimitsTold, limits=LIMITS),
            rig.measure,
            lambda rig=rig: rig.cp(CpState.A),
        )
        for index in order:
            assert rig.phase is Phase.FAULTED
            steps[index]()
        assert (rig.phase, rig.view.cause) == (Phase.IDLE, Cause.NONE)


def test_link_up_leaves_nothing_allowed_and_the_pilot_steady():
    commands = Rig().mcu_up()
    assert c.SetGrant(evse_id=1, allowed=False) in commands
    assert c.SetPilot(evse_id=1, mode=PilotMode.STEADY_POSITIVE) in commands


def test_it_listens_before_the_pilot_invites():
    commands = Rig().to(Phase.IDLE).cp(CpState.B)
    listen = position(commands, lambda x: x == c.AcceptV2g(evse_id=1, accepted=True))
    invite = position(commands, lambda x: x == c.SetPilot(evse_id=1, mode=PilotMode.PWM, duty_permille=50))
    assert 0 <= listen < invite


def test_plugging_is_reported_once_and_before_the_phase():
    rig = Rig().to(Phase.IDLE)
    rig.cp(CpState.B)
    assert [x.what for x in only(rig.log, c.ReportSession)] == ["plugged", "phase"]
    assert only(rig.log, c.ReportSession)[0].view.phase is Phase.CONNECTED


def test_a_car_that_was_there_at_start_is_plugged():
    rig = Rig()
    rig.evse(e.PowerLimitsTold, limits=LIMITS)
    rig.measure()
    rig.mcu_up()
    rig.cp(CpState.B)
    assert rig.phase is Phase.CONNECTED
    assert "plugged" in [x.what for x in only(rig.log, c.ReportSession)]


def test_a_jump_over_b_is_a_plug_too():
    rig = Rig().to(Phase.IDLE)
    rig.cp(CpState.C)
    assert rig.phase is Phase.CONNECTED


def test_power_that_comes_later_starts_the_waiting_car():
    rig = Rig()
    rig.mcu_up()
    rig.cp(CpState.A)
    rig.cp(CpState.B)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_STALE)
    assert not only(rig.log, c.AcceptV2g)
    rig.evse(e.PowerLimitsTold, limits=LIMITS)
    rig.measure()
    assert rig.phase is Phase.CONNECTED


def test_the_connector_is_locked_only_when_configured():
    assert not only(Rig().to(Phase.IDLE).cp(CpState.B), c.LockConnector)
    locked = Rig(EvseConfig(lock_connector=True)).to(Phase.IDLE).cp(CpState.B)
    assert only(locked, c.LockConnector) == [c.LockConnector(evse_id=1, locked=True)]


def test_a_latched_fault_is_cleared_on_plug_and_the_session_becomes_possible():
    rig = Rig().to(Phase.IDLE)
    rig.evse(e.PortFaultChanged, fault="CP_SHORT", latched=True)
    assert (rig.phase, rig.view.cause, rig.view.port_faults) == (
        Phase.FAULTED,
        Cause.PORT_FAULT,
        ("CP_SHORT",),
    )
    assert c.ClearPortFaults(evse_id=1) in rig.cp(CpState.B)
    rig.evse(e.PortFaultChanged, fault="CP_SHORT", latched=False)
    assert (rig.phase, rig.view.port_faults) == (Phase.CONNECTED, ())


def test_events_of_the_other_outlet_mean_nothing():
    rig = Rig().to(Phase.CHARGING)
    before = rig.view
    for kind, fields in (
        (e.CpStateChanged, {"state": CpState.A, "previous": CpState.C, "high_mv": 0, "low_mv": 0}),
        (e.V2gSessionEnded, {"cause": Cause.EV_FINISHED, "orderly": True}),
        (e.StopRequested, {"who": "x", "emergency": True}),
    ):
        assert rig.tell(kind(at=rig.now, evse_id=2, **fields)) == []
    assert rig.view is before


# --- authorization -----------------------------------------------------------------------------------------


def test_a_v2g_session_asks_for_authorization():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.V2gSessionStarted, protocol="iso2", evcc_id="0011", session_id="02")
    asked = only(rig.log, c.RequestAuthorization)
    assert asked == [c.RequestAuthorization(evse_id=1, evcc_id="0011", protocol="iso2")]
    assert rig.view.authorization is Authorization.ONGOING


@pytest.mark.parametrize(
    ("accepted", "shown"), [(True, Authorization.ACCEPTED), (False, Authorization.REJECTED)]
)
def test_the_decision_shows_in_the_view(accepted, shown):
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="01")
    rig.evse(e.AuthorizationDecided, accepted=accepted, who="test")
    assert rig.view.authorization is shown


def test_a_driver_may_identify_before_the_car_talks():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.AuthorizationDecided, accepted=True, who="token")
    rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="01")
    assert rig.view.authorization is Authorization.ACCEPTED


def test_a_rejected_car_that_gives_up_ends_as_not_authorized_and_may_try_again():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="01")
    rig.evse(e.AuthorizationDecided, accepted=False, who="csms")
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.NOT_AUTHORIZED)
    rig.wait(6.5)
    assert (rig.phase, rig.view.authorization) == (Phase.CONNECTED, Authorization.ONGOING)


def test_a_cable_check_without_authorization_ends_the_session():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="01")
    rig.cp(CpState.C)
    rig.evse(e.CableCheckRequested)
    assert (rig.view.stop, rig.view.cause) == (Stop.EMERGENCY, Cause.NOT_AUTHORIZED)
    assert c.SetGrant(evse_id=1, allowed=True) not in rig.log


def test_authorization_lost_while_charging_stops_politely():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.AuthorizationDecided, accepted=False, who="csms")
    assert (rig.phase, rig.view.stop, rig.view.cause) == (Phase.CHARGING, Stop.NORMAL, Cause.NOT_AUTHORIZED)


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


@pytest.mark.parametrize("isolation", [Isolation.VALID, Isolation.WARNING])
def test_a_good_or_doubtful_isolation_passes(isolation):
    rig = Rig().to(Phase.CABLE_CHECK)
    rig.evse(e.CableCheckDone, isolation=isolation)
    assert (rig.phase, rig.view.cable_check) == (Phase.CABLE_CHECK, CableCheck.PASSED)


@pytest.mark.parametrize("isolation", [Isolation.FAULT, Isolation.INVALID])
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


# --- stopping ----------------------------------------------------------------------------------------------


def test_the_car_stops_zero_then_open_when_the_current_is_low():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.ChargeStopRequested)
    assert rig.phase is Phase.STOPPING
    target = only(rig.log, c.PowerTarget)[-1]
    assert (target.voltage_v, target.current_a, target.phase) == (0.0, 0.0, PowerPhase.POST_CHARGE)
    rig.measure(current_a=1.5)
    assert not only(rig.log, c.PowerContactors)
    rig.measure(current_a=0.9)
    assert only(rig.log, c.PowerContactors) == [c.PowerContactors(evse_id=1, closed=False)]
    assert rig.view.stop is Stop.NONE


def test_contactors_open_after_1_5_s_even_under_current():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.ChargeStopRequested)
    rig.wait(1.45)
    assert not only(rig.log, c.PowerContactors)
    rig.wait(0.1)
    assert only(rig.log, c.PowerContactors)


def test_welding_detection_and_cp_b_are_part_of_stopping():
    rig = Rig().to(Phase.STOPPING)
    rig.measure(current_a=0.0)
    rig.cp(CpState.B)
    rig.relay(False, "not granted")
    rig.evse(e.WeldingDetectionRequested)
    assert (rig.phase, rig.view.stop, rig.view.cause) == (Phase.STOPPING, Stop.NONE, Cause.NONE)


def test_after_an_orderly_end_the_pilot_stays_1_5_s():
    rig = Rig().to(Phase.FINISHED)
    assert (rig.view.cause, rig.view.phase) == (Cause.EV_FINISHED, Phase.FINISHED)
    rig.wait(1.49)
    assert not only(rig.log, c.SetPilot)
    rig.wait(0.02)
    assert only(rig.log, c.SetPilot) == [c.SetPilot(evse_id=1, mode=PilotMode.STEADY_POSITIVE)]
    assert only(rig.log, c.AcceptV2g) == [c.AcceptV2g(evse_id=1, accepted=False, cause=Cause.EV_FINISHED)]


def test_the_end_resets_the_power_electronics_once():
    rig = Rig().to(Phase.STOPPING)
    rig.end()
    assert len(only(rig.log, c.PowerReset)) == 1
    rig.cp(CpState.A)
    assert len(only(rig.log, c.PowerReset)) == 1


def test_tcp_gone_while_charging_zero_open_x1():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_DISCONNECTED, orderly=False)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 0.0
    rig.wait(1.01)
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.EV_DISCONNECTED)
    assert only(rig.log, c.SetPilot)[-1].mode is PilotMode.STEADY_POSITIVE


@pytest.mark.parametrize("phase", [Phase.CABLE_CHECK, Phase.PRE_CHARGE])
def test_a_car_may_give_up_before_energy(phase):
    rig = Rig().to(phase)
    rig.evse(e.ChargeStopRequested)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.EV_STOPPED_EARLY)


@pytest.mark.parametrize("phase", [Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE])
def test_session_stop_straight_out_of_any_phase_is_an_end(phase):
    rig = Rig().to(phase)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_STOPPED_EARLY, orderly=True)
    assert rig.phase is Phase.FINISHED
    assert not only(rig.log, c.SetGrant)[-1].allowed


def test_an_error_code_of_the_car_is_the_cause_of_an_orderly_end():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.EvErrorReported, code="FAILED_ChargingCurrentdifferential")
    assert rig.phase is Phase.CHARGING
    rig.stop()
    rig.end()
    assert rig.view.cause is Cause.EV_ERROR


def test_ended_comes_with_the_view_of_the_end():
    rig = Rig().to(Phase.STOPPING)
    rig.end()
    ended = [x for x in only(rig.log, c.ReportSession) if x.what == "ended"]
    assert [(x.view.phase, x.view.cause) for x in ended] == [(Phase.FINISHED, Cause.EV_FINISHED)]


# --- stop by people ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING])
def test_a_polite_stop_waits_for_the_car_then_stops_hard(phase):
    rig = Rig(EvseConfig(stop_delay_s=2.0, stop_wait_s=5.0)).to(phase)
    rig.evse(e.StopRequested, who="csms")
    assert (rig.phase, rig.view.stop, rig.view.stop_delay_s) == (phase, Stop.NORMAL, 2.0)
    for _ in range(6):
        if phase is Phase.CHARGING:
            rig.target(420.0, 100.0)
        if phase is Phase.PRE_CHARGE:
            rig.measure(voltage_v=400.0)
        rig.wait(1.0)
    rig.wait(0.99)
    assert rig.view.stop is Stop.NORMAL
    rig.wait(0.02)
    assert (rig.view.stop, rig.view.cause) == (Stop.EMERGENCY, Cause.STOP_REQUESTED)


def test_a_polite_stop_that_the_car_follows_needs_the_cable_out_or_a_new_token():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.StopRequested, who="csms")
    rig.stop()
    rig.end()
    assert rig.view.cause is Cause.STOP_REQUESTED
    rig.wait(100.0)
    assert rig.phase is Phase.FINISHED
    rig.evse(e.AuthorizationDecided, accepted=True, who="token")
    rig.wait(1.0)
    assert rig.phase is Phase.CONNECTED


def test_a_stop_before_the_car_talks_keeps_it_out():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.StopRequested, who="person")
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.STOP_REQUESTED)
    assert only(rig.log, c.AcceptV2g)[-1].accepted is False
    rig.wait(100.0)
    assert rig.phase is Phase.FINISHED


def test_a_station_that_goes_down_says_so():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.StopRequested, who="station")
    assert rig.view.cause is Cause.STATION_STOPPED


# --- again -------------------------------------------------------------------------------------------------


def test_the_same_plug_in_may_start_again_after_a_pause():
    rig = Rig().to(Phase.FINISHED)
    rig.wait(6.4)
    assert rig.phase is Phase.FINISHED
    rig.wait(0.2)
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED, Cause.NONE)
    rig.session()
    rig.cable_check()
    rig.pre_charge()
    rig.charge()
    assert rig.phase is Phase.CHARGING


def test_fruitless_sessions_make_the_pause_longer():
    rig = Rig().to(Phase.CONNECTED)
    for pause_s in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        rig.session()
        rig.evse(e.V2gSessionEnded, cause=Cause.EV_STOPPED_EARLY, orderly=True)
        rig.wait(1.5 + pause_s - 0.05)
        assert rig.phase is Phase.FINISHED
        rig.wait(0.1)
        assert rig.phase is Phase.CONNECTED


def test_a_toggle_of_the_car_ends_the_pause():
    rig = Rig().to(Phase.CONNECTED)
    for _ in range(3):
        rig.session()
        rig.evse(e.V2gSessionEnded, cause=Cause.EV_STOPPED_EARLY, orderly=True)
        rig.wait(2.0)
        rig.cp(CpState.C)
        rig.wait(0.3)
        rig.cp(CpState.B)
        rig.wait(0.3)
        assert rig.phase is Phase.CONNECTED


def test_a_session_nobody_invited_is_refused():
    for phase in (Phase.IDLE, Phase.FINISHED):
        rig = Rig().to(phase)
        rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="01")
        assert only(rig.log, c.AcceptV2g)[-1].accepted is False
        assert rig.phase is phase


def test_a_second_session_before_energy_replaces_the_first():
    rig = Rig().to(Phase.SETUP)
    rig.evse(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="02")
    assert rig.phase is Phase.SETUP
    assert len(only(rig.log, c.RequestAuthorization)) == 1


# --- unplug and lock ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING])
def test_pulling_the_cable_switches_everything_off_at_once(phase):
    rig = Rig().to(phase)
    commands = rig.cp(CpState.A)
    zero = position(commands, lambda x: isinstance(x, c.PowerTarget) and x.current_a == 0)
    opened = position(commands, lambda x: x == c.PowerContactors(evse_id=1, closed=False))
    revoked = position(commands, lambda x: x == c.SetGrant(evse_id=1, allowed=False))
    assert 0 <= zero < opened < revoked
    assert c.PowerReset(evse_id=1) in commands
    assert only(commands, c.AcceptV2g)[-1].accepted is False
    assert [x.what for x in only(commands, c.ReportSession)] == ["ended", "unplugged", "phase"]
    assert (rig.phase, rig.view.cause, rig.view.authorization) == (
        Phase.IDLE,
        Cause.UNPLUGGED,
        Authorization.ONGOING,
    )


def test_unlocking_waits_for_a_safe_voltage():
    rig = Rig(EvseConfig(lock_connector=True)).to(Phase.CHARGING)
    rig.cp(CpState.A)
    assert not only(rig.log, c.LockConnector)
    rig.measure(voltage_v=61.0, current_a=0.0, contactors_closed=False)
    assert not only(rig.log, c.LockConnector)
    rig.measure(voltage_v=59.0, current_a=1.5)
    assert not only(rig.log, c.LockConnector)
    rig.measure(voltage_v=59.0, current_a=0.0)
    assert only(rig.log, c.LockConnector) == [c.LockConnector(evse_id=1, locked=False)]


def test_unlocking_never_trusts_a_stale_measurement():
    rig = Rig(EvseConfig(lock_connector=True)).to(Phase.CONNECTED)
    rig.wait(2.0, status=False)
    rig.cp(CpState.A)
    assert not only(rig.log, c.LockConnector)


def test_contactors_that_do_not_open_take_the_outlet_out_of_service():
    rig = Rig().to(Phase.STOPPING)
    rig.measure(current_a=0.0)
    rig.cp(CpState.B)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)
    rig.wait(3.1)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_INOPERATIVE)
    rig.measure(contactors_closed=False)
    assert rig.phase is Phase.CONNECTED


# --- view, LED, deadlines ----------------------------------------------------------------------------------


def test_the_view_is_published_exactly_when_it_changes():
    rig = Rig().to(Phase.CHARGING)
    assert len(only(rig.measure(voltage_v=401.0), c.PublishView)) == 1
    assert only(rig.evse(e.WeldingDetectionRequested), c.PublishView) == []
    published = only(rig.log, c.PublishView)
    assert published[-1].view == rig.view


@pytest.mark.parametrize(
    ("phase", "pattern"),
    [(Phase.IDLE, 0), (Phase.CONNECTED, 2), (Phase.CHARGING, 1), (Phase.FINISHED, 2)],
)
def test_port_led(phase, pattern):
    rig = Rig()
    commands: list[c.Command] = []
    for reached, step in rig.steps():
        step(rig)
        commands = only(rig.log, c.ShowPortLed) or commands
        if reached is phase:
            break
    assert commands[-1].pattern == pattern


def test_port_led_is_red_when_out_of_service_and_flashes_after_an_error():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.StopRequested, who="button", emergency=True)
    assert only(rig.log, c.ShowPortLed)[-1].pattern == 3
    rig.tell(e.McuLinkLost(at=rig.now, reason="cut"))
    rig.evse(e.V2gSessionEnded, cause=Cause.STOP_REQUESTED, orderly=False)
    assert only(rig.log, c.ShowPortLed)[-1].pattern == 4


def test_a_deadline_lies_ahead_after_every_tick():
    rig = Rig().to(Phase.CABLE_CHECK)
    for _ in range(60):
        due = rig.machine.next_deadline()
        if due is None:
            break
        rig.now = max(rig.now, due)
        rig.machine.tick(rig.now)
        assert rig.machine.next_deadline() is None or rig.machine.next_deadline() > rig.now


def test_ev_parameters_outside_a_session_do_not_stick():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.EvParametersTold, parameters=EV)
    assert rig.view.limits.max_voltage_v == LIMITS.max_voltage_v


# --- configuration -----------------------------------------------------------------------------------------


def test_another_configuration_acts_at_once_without_a_car():
    rig = Rig().to(Phase.IDLE)
    commands = rig.machine.configure(EvseConfig(evseid="DE*NEW*E1", max_power_w=11_000.0), rig.now)
    assert len(only(commands, c.PublishView)) == 1
    assert (rig.view.evseid, rig.view.limits.max_power_w) == ("DE*NEW*E1", 11_000.0)


def test_another_configuration_waits_for_the_next_session_of_a_car():
    rig = Rig().to(Phase.CHARGING)
    rig.machine.configure(EvseConfig(evseid="DE*NEW*E1"), rig.now)
    assert rig.view.evseid == "DE*VSE*E1"
    rig.stop()
    rig.end()
    rig.wait(7.0)
    assert (rig.phase, rig.view.evseid) == (Phase.CONNECTED, "DE*NEW*E1")
