"""What ISO 15118-2 asks of an outlet beyond DIN: renegotiation and pause."""

from __future__ import annotations

import pytest
from unit.host.station.rig import Rig, only

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import (
    Authorization,
    CableCheck,
    Cause,
    CpState,
    Isolation,
    Phase,
    PilotMode,
)

OPEN, CLOSE = (c.PowerContactors(evse_id=1, closed=closed) for closed in (False, True))


def renegotiating() -> Rig:
    """Charging, then the current is gone and the car tells new parameters."""
    rig = Rig().to(Phase.CHARGING)
    rig.target(420.0, 0.0)
    rig.measure(voltage_v=400.0, current_a=0.2)
    rig.log.clear()
    rig.evse(e.ChargeRenegotiationRequested)
    return rig


def test_renegotiation_takes_the_target_away_and_keeps_the_output_on() -> None:
    rig = renegotiating()
    assert (rig.phase, rig.view.cable_check) == (Phase.SETUP, CableCheck.IDLE)
    (target,) = only(rig.log, c.PowerTarget)
    assert (target.voltage_v, target.current_a) == (0.0, 0.0)
    assert not only(rig.log, c.PowerContactors) and not only(rig.log, c.SetGrant)


def test_a_car_that_kept_its_contactors_closed_goes_on_at_once() -> None:
    rig = renegotiating()
    rig.evse(e.ChargeStartRequested)
    assert rig.phase is Phase.CHARGING
    rig.target(420.0, 80.0)
    assert only(rig.log, c.PowerTarget)[-1].current_a == 80.0


def test_the_new_cable_check_waits_until_the_car_has_opened() -> None:
    # GIVEN a renegotiating car that still holds the output at its battery's voltage
    rig = renegotiating()
    rig.evse(e.CableCheckRequested)
    assert rig.phase is Phase.CABLE_CHECK
    assert only(rig.log, c.PowerContactors) == [OPEN] and only(rig.log, c.PowerReset)
    assert not only(rig.log, c.SetGrant)  # the pilot never left C
    rig.measure(voltage_v=395.0)
    rig.measure(voltage_v=395.0, contactors_closed=False)
    rig.measure(voltage_v=60.0, operative=False)
    rig.measure(voltage_v=59.0, operative=False)
    assert rig.phase is Phase.CABLE_CHECK
    assert only(rig.log, c.PowerContactors) == [OPEN]
    # WHEN the output is dead and the power electronics are in standby
    rig.measure(voltage_v=59.0, operative=True)
    rig.measure(voltage_v=58.0)
    # THEN it starts over: contactors, check, once, and its result leads on
    assert only(rig.log, c.PowerContactors) == [OPEN, CLOSE]
    assert not only(rig.log, c.PowerCableCheck)
    rig.measure(voltage_v=20.0, contactors_closed=True)
    rig.measure(voltage_v=20.0)
    assert len(only(rig.log, c.PowerCableCheck)) == 1
    rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
    rig.measure(voltage_v=10.0)
    assert len(only(rig.log, c.PowerCableCheck)) == 1
    rig.evse(e.PreChargeRequested, voltage_v=400.0, current_a=1.0)
    rig.measure(voltage_v=398.0)
    rig.evse(e.ChargeStartRequested)
    assert rig.phase is Phase.CHARGING


def test_a_car_that_never_opens_gets_no_cable_check() -> None:
    rig = renegotiating()
    rig.evse(e.CableCheckRequested)
    rig.measure(voltage_v=395.0, contactors_closed=False)
    rig.wait(36.9)
    assert rig.phase is Phase.CABLE_CHECK
    rig.wait(0.2)
    assert rig.view.cause is Cause.CABLE_CHECK_TIMEOUT
    assert not only(rig.log, c.PowerCableCheck)


@pytest.mark.parametrize(
    ("happens", "cause"),
    [
        (lambda rig: rig.wait(3.1), Cause.POWER_INOPERATIVE),  # contactors do not open
        (lambda rig: rig.relay(False, "CP left C/D"), Cause.CP_LEFT_C),
        (lambda rig: rig.cp(CpState.B), Cause.CP_LEFT_C),
    ],
)
def test_starting_over_is_watched(happens, cause) -> None:
    rig = renegotiating()
    rig.evse(e.CableCheckRequested)
    happens(rig)
    assert (rig.view.cause, rig.view.cable_check) == (cause, CableCheck.FAILED)
    rig.measure(voltage_v=0.0, contactors_closed=False)
    assert CLOSE not in only(rig.log, c.PowerContactors)


