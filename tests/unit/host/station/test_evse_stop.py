"""One outlet: the ways a session ends, and what people see of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.host.station.rig import EV, LIMITS, Rig, only

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import (
    Cause,
    CpState,
    Phase,
    PilotMode,
    PowerPhase,
    Stop,
)

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


@pytest.mark.parametrize("phase", [Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING])
def test_a_car_that_was_asked_to_stop_may_do_so_by_leaving_c(phase):
    rig = Rig().to(phase)
    rig.evse(e.StopRequested, who="csms")
    rig.cp(CpState.B)
    rig.relay(False, "CP left C/D")
    rig.end()
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.STOP_REQUESTED)
    rig.wait(100.0)
    assert rig.phase is Phase.FINISHED  # no second try with the cable in


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


# --- details for people ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happen", "cause", "detail"),
    [
        (lambda r: r.relay(False, "fault latched"), Cause.PORT_FAULT, "fault latched"),
        (lambda r: r.evse(e.PortFaultChanged, fault="CP_DIODE", latched=True), Cause.PORT_FAULT, "CP_DIODE"),
        (lambda r: r.tell(e.McuLinkLost(at=r.now, reason="cut")), Cause.MCU_LINK_LOST, "cut"),
        (lambda r: r.evse(e.StopRequested, who="Anna"), Cause.STOP_REQUESTED, "Anna"),
        (
            lambda r: r.evse(e.PowerLost, cause=Cause.POWER_REFUSED, detail="no module"),
            Cause.POWER_REFUSED,
            "no module",
        ),
        (lambda r: r.cp(CpState.B), Cause.CP_LEFT_C, ""),
    ],
)
def test_a_cause_comes_with_its_detail(happen, cause, detail):
    rig = Rig().to(Phase.CHARGING)
    happen(rig)
    assert (rig.view.cause, rig.view.cause_detail) == (cause, detail)


def test_the_code_of_the_car_is_the_detail_of_its_error():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.EvErrorReported, code="FAILED_RESSTemperatureInhibit")
    rig.stop()
    rig.end()
    assert (rig.view.cause, rig.view.cause_detail) == (Cause.EV_ERROR, "FAILED_RESSTemperatureInhibit")
    rig.wait(7.0)
    assert (rig.view.cause, rig.view.cause_detail) == (Cause.NONE, "")


def test_an_overtaken_measurement_is_dropped():
    rig = Rig().to(Phase.CHARGING)
    old = replace(rig.power, at=rig.now - 1.0, voltage_v=1.0)
    assert rig.tell(e.PowerMeasured(at=rig.now, evse_id=1, snapshot=old)) == []
    assert rig.view.power.voltage_v == 400.0


def test_a_voltage_next_to_nothing_is_no_division_by_zero():
    rig = Rig().to(Phase.CHARGING)
    rig.measure(voltage_v=5e-324)
    assert rig.phase is Phase.CHARGING
