"""Physics of one power stage: contactors, ramps, regulation, isolation monitor, heat. Pure.

Two faces show it: the internal simulation of the host (station commands) and the PECC simulator (PEP).
"""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import Protocol

from vsecc_host.power.config import PowerConfig
from vsecc_host.station.values import DcLimits, Isolation

CHECK_CURRENT_A = 0.05  # what an isolation monitor may drive
CHECK_BAND_V = 5.0  # the test voltage counts as reached
IDLE_LOAD_A = 2.0  # up to here the ideal load only takes its voltage: pre-charge
BLEED_S = 0.1  # time constant of the open outlet
MOVING_V, MOVING_A = 0.5, 0.2  # between two steps
HOT_C = 130.0
HEATING_K, HEATING_S = 40.0, 300.0  # at full power


class Load(Protocol):
    """What hangs at the outlet."""

    def apply(
        self, voltage_v: float, current_limit_a: float, connected: bool, now: float
    ) -> tuple[float, float]:
        """Output set to this voltage and at most this current; -> voltage V and current A that appear."""


class IdealLoad:
    """Takes whatever it is given; without contactors the outlet discharges."""

    def __init__(self) -> None:
        self._voltage_v = 0.0
        self._at = 0.0

    def apply(
        self, voltage_v: float, current_limit_a: float, connected: bool, now: float
    ) -> tuple[float, float]:
        """As the protocol."""
        decayed = self._voltage_v * exp(-max(0.0, now - self._at) / BLEED_S)
        self._at = now
        self._voltage_v = max(voltage_v, decayed) if connected else decayed
        drawn = current_limit_a if connected and current_limit_a > IDLE_LOAD_A else 0.0
        return self._voltage_v, drawn