def opened(rig: Rig) -> bool:
    """Contactors and permission are gone."""
    return only(rig.log, c.PowerContactors)[-1:] == [c.PowerContactors(evse_id=1, closed=False)] and only(
        rig.log, c.SetGrant
    )[-1:] == [c.SetGrant(evse_id=1, allowed=False)]


@pytest.mark.clause("S9")
@pytest.mark.parametrize(
    "happens",
    [
        lambda rig: rig.cp(CpState.B),
        lambda rig: rig.relay(False, "CP left C/D"),
        lambda rig: rig.measure(contactors_closed=False),
        lambda rig: rig.measure(operative=False),
        lambda rig: rig.evse(e.ChargeStopRequested),
    ],
    ids=["pilot to B", "relay opened", "contactors opened", "inoperative", "car stops"],
)
def test_during_renegotiation_the_output_goes_off(happens) -> None:
    rig = renegotiating()
    happens(rig)
    assert opened(rig) and rig.phase is Phase.SETUP
    rig.evse(e.ChargeStartRequested)  # without a cable check: not any more
    assert rig.view.cause is Cause.EV_PROTOCOL_ERROR


def test_after_the_pilot_was_in_b_everything_is_checked_again() -> None:
    rig = renegotiating()
    rig.cp(CpState.B)
    rig.relay(False, "CP left C/D")
    rig.measure(contactors_closed=False, voltage_v=15.0)
    rig.log.clear()
    rig.cp(CpState.C)
    rig.evse(e.CableCheckRequested)
    assert only(rig.log, c.SetGrant) == [c.SetGrant(evse_id=1, allowed=True)]
    rig.relay(True)
    rig.measure(contactors_closed=True)
    assert len(only(rig.log, c.PowerCableCheck)) == 1


def again_within_three_seconds(*, opened: bool) -> Rig:
    """The pilot toggles and the car asks for the cable check before the contactors were seen open."""
    rig = renegotiating()
    rig.cp(CpState.B)
    rig.relay(False, "CP left C/D")
    rig.cp(CpState.C)
    rig.evse(e.CableCheckRequested)
    rig.relay(True)
    if opened:
        rig.measure(contactors_closed=False, voltage_v=15.0)
        rig.measure(contactors_closed=True)
    return rig


def test_contactors_that_open_and_close_quickly_are_not_stuck() -> None:
    rig = again_within_three_seconds(opened=True)
    rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
    rig.wait(4.0)
    assert (rig.phase, rig.view.cause) == (Phase.CABLE_CHECK, Cause.NONE)


def test_contactors_that_never_opened_end_the_session() -> None:
    rig = again_within_three_seconds(opened=False)
    rig.measure(voltage_v=390.0)
    rig.wait(5.1)
    assert rig.view.cause is Cause.POWER_REFUSED


@pytest.mark.clause("S9")
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"isolation": Isolation.FAULT}, Cause.ISOLATION_FAULT),
        ({"temperature_c": 120.0}, Cause.OVER_TEMPERATURE),
    ],
)
def test_during_renegotiation_the_output_is_watched(changes: dict[str, object], cause: Cause) -> None:
    rig = renegotiating()
    rig.measure(**changes)
    assert rig.view.cause is cause


@pytest.mark.clause("S9")
def test_current_that_nobody_asked_for_during_renegotiation_is_an_error() -> None:
    rig = renegotiating()
    rig.measure(current_a=300.0)
    rig.wait(0.5, status=False)
    assert rig.view.cause is Cause.LIMITS_EXCEEDED


def test_a_start_without_renegotiation_is_out_of_order() -> None:
    rig = Rig().to(Phase.SETUP)
    rig.evse(e.ChargeStartRequested)
    assert rig.view.cause is Cause.EV_PROTOCOL_ERROR


# --- wishes of people --------------------------------------------------------------------------------------


