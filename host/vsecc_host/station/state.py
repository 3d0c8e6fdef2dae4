"""Everything one outlet remembers, and the small verbs that keep it consistent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from vsecc_host.station import commands as c
from vsecc_host.station import values as v
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.faults import is_good_end
from vsecc_host.station.limits import NOTHING, Bound, Limits, Superseded, effective
from vsecc_host.station.meter import EnergyMeter
from vsecc_host.station.table import SESSION_PHASES, TIMER_PHASES, Input

DIGITAL_DUTY_PERMILLE = 50  # 5 %: digital communication required
STALE_S = 1.0  # S9: five missed status messages
GONE_S = 5.0  # without a session: the outlet becomes unavailable
INOPERATIVE_S = 10.0  # a reset may pass through "inoperative"; longer is a fault
STUCK_S = 3.0  # contactors that are told to open
DRIVEN_F_S = 1.0  # until the MCU has confirmed that the pilot left F
COOLED_K = 5.0  # below the maximum before an outlet counts as cool again
LOW_CURRENT_A = 1.0
TOUCH_SAFE_V = 60.0

LED_OFF, LED_GREEN_FLASHING, LED_GREEN, LED_RED_FLASHING, LED_RED = range(5)

NEVER_MEASURED = v.PowerSnapshot(
    at=0.0,
    voltage_v=0.0,
    current_a=0.0,
    contactors_closed=False,
    isolation=v.Isolation.INVALID,
    operative=False,
    temperature_c=0.0,
)


@dataclass(slots=True)
class EvSession:
    """What belongs to one V2G session; a new object per session."""

    begun: bool = False  # until the end was reported
    live: bool = False  # V2G runs
    orderly: bool = False  # it ended with SessionStop
    end_cause: v.Cause = v.Cause.NONE
    ev: v.EvParameters | None = None
    end_detail: str = ""
    ev_error: str = ""  # code of the EV
    evcc_id: str = ""
    soc_percent: int = 0
    remaining_to_full_s: int | None = None
    charged: bool = False  # CHARGING was reached
    granted: bool = False
    powered: bool = False  # contactors were told to close
    checking: bool = False  # a cable check of this session was commanded
    restarting: bool = False  # off and on again for the cable check after a renegotiation
    voltage_v: float = 0.0  # newest wish of the car
    current_a: float = 0.0
    aimed: tuple[float, float, v.PowerPhase] | None = None
    renegotiate: bool = False  # somebody wants new parameters
    emergency_due: bool = False  # the car is asked to stop; told of the emergency when the output opens


@dataclass(slots=True)
class EvseState:
    """Mutable heart of an EvseMachine; only `observe` and `actions` write to it."""

    evse_id: int
    config: EvseConfig
    next_config: EvseConfig | None = None  # takes over with the next session
    phase: v.Phase = v.Phase.FAULTED  # until the MCU and the power electronics have spoken
    cause: v.Cause = v.Cause.MCU_LINK_LOST
    cp: v.CpState = v.CpState.UNKNOWN
    relay_closed: bool = False
    port_faults: tuple[str, ...] = ()
    mcu_up: bool = False
    mcu_refused: bool = False
    power: v.PowerSnapshot = NEVER_MEASURED
    power_seen: bool = False
    power_lost: v.Cause = v.Cause.NONE
    modem_dead: bool = False
    inoperative_since: float | None = None
    stuck: bool = False
    hot: bool = False
    unserved: v.Cause = v.Cause.NONE  # why no car can be served, whatever else is well
    unserved_detail: str = ""
    meter: EnergyMeter = field(default_factory=EnergyMeter)
    told: v.DcLimits | None = None
    named: dict[str, Bound] = field(default_factory=dict)
    limits: Limits = NOTHING
    superseded: Superseded = field(default_factory=Superseded)
    authorization: v.Authorization = v.Authorization.ONGOING
    cable_check: v.CableCheck = v.CableCheck.IDLE
    stop: v.Stop = v.Stop.NONE
    session: EvSession = field(default_factory=EvSession)
    cause_detail: str = ""
    seen_detail: str = ""  # detail of the event just observed
    seen_cause: v.Cause = v.Cause.NONE  # cause that belongs to the input just observed
    held: bool = False  # unplug before the next session
    fruitless: int = 0  # sessions of this plug-in in a row that did not charge
    plugged: bool = False
    pilot: v.PilotMode = v.PilotMode.STEADY_POSITIVE
    f_driven_until: float = 0.0
    led: int | None = None
    locked: bool = False
    unlock_wanted: bool = False
    deadlines: dict[Input, float] = field(default_factory=dict)
    out: list[c.Command] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    def set_cause(self, cause: v.Cause) -> None:
        """Why it does not charge, with the detail of the event that brought it."""
        self.cause, self.cause_detail = cause, self.seen_detail

    def set_pilot(self, mode: v.PilotMode, now: float) -> None:
        """Drive the pilot; PWM always means 5 %. State F is no fault while driven and a moment after."""
        if mode is v.PilotMode.STEADY_NEGATIVE:
            self.f_driven_until = math.inf
        elif self.pilot is v.PilotMode.STEADY_NEGATIVE:
            self.f_driven_until = self.deadlines[Input.T_DRIVEN_F] = now + DRIVEN_F_S
        self.pilot = mode
        duty = DIGITAL_DUTY_PERMILLE if mode is v.PilotMode.PWM else 0
        self.out.append(c.SetPilot(evse_id=self.evse_id, mode=mode, duty_permille=duty))

    def set_grant(self, allowed: bool) -> None:
        """Give or withdraw permission; withdrawing is repeated whenever there is doubt."""
        self.session.granted = allowed
        self.out.append(c.SetGrant(evse_id=self.evse_id, allowed=allowed))

    def refresh_led(self) -> None:
        """Port LED of the device's manual, told when it changes."""
        led = _led_of(self.phase, self.cause, self.plugged)
        if led != self.led:
            self.led = led
            self.out.append(c.ShowPortLed(evse_id=self.evse_id, pattern=led))

    def let_go(self, now: float) -> None:
        """The cable may come out, as soon as that is safe."""
        self.unlock_wanted = self.locked
        self.unlock_when_safe(now)

    def unlock_when_safe(self, now: float) -> None:
        """Unlock below 60 V and without current, and only on a fresh measurement."""
        if not self.unlock_wanted or not self.is_fresh(now):
            return
        if self.power.voltage_v < TOUCH_SAFE_V and self.power.current_a < LOW_CURRENT_A:
            self.unlock_wanted = self.locked = False
            self.out.append(c.LockConnector(evse_id=self.evse_id, locked=False))

    def is_fresh(self, now: float) -> bool:
        """True when the newest measurement is younger than the stale limit of S9."""
        return self.power_seen and now < self.power.at + STALE_S

    def refresh_limits(self, now: float) -> None:
        """Recompute the limits; the old ones stay excusable for a moment."""
        at_voltage = self.power.voltage_v if self.phase is v.Phase.CHARGING else 0.0
        ev = self.session.ev if self.phase in SESSION_PHASES else None
        limits = effective(self.told, ev, self.config, self.named, at_voltage)
        if limits.offered != self.limits.offered:
            self.superseded.add(self.limits.offered, now)
        self.limits = limits

    def tolerated_limits(self, now: float) -> v.DcLimits:
        """Limits a car may still be following."""
        return self.superseded.widen(self.limits.offered, now)

    def take_config(self, now: float) -> None:
        """Let a changed configuration take over."""
        if self.next_config is not None:
            self.config, self.next_config = self.next_config, None
            self.refresh_limits(now)

    def enter(self, phase: v.Phase) -> None:
        """Change the phase and drop the timers that have no meaning in it."""
        if phase is self.phase:
            return
        self.phase = phase
        self.reports.append("phase")
        for timer in [t for t in self.deadlines if phase not in TIMER_PHASES.get(t, (phase,))]:
            del self.deadlines[timer]

    def blocker(self, now: float) -> v.Cause:
        """What forbids charging at all, in the order a person should hear it."""
        if self.mcu_refused:
            return v.Cause.MCU_REFUSED
        if not self.mcu_up:
            return v.Cause.MCU_LINK_LOST
        driven = self.cp is v.CpState.F and now < self.f_driven_until
        if self.port_faults or (self.cp in (v.CpState.E, v.CpState.F) and not driven):
            return v.Cause.PORT_FAULT
        if self.cp is v.CpState.UNKNOWN:
            return v.Cause.MCU_LINK_LOST
        if self.modem_dead:
            return v.Cause.MODEM_DEAD
        return self._power_blocker(now)

    def _power_blocker(self, now: float) -> v.Cause:
        if self.power_lost is not v.Cause.NONE:
            return self.power_lost
        if not self.power_seen or self.told is None or now >= self.power.at + GONE_S:
            return v.Cause.POWER_STALE
        if self.stuck or (
            self.inoperative_since is not None and now >= self.inoperative_since + INOPERATIVE_S
        ):
            return v.Cause.POWER_INOPERATIVE
        if self.hot:
            return v.Cause.OVER_TEMPERATURE
        return self.unserved if not self.session.begun else v.Cause.NONE

    def view(self) -> v.EvseView:
        """The latest truth as a value."""
        return v.EvseView(
            evse_id=self.evse_id,
            evseid=self.config.evseid,
            phase=self.phase,
            cp_state=self.cp,
            relay_closed=self.relay_closed,
            authorization=self.authorization,
            limits=self.limits.offered,
            power=self.power,
            cable_check=self.cable_check,
            stop=self.stop,
            stop_delay_s=0.0 if self.session.emergency_due else self.config.stop_delay_s,
            cause=self.cause,
            port_faults=self.port_faults,
            cause_detail=self.cause_detail,
            meter_wh=self.meter.wh,
            renegotiate=self.session.renegotiate,
            evcc_id=self.session.evcc_id,
            ev=self.session.ev,
            soc_percent=self.session.soc_percent if self.session.ev is not None else None,
            remaining_to_full_s=self.session.remaining_to_full_s,
            profile_max_power_w=self._profile_max_power_w(),
            bounds_w=self.limits.bounds_w,
        )

    def _profile_max_power_w(self) -> float | None:
        return min((watts for owner, watts in self.limits.bounds_w if owner in self.named), default=None)


def _led_of(phase: v.Phase, cause: v.Cause, plugged: bool) -> int:
    if phase is v.Phase.FAULTED:
        return LED_RED
    if not plugged:
        return LED_OFF
    if phase is v.Phase.CHARGING:
        return LED_GREEN_FLASHING
    if phase in (v.Phase.FINISHED, v.Phase.STOPPING) and not is_good_end(cause):
        return LED_RED_FLASHING
    return LED_GREEN
