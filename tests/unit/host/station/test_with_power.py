"""The machine together with the simulated power electronics and a battery: whole sessions in virtual time."""

from __future__ import annotations

import pytest
from unit.host.station.rig import only

from vsecc_host.power.config import PowerConfig
from vsecc_host.power.simulation import PowerSimulation
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import (
    CableCheck,
    Cause,
    CpState,
    EvParameters,
    Phase,
    Stop,
)

RELAY_S = 0.02  # permission to contact feedback, both ways


class Car:
    """A 400 V battery behind 0.1 ohm and its contactor."""

    def __init__(self) -> None:
        self.closed = False
        self.volts = 0.0

    def apply(self, voltage_v, current_limit_a, connected, now):
        if not self.closed:
            charged = connected and current_limit_a > 0
            self.volts = max(voltage_v, self.volts * 0.8) if charged else self.volts * 0.8
            return self.volts, 0.0
        current = min(max(0.0, (voltage_v - 400.0) / 0.1), current_limit_a) if connected else 0.0
        return 400.0 + 0.1 * current, current


class Station:
    """Routes commands as the composition root does; the MCU is its relay and a pilot the test sets."""

    def __init__(self) -> None:
        self.now = 10.0
        self.car = Car()
        self.machine = EvseMachine(1, EvseConfig())
        self.power = PowerSimulation(1, PowerConfig(), self.car)
        self.log: list[tuple[float, c.Command]] = []
        self.relay = False
        self.relay_at: float | None = None
        self.relay_goal = False
        self.energy_at_open: list[float] = []
        self.cp = CpState.UNKNOWN
        self.power.start(self.now)
        self._tell(
            e.McuLinkUp(
                at=self.now, image_sha256="", image_version="", board="", interpreter="", reset_cause=""
            )
        )
        self._drain()

    @property
    def view(self):
        return self.machine.view

    def _tell(self, event: e.StationEvent) -> None:
        self._execute(self.machine.handle(event, self.now))

    def _execute(self, commands: list[c.Command]) -> None:
        for command in commands:
            self.log.append((self.now, command))
            if isinstance(command, c.SetGrant):
                self._permit(command.allowed and self.cp.energy)
            elif type(command).__name__.startswith("Power"):
                if isinstance(command, c.PowerContactors) and not command.closed:
                    self.energy_at_open.append(self.power.snapshot(self.now).current_a)
                self.power.execute(command, self.now)
        self._drain()

    def _drain(self) -> None:
        for event in self.power.take():
            self._tell(event)

    def _permit(self, closed: bool) -> None:
        if closed != self.relay_goal:
            self.relay_goal, self.relay_at = closed, self.now + RELAY_S

    def pilot(self, state: CpState) -> None:
        previous, self.cp = self.cp, state
        if not state.energy and self.relay_goal:
            self.relay_goal, self.relay_at = False, self.now  # S2: the MCU opens on its own
        self._tell(
            e.CpStateChanged(at=self.now, evse_id=1, state=state, previous=previous, high_mv=0, low_mv=0)
        )

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            dues = [self.machine.next_deadline(), self.power.next_deadline(), self.relay_at]
            due = min((x for x in dues if x is not None and x <= end), default=None)
            if due is None:
                break
            self.now = max(self.now, due)
            if self.relay_at is not None and self.relay_at <= self.now:
                self.relay, self.relay_at = self.relay_goal, None
                reason = "closed" if self.relay else "CP left C/D"
                self._tell(e.RelayChanged(at=self.now, evse_id=1, closed=self.relay, reason=reason))
            self.power.tick(self.now)
            self._drain()
            self._execute(self.machine.tick(self.now))
        self.now = end

    def say(self, kind, **fields) -> None:
        self._tell(kind(at=self.now, evse_id=1, **fields))

    # --- a car that behaves --------------------------------------------------------------------------------

    def plug(self) -> None:
        self.pilot(CpState.A)
        self.wait(0.5)
        self.pilot(CpState.B)
        self.wait(0.5)

    def talk(self) -> None:
        self.say(e.V2gSessionStarted, protocol="din", evcc_id="", session_id="1")
        self.say(e.AuthorizationDecided, accepted=True, who="")
        parameters = EvParameters(max_voltage_v=450.0, max_current_a=125.0, soc_percent=30)
        self.say(e.EvParametersTold, parameters=parameters)
        self.pilot(CpState.C)

    def check(self) -> None:
        self.say(e.CableCheckRequested)
        self.wait(3.5)

    def pre_charge(self) -> None:
        for _ in range(20):
            self.say(e.PreChargeRequested, voltage_v=400.0, current_a=1.0)
            self.wait(0.1)
        self.car.closed = True

    def charge(self, seconds: float) -> None:
        self.say(e.ChargeStartRequested)
        for _ in range(round(seconds / 0.1)):
            self.say(e.ChargeTargetRequested, voltage_v=430.0, current_a=100.0, soc_percent=31)
            self.wait(0.1)

    def stop(self) -> None:
        self.say(e.ChargeStopRequested)
        self.wait(0.5)
        self.car.closed = False
        self.pilot(CpState.B)
        self.wait(0.3)
        self.say(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)

    def session(self) -> None:
        self.talk()
        self.check()
        self.pre_charge()
        self.charge(3.0)
        self.stop()