def test_a_wish_for_new_terms_stands_until_the_car_renegotiates() -> None:
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.RenegotiationRequested, who="test")
    assert rig.view.renegotiate
    rig.target(420.0, 50.0)
    assert rig.view.renegotiate
    rig.evse(e.ChargeRenegotiationRequested)
    assert not rig.view.renegotiate


@pytest.mark.parametrize("phase", set(Phase) - {Phase.CHARGING})
def test_where_nothing_flows_there_is_nothing_to_renegotiate(phase: Phase) -> None:
    rig = Rig().to(phase)
    rig.evse(e.RenegotiationRequested, who="test")
    assert (rig.phase, rig.view.renegotiate) == (phase, False)


def test_a_wish_ends_with_its_session() -> None:
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.RenegotiationRequested, who="test")
    rig.cp(CpState.A)
    assert not rig.view.renegotiate


# --- pause ------------------------------------------------------------------------------------------------


def paused(config: EvseConfig | None = None) -> Rig:
    """A charged car that ended its session with a pause."""
    rig = Rig(config or EvseConfig()).to(Phase.STOPPING)
    rig.measure(current_a=0.0)
    rig.measure(contactors_closed=False, voltage_v=20.0)
    rig.cp(CpState.B)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_PAUSED, orderly=True)
    return rig


@pytest.mark.clause("ISO15118-3 D-LINK_PAUSE", "DIN70121 V2G_SECC_CPOscillator_Retain_Time")
def test_a_pause_sleeps_in_x1_until_the_car_toggles() -> None:
    rig = paused()
    rig.log.clear()
    rig.wait(1.4)
    assert only(rig.log, c.SetPilot) == []
    rig.wait(3600.0)
    assert [pilot.mode for pilot in only(rig.log, c.SetPilot)] == [PilotMode.STEADY_POSITIVE]
    assert (rig.phase, rig.view.cause) == (Phase.FINISHED, Cause.EV_PAUSED)
    assert not any(led.pattern in (3, 4) for led in only(rig.log, c.ShowPortLed))
    wake(rig)
    assert rig.phase is Phase.CONNECTED
    assert only(rig.log, c.AcceptV2g)[-1].accepted
    assert only(rig.log, c.SetPilot)[-1].mode is PilotMode.PWM


def test_a_car_that_toggles_at_once_is_not_missed() -> None:
    rig = paused()
    wake(rig)
    assert rig.phase is Phase.CONNECTED
    rig.wait(5.0)
    assert only(rig.log, c.SetPilot)[-1].mode is PilotMode.PWM


def test_a_paused_plug_stays_locked_until_the_pause_is_over_or_somebody_stops_it() -> None:
    rig = paused(EvseConfig(lock_connector=True))
    rig.wait(60.0)
    wake(rig)
    assert only(rig.log, c.LockConnector) == []
    for freed in (
        lambda rig: rig.evse(e.StopRequested, who="driver"),
        lambda rig: rig.tell(e.McuLinkLost(at=rig.now, reason="cut")),
        lambda rig: rig.cp(CpState.A),
    ):
        rig = paused(EvseConfig(lock_connector=True))
        rig.wait(60.0)
        freed(rig)
        assert [lock.locked for lock in only(rig.log, c.LockConnector)] == [False]


def wake(rig: Rig) -> None:
    """A B-C-B toggle."""
    rig.cp(CpState.C)
    rig.wait(0.3)
    rig.cp(CpState.B)
    rig.wait(0.3)


@pytest.mark.parametrize(("resumed", "asks"), [(True, 0), (False, 1)])
def test_the_car_of_a_paused_session_stays_authorised(resumed: bool, asks: int) -> None:
    rig = paused()
    rig.wait(600.0)
    wake(rig)
    rig.log.clear()
    rig.evse(e.V2gSessionStarted, protocol="iso2", evcc_id="AA", session_id="01", resumed=resumed)
    assert rig.view.authorization is Authorization.ACCEPTED
    assert len(only(rig.log, c.RequestAuthorization)) == asks


def test_unplugging_ends_the_authorization_of_a_paused_car() -> None:
    rig = paused()
    rig.wait(2.0)
    rig.cp(CpState.A)
    rig.cp(CpState.B)
    assert rig.view.authorization is Authorization.ONGOING
