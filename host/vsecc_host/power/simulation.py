"""Power electronics as a pure simulation: contactors, cable check, ramps, regulation, faults on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp
from typing import Any, Protocol

from vsecc_host.power.config import PowerConfig
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, DcLimits, Isolation, PowerPhase, PowerSnapshot

FAULTS = frozenset(
    {
        "inoperative",
        "isolation_warning",
        "isolation_fault",
        "contactor_stuck",
        "over_temperature",
        "silent",
        "derated",
    }
)

CHECK_CURRENT_A = 0.05  # what an isolation monitor may drive
CHECK_BAND_V = 5.0  # the test voltage counts as reached
IDLE_LOAD_A = 2.0  # up to here the ideal load only takes its voltage: pre-charge
BLEED_S = 0.1  # time constant of the open outlet
MOVING_V, MOVING_A = 0.5, 0.2  # between two steps
HOT_C = 130.0
HEATING_K, HEATING_S = 40.0, 300.0  # at full power
DERATED = 0.25


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


class PowerSimulation:
    """One power stage: `execute` commands, `tick` at `next_deadline`, `take` events."""

    def __init__(self, evse_id: int, config: PowerConfig | None = None, load: Load | None = None) -> None:
        self.evse_id = evse_id
        self.config = config or PowerConfig()
        self._load: Load = load or IdealLoad()
        self._limits = self._rated()
        self._faults: set[str] = set()
        self._supervised = False  # the safety relay permits energy
        self._closed = False
        self._close_wanted = False
        self._contactors_at: float | None = None
        self._goal_v = self._goal_a = 0.0
        self._drive_v = self._drive_a = 0.0
        self._checking = False
        self._check_until: float | None = None
        self._isolation = Isolation.INVALID
        self._temperature_c = self.config.ambient_c
        self._voltage_v = self._current_a = 0.0
        self._moving = False
        self._moves_from = 0.0  # a ramp cannot begin before its command
        self._at = 0.0
        self._step_at: float | None = None
        self._told: DcLimits | None = None
        self._events: list[e.StationEvent] = []

    # --- verbs ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Switch on: limits and the first status follow at once."""
        self._at = now
        self._step_at = now
        self.tick(now)

    def execute(self, command: c.Command, now: float) -> None:
        """Carry out a command of this outlet; a refused one becomes a PowerLost event."""
        handler = _HANDLERS.get(type(command))
        if handler is None:
            raise ValueError(f"not for power electronics: {command!r}")
        handler(self, command, now)
        self._hurry(now)

    def inject(self, name: str, active: bool, now: float) -> None:
        """Switch a fault of FAULTS on or off; ValueError for an unknown one."""
        if name not in FAULTS:
            raise ValueError(f"no fault {name}; there are {', '.join(sorted(FAULTS))}")
        (self._faults.add if active else self._faults.discard)(name)
        if name == "inoperative" and active:
            self._switch_off(now)
        if name == "contactor_stuck" and not active and self._close_wanted != self._closed:
            self._contactors_at = now + self.config.contactor_delay_s
        if name == "derated":
            share = DERATED if active else 1.0
            self.set_limits(replace(self._rated(), max_power_w=self.config.max_power_w * share), now)
        self._hurry(now)

    def set_limits(self, limits: DcLimits, now: float) -> None:
        """Other limits from now on, as when modules fail or a neighbour takes a share."""
        self._limits = limits
        self._hurry(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted; None before `start`."""
        return self._step_at

    def tick(self, now: float) -> None:
        """Advance the physics to `now`."""
        if self._step_at is None or now < self._step_at:
            return
        elapsed_s = max(0.0, now - self._at)
        self._at = now
        self._move_contactors(now)
        self._ramp(now - max(now - elapsed_s, self._moves_from))
        self._appear(now)
        self._heat(elapsed_s)
        self._check(now)
        self._tell(now)
        self._schedule(now)

    def take(self) -> list[e.StationEvent]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events

    # --- commands ------------------------------------------------------------------------------------------

    def _on_contactors(self, command: c.PowerContactors, now: float) -> None:
        if command.closed and not self._operative():
            self._refuse("inoperative", now)
        elif command.closed and not self._supervised:
            self._refuse("the safety relay is open", now)
        elif command.closed:
            self._want_contactors(True, now)
        else:
            self._aim(0.0, 0.0)
            self._checking, self._check_until = False, None
            self._want_contactors(False, now)

    def _on_cable_check(self, command: c.PowerCableCheck, now: float) -> None:
        if not self._closed or not self._operative():
            self._refuse("cable check with open contactors", now)
        elif command.voltage_v > self._limits.max_voltage_v:
            self._refuse("cable check above the highest voltage", now)
        else:
            self._isolation = Isolation.INVALID
            self._checking, self._check_until = True, None
            self._aim(command.voltage_v, CHECK_CURRENT_A)

    def _on_target(self, command: c.PowerTarget, now: float) -> None:
        if command.voltage_v > self._limits.max_voltage_v:
            self._refuse("target above the highest voltage", now)
        elif command.phase in (PowerPhase.PRE_CHARGE, PowerPhase.CHARGE):
            self._checking, self._check_until = False, None
            self._aim(command.voltage_v, command.current_a)
        else:
            self._aim(0.0, 0.0)

    def _on_reset(self, command: c.PowerReset, now: float) -> None:
        self._aim(0.0, 0.0)
        self._checking, self._check_until = False, None
        self._isolation = Isolation.INVALID
        self._want_contactors(False, now)

    def _on_supervision(self, command: c.PowerSupervision, now: float) -> None:
        self._supervised = command.relay_closed
        if not command.relay_closed and self._closed:
            self._switch_off(now)
            self.tick(now)

    def _refuse(self, detail: str, now: float) -> None:
        self._events.append(
            e.PowerLost(at=now, evse_id=self.evse_id, cause=Cause.POWER_REFUSED, detail=detail)
        )

    def _aim(self, voltage_v: float, current_a: float) -> None:
        self._goal_v, self._goal_a = (voltage_v, current_a) if self._close_wanted else (0.0, 0.0)

    def _want_contactors(self, closed: bool, now: float) -> None:
        if self._close_wanted is closed and self._closed is closed:
            return
        self._close_wanted = closed
        self._contactors_at = now + self.config.contactor_delay_s

    def _switch_off(self, now: float) -> None:
        """Hardware drops the contactors and the output, whatever was going on."""
        self._close_wanted = False
        self._contactors_at = None
        self._closed = self._closed and "contactor_stuck" in self._faults
        self._checking, self._check_until = False, None
        self._goal_v = self._goal_a = self._drive_v = self._drive_a = 0.0
        self._step_at = now

    # --- physics ------------------------------------------------------------------------------------------

    def _move_contactors(self, now: float) -> None:
        if self._contactors_at is None or now < self._contactors_at:
            return
        self._contactors_at = None
        if "contactor_stuck" not in self._faults:
            self._closed = self._close_wanted and self._supervised

    def _ramp(self, elapsed_s: float) -> None:
        config = self.config
        step_v = config.voltage_ramp_v_per_s * elapsed_s
        self._drive_v = _towards(self._drive_v, self._goal_v, step_v, step_v)
        self._drive_a = _towards(
            self._drive_a,
            min(self._goal_a, self._limits.max_current_a),
            config.current_rise_a_per_s * elapsed_s,
            config.current_fall_a_per_s * elapsed_s,
        )

    def _appear(self, now: float) -> None:
        allowed_a = min(self._drive_a, self._limits.max_power_w / max(self._voltage_v, 1.0))
        voltage, current = self._load.apply(self._drive_v, allowed_a, self._closed, now)
        self._moving = (
            abs(voltage - self._voltage_v) > MOVING_V
            or abs(current - self._current_a) > MOVING_A
            or self._drive_v != self._goal_v
            or self._drive_a != min(self._goal_a, self._limits.max_current_a)
        )
        self._voltage_v, self._current_a = voltage, current

    def _heat(self, elapsed_s: float) -> None:
        share = self._voltage_v * self._current_a / max(self.config.max_power_w, 1.0)
        goal = self.config.ambient_c + HEATING_K * share
        self._temperature_c += (goal - self._temperature_c) * (1.0 - exp(-elapsed_s / HEATING_S))

    def _check(self, now: float) -> None:
        if not self._checking:
            return
        if self._check_until is None:
            if self._closed and abs(self._voltage_v - self._goal_v) <= CHECK_BAND_V:
                self._check_until = now + self.config.isolation_time_s
        elif now >= self._check_until:
            self._checking, self._check_until = False, None
            self._isolation = Isolation.VALID
            self._aim(0.0, 0.0)
            self._events.append(
                e.CableCheckDone(at=now, evse_id=self.evse_id, isolation=self._measured_isolation())
            )

    def _measured_isolation(self) -> Isolation:
        if self._isolation is Isolation.INVALID:
            return Isolation.INVALID
        if "isolation_fault" in self._faults:
            return Isolation.FAULT
        return Isolation.WARNING if "isolation_warning" in self._faults else self._isolation

    # --- telling ------------------------------------------------------------------------------------------

    def _operative(self) -> bool:
        return "inoperative" not in self._faults

    def _tell(self, now: float) -> None:
        if "silent" in self._faults:
            return
        if self._limits != self._told:
            self._told = self._limits
            self._events.append(e.PowerLimitsTold(at=now, evse_id=self.evse_id, limits=self._limits))
        self._events.append(e.PowerMeasured(at=now, evse_id=self.evse_id, snapshot=self.snapshot(now)))

    def snapshot(self, now: float) -> PowerSnapshot:
        """The outlet as it was at the last step."""
        return PowerSnapshot(
            at=now,
            voltage_v=self._voltage_v,
            current_a=self._current_a,
            contactors_closed=self._closed,
            isolation=self._measured_isolation(),
            operative=self._operative(),
            temperature_c=HOT_C if "over_temperature" in self._faults else self._temperature_c,
        )

    def _schedule(self, now: float) -> None:
        pause_s = self.config.step_s if self._moving else self.config.status_period_s
        wanted = [now + pause_s]
        wanted += [at for at in (self._contactors_at, self._check_until) if at is not None]
        self._step_at = max(now, min(wanted))

    def _hurry(self, now: float) -> None:
        """Something changed: look again within one step, however many commands come."""
        if not self._moving:
            self._moves_from = now
        if self._step_at is not None:
            self._step_at = min(self._step_at, now + self.config.step_s)

    def _rated(self) -> DcLimits:
        config = self.config
        return DcLimits(
            min_voltage_v=config.min_voltage_v,
            max_voltage_v=config.max_voltage_v,
            min_current_a=config.min_current_a,
            max_current_a=config.max_current_a,
            max_power_w=config.max_power_w,
        )


def _towards(value: float, goal: float, rise: float, fall: float) -> float:
    """One step towards the goal, never past it."""
    return min(value + rise, goal) if value < goal else max(value - fall, goal)


_HANDLERS: dict[type[c.Command], Callable[[PowerSimulation, Any, float], None]] = {
    c.PowerContactors: PowerSimulation._on_contactors,
    c.PowerCableCheck: PowerSimulation._on_cable_check,
    c.PowerTarget: PowerSimulation._on_target,
    c.PowerReset: PowerSimulation._on_reset,
    c.PowerSupervision: PowerSimulation._on_supervision,
}