@pytest.fixture
def station():
    return Station()


@pytest.fixture
def charging(station):
    station.plug()
    station.talk()
    station.check()
    station.pre_charge()
    station.charge(3.0)
    assert (station.view.phase, station.view.power.current_a) == (Phase.CHARGING, pytest.approx(100.0))
    return station


def test_a_session_from_plug_in_to_unplug(station):
    station.plug()
    station.talk()
    station.check()
    assert (station.view.cable_check, station.view.phase) == (CableCheck.PASSED, Phase.CABLE_CHECK)
    station.pre_charge()
    assert station.view.power.voltage_v == pytest.approx(400.0, abs=1.0)
    station.charge(3.0)
    assert station.view.power.current_a == pytest.approx(100.0)
    station.stop()
    assert (station.view.phase, station.view.cause) == (Phase.FINISHED, Cause.EV_FINISHED)
    station.wait(1.0)
    assert station.view.power.voltage_v < 60.0
    assert not station.view.power.contactors_closed
    station.pilot(CpState.A)
    assert station.view.phase is Phase.IDLE
    assert all(amperes < 1.0 for amperes in station.energy_at_open)


def test_three_sessions_of_one_plug_in(station):
    station.plug()
    for _ in range(3):
        station.session()
        assert station.view.cause is Cause.EV_FINISHED
        station.wait(8.0)
        assert station.view.phase is Phase.CONNECTED


@pytest.mark.parametrize(
    ("fault", "cause", "soft"),
    [
        ("inoperative", Cause.POWER_INOPERATIVE, False),
        ("isolation_fault", Cause.ISOLATION_FAULT, True),
        ("over_temperature", Cause.OVER_TEMPERATURE, True),
        ("silent", Cause.POWER_STALE, True),
    ],
)
def test_s9_faults_of_the_power_electronics_stop_charging(charging, fault, cause, soft):
    charging.power.inject(fault, True, charging.now)
    charging.charge(1.4)
    assert (charging.view.stop is not Stop.NONE, charging.view.cause) == (True, cause)
    charging.wait(1.2)
    assert (charging.view.stop, charging.view.cause) == (Stop.EMERGENCY, cause)
    assert not charging.power.snapshot(charging.now).contactors_closed
    assert not charging.relay
    if soft:
        assert all(amperes < 5.0 for amperes in charging.energy_at_open)


def test_s9_cp_leaving_c_opens_everything_within_one_relay_time(charging):
    charging.pilot(CpState.B)
    charging.wait(RELAY_S)
    assert not charging.power.snapshot(charging.now).contactors_closed
    assert charging.power.snapshot(charging.now).current_a == 0.0
    assert charging.view.cause is Cause.CP_LEFT_C


def test_s9_an_emergency_stop_brings_the_current_down_before_opening(charging):
    charging.say(e.StopRequested, who="button", emergency=True)
    charging.wait(1.5)
    assert not charging.relay
    assert [amperes < 1.0 for amperes in charging.energy_at_open] == [True]


def test_an_isolation_fault_fails_the_cable_check(station):
    station.plug()
    station.power.inject("isolation_fault", True, station.now)
    station.talk()
    station.check()
    assert (station.view.cable_check, station.view.cause) == (CableCheck.FAILED, Cause.ISOLATION_FAULT)
    station.say(e.V2gSessionEnded, cause=Cause.EV_DISCONNECTED, orderly=False)
    station.wait(30.0)
    assert station.view.phase is Phase.FINISHED


def test_contactors_that_never_close_fail_the_cable_check(station):
    station.plug()
    station.power.inject("contactor_stuck", True, station.now)
    station.talk()
    station.check()
    station.wait(2.0)
    assert station.view.cause is Cause.POWER_REFUSED


def test_contactors_that_never_open_are_a_fault_of_the_outlet(charging):
    charging.power.inject("contactor_stuck", True, charging.now)
    charging.stop()
    charging.wait(4.0)
    assert (charging.view.phase, charging.view.cause) == (Phase.FAULTED, Cause.POWER_INOPERATIVE)
    charging.power.inject("contactor_stuck", False, charging.now)
    charging.wait(1.0)
    assert charging.view.phase is Phase.CONNECTED


def test_derating_reduces_the_current_without_ending_the_session(charging):
    charging.power.inject("derated", True, charging.now)
    charging.wait(0.3)
    charging.charge(3.0)
    assert charging.view.phase is Phase.CHARGING
    assert charging.view.power.current_a * charging.view.power.voltage_v < 37_600.0
    assert only([x for _, x in charging.log], c.PowerTarget)[-1].current_a < 100.0


def test_pulling_the_cable_while_charging_is_dark_at_once(charging):
    charging.pilot(CpState.A)
    assert charging.view.phase is Phase.IDLE
    charging.wait(0.2)
    assert charging.power.snapshot(charging.now).current_a == 0.0
    assert not charging.power.snapshot(charging.now).contactors_closed
