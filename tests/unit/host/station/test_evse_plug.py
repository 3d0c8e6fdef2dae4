"""One outlet: start, plug, authorization, the next session, unplug."""

from __future__ import annotations

import pytest
from unit.host.station.rig import LIMITS, Rig, only, position

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import (
    Authorization,
    Cause,
    CpState,
    Phase,
    PilotMode,
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


# --- matching -----------------------------------------------------------------------------------------------


def test_matching_may_wake_the_car_with_state_f():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_NEGATIVE)
    assert only(rig.log, c.SetPilot) == [c.SetPilot(evse_id=1, mode=PilotMode.STEADY_NEGATIVE)]
    rig.cp(CpState.F)
    rig.wait(4.0)
    assert (rig.phase, rig.view.cause) == (Phase.CONNECTED, Cause.NONE)
    rig.evse(e.PilotWanted, mode=PilotMode.PWM)
    assert only(rig.log, c.SetPilot)[-1] == c.SetPilot(evse_id=1, mode=PilotMode.PWM, duty_permille=50)
    rig.cp(CpState.B)
    rig.session()
    assert rig.phase is Phase.SETUP


def test_state_f_that_nobody_drives_is_a_fault():
    rig = Rig().to(Phase.CONNECTED)
    rig.cp(CpState.F)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.PORT_FAULT)


@pytest.mark.parametrize("phase", set(Phase) - {Phase.CONNECTED, Phase.FAULTED})
def test_matching_has_no_say_outside_its_phase(phase):
    rig = Rig().to(phase)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_NEGATIVE)
    assert not only(rig.log, c.SetPilot)


def test_a_cable_pulled_while_the_pilot_is_at_f_is_noticed_when_it_is_back():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_NEGATIVE)
    rig.cp(CpState.F)
    rig.evse(e.PilotWanted, mode=PilotMode.PWM)
    rig.cp(CpState.A)
    assert (rig.phase, only(rig.log, c.SetPilot)[-1].mode) == (Phase.IDLE, PilotMode.STEADY_POSITIVE)


def test_a_pilot_that_stays_at_f_is_a_fault_after_a_moment():
    rig = Rig().to(Phase.CONNECTED)
    rig.evse(e.PilotWanted, mode=PilotMode.STEADY_NEGATIVE)
    rig.cp(CpState.F)
    rig.evse(e.PilotWanted, mode=PilotMode.PWM)
    rig.wait(0.99)
    assert rig.phase is Phase.CONNECTED
    rig.wait(0.02)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.PORT_FAULT)