class PowerStage:
    """Set-points and faults are attributes and verbs; `advance` at `step_at`, then read what appeared."""

    def __init__(self, config: PowerConfig | None = None, load: Load | None = None) -> None:
        self.config = config or PowerConfig()
        self.load: Load = load or IdealLoad()
        self.limits = self.rated()
        self.supervised = False  # the safety relay permits energy
        self.closed = False  # contactors, as they are
        self.close_wanted = False
        self.voltage_v = self.current_a = 0.0  # at the outlet
        self.drive_v = self.drive_a = 0.0  # what the converter is set to
        self.worst_opening_a = 0.0  # highest current contactors ever opened under
        self.step_at: float | None = None  # when `advance` is wanted; None before `start`
        self.stays_open = self.stays_closed = False  # faults from here on: contactors
        self.dead = False  # the converter delivers nothing
        self.hot = False  # the sensor shows HOT_C
        self.insulation = Isolation.VALID  # what a measurement finds
        self.endless_check = False
        self._goal_v = self._goal_a = 0.0
        self._contactors_at: float | None = None
        self._checking = False
        self._check_until: float | None = None
        self._measured = False
        self._temperature_c = self.config.ambient_c
        self._moving = False
        self._moves_from = 0.0  # a ramp cannot begin before its command
        self._at = 0.0

    # --- set-points ------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Switch on."""
        self._at = self.step_at = now

    def supervise(self, permitted: bool, now: float) -> bool:
        """State of the safety relay, in hardware ANDed with the contactor drive; True when it cut a path."""
        self.supervised = permitted
        if permitted or not (self.closed or self.close_wanted):
            return False
        self.switch_off(now)
        return True

    def want_contactors(self, closed: bool, now: float) -> None:
        """Drive the contactors; they move after their delay."""
        if self.close_wanted is closed and self.closed is closed:
            return
        self.close_wanted = closed
        self._contactors_at = now + self.config.contactor_delay_s

    def aim(self, voltage_v: float, current_a: float) -> None:
        """Set-points of the converter; nothing while the contactors are not wanted closed."""
        self._goal_v, self._goal_a = (voltage_v, current_a) if self.close_wanted else (0.0, 0.0)

    def begin_check(self, voltage_v: float) -> None:
        """Measure the isolation at this voltage; the result of before is void."""
        self.forget_isolation()
        self._checking, self._check_until = True, None
        self.aim(voltage_v, CHECK_CURRENT_A)

    def stop_check(self) -> None:
        """Give a running measurement up."""
        self._checking, self._check_until = False, None

    def forget_isolation(self) -> None:
        """No result any more."""
        self._measured = False

    def switch_off(self, now: float) -> None:
        """Hardware drops the contactors and the output, whatever was going on."""
        self.close_wanted = False
        self._contactors_at = None
        if not self.stays_closed:
            self._open()
        self.stop_check()
        self._goal_v = self._goal_a = self.drive_v = self.drive_a = 0.0
        self.step_at = now

    def release_contactors(self, now: float) -> None:
        """A stuck contactor is free again and follows its drive."""
        self.stays_open = self.stays_closed = False
        if self.close_wanted != self.closed:
            self._contactors_at = now + self.config.contactor_delay_s

    def hurry(self, now: float) -> None:
        """Something changed: look again within one step, however many commands come."""
        if not self._moving:
            self._moves_from = now
        if self.step_at is not None:
            self.step_at = min(self.step_at, now + self.config.step_s)

    # --- readings --------------------------------------------------------------------------------------

    @property
    def checking(self) -> bool:
        """A measurement of the isolation runs."""
        return self._checking

    @property
    def isolation(self) -> Isolation:
        """What the isolation monitor tells now; once measured it goes on watching."""
        return self.insulation if self._measured else Isolation.INVALID

    @property
    def temperature_c(self) -> float:
        """Of the power stage."""
        return HOT_C if self.hot else self._temperature_c

    @property
    def available_w(self) -> float:
        """Power the stage can give at its temperature."""
        config = self.config
        span_k = max(config.derate_to_c - config.derate_from_c, 1.0)
        share = min(1.0, max(0.0, (config.derate_to_c - self._temperature_c) / span_k))
        return min(self.limits.max_power_w, config.max_power_w * share)

    def rated(self) -> DcLimits:
        """Limits of the healthy stage."""
        config = self.config
        return DcLimits(
            min_voltage_v=config.min_voltage_v,
            max_voltage_v=config.max_voltage_v,
            min_current_a=config.min_current_a,
            max_current_a=config.max_current_a,
            max_power_w=config.max_power_w,
        )

    def present_limits(self) -> DcLimits:
        """Limits as they are now, derating included."""
        available_w = self.available_w
        if available_w >= self.limits.max_power_w:
            return self.limits
        return replace(self.limits, max_power_w=float(round(available_w, -2)))

    # --- physics ---------------------------------------------------------------------------------------

    def advance(self, now: float) -> Isolation | None:
        """Move the physics to `now`; the result of a measurement that ended in this step."""
        elapsed_s = max(0.0, now - self._at)
        self._at = now
        self._move_contactors(now)
        self._ramp(now - max(now - elapsed_s, self._moves_from))
        self._appear(now)
        self._heat(elapsed_s)
        done = self._check(now)
        self._schedule(now)
        return done

    def _move_contactors(self, now: float) -> None:
        if self._contactors_at is None or now < self._contactors_at:
            return
        self._contactors_at = None
        if self.close_wanted and self.supervised:
            self.closed = self.closed or not self.stays_open
        elif not self.stays_closed:
            self._open()

    def _open(self) -> None:
        if self.closed:
            self.worst_opening_a = max(self.worst_opening_a, self.current_a)
        self.closed = False

    def _ramp(self, elapsed_s: float) -> None:
        config = self.config
        step_v = config.voltage_ramp_v_per_s * elapsed_s
        self.drive_v = _towards(self.drive_v, 0.0 if self.dead else self._goal_v, step_v, step_v)
        self.drive_a = _towards(
            self.drive_a,
            self._goal_drive_a(),
            config.current_rise_a_per_s * elapsed_s,
            config.current_fall_a_per_s * elapsed_s,
        )

    def _goal_drive_a(self) -> float:
        return 0.0 if self.dead else min(self._goal_a, self.limits.max_current_a)

    def _appear(self, now: float) -> None:
        allowed_a = min(self.drive_a, self.available_w / max(self.voltage_v, 1.0))
        voltage, current = self.load.apply(self.drive_v, allowed_a, self.closed, now)
        self._moving = (
            abs(voltage - self.voltage_v) > MOVING_V
            or abs(current - self.current_a) > MOVING_A
            or self.drive_v != (0.0 if self.dead else self._goal_v)
            or self.drive_a != self._goal_drive_a()
        )
        self.voltage_v, self.current_a = voltage, current

    def _heat(self, elapsed_s: float) -> None:
        share = self.voltage_v * self.current_a / max(self.config.max_power_w, 1.0)
        goal = self.config.ambient_c + HEATING_K * share
        self._temperature_c += (goal - self._temperature_c) * (1.0 - exp(-elapsed_s / HEATING_S))

    def _check(self, now: float) -> Isolation | None:
        if not self._checking:
            return None
        if self._check_until is None:
            if self.closed and abs(self.voltage_v - self._goal_v) <= CHECK_BAND_V:
                self._check_until = now + self.config.isolation_time_s
        elif now >= self._check_until and not self.endless_check:
            self.stop_check()
            self._measured = True
            self.aim(0.0, 0.0)
            return self.isolation
        return None

    def _schedule(self, now: float) -> None:
        wanted = [now + (self.config.step_s if self._moving else self.config.status_period_s)]
        if self._contactors_at is not None:
            wanted.append(self._contactors_at)
        if self._check_until is not None and self._check_until > now:
            wanted.append(self._check_until)
        self.step_at = max(now, min(wanted))


def _towards(value: float, goal: float, rise: float, fall: float) -> float:
    """One step towards the goal, never past it."""
    return min(value + rise, goal) if value < goal else max(value - fall, goal)
