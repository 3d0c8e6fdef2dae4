"""Power electronics as a pure simulation: a power stage that understands station commands, and faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vsecc_host.power.config import PowerConfig
from vsecc_host.power.stage import Load, PowerStage
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, DcLimits, Isolation, PowerPhase, PowerSnapshot

__all__ = ["FAULTS", "Load", "PowerSimulation"]

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

DERATED = 0.25


class PowerSimulation:
    """One power stage: `execute` commands, `tick` at `next_deadline`, `take` events."""

    def __init__(self, evse_id: int, config: PowerConfig | None = None, load: Load | None = None) -> None:
        self.evse_id = evse_id
        self._stage = PowerStage(config, load)
        self._faults: set[str] = set()
        self._told: DcLimits | None = None
        self._events: list[e.StationEvent] = []

    # --- verbs ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Switch on: limits and the first status follow at once."""
        self._stage.start(now)
        self.tick(now)

    def execute(self, command: c.Command, now: float) -> None:
        """Carry out a command of this outlet; a refused one becomes a PowerLost event."""
        handler = _HANDLERS.get(type(command))
        if handler is None:
            raise ValueError(f"not for power electronics: {command!r}")
        handler(self, command, now)
        self._stage.hurry(now)

    def inject(self, name: str, active: bool, now: float) -> None:
        """Switch a fault of FAULTS on or off; ValueError for an unknown one."""
        if name not in FAULTS:
            raise ValueError(f"no fault {name}; there are {', '.join(sorted(FAULTS))}")
        (self._faults.add if active else self._faults.discard)(name)
        stage = self._stage
        if name == "inoperative" and active:
            stage.switch_off(now)
        elif name == "contactor_stuck" and active:
            stage.stays_open = stage.stays_closed = True
        elif name == "contactor_stuck":
            stage.release_contactors(now)
        elif name == "over_temperature":
            stage.hot = active
        elif name == "derated":
            share = DERATED if active else 1.0
            self.set_limits(replace(stage.rated(), max_power_w=stage.config.max_power_w * share), now)
        stage.insulation = self._insulation()
        stage.hurry(now)

    def _insulation(self) -> Isolation:
        if "isolation_fault" in self._faults:
            return Isolation.FAULT
        return Isolation.WARNING if "isolation_warning" in self._faults else Isolation.VALID

    def set_limits(self, limits: DcLimits, now: float) -> None:
        """Other limits from now on, as when modules fail or a neighbour takes a share."""
        self._stage.limits = limits
        self._stage.hurry(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted; None before `start`."""
        return self._stage.step_at

    def tick(self, now: float) -> None:
        """Advance the physics to `now`."""
        due = self._stage.step_at
        if due is None or now < due:
            return
        measured = self._stage.advance(now)
        if measured is not None:
            self._events.append(e.CableCheckDone(at=now, evse_id=self.evse_id, isolation=measured))
        self._tell(now)

    def take(self) -> list[e.StationEvent]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events

    # --- commands ------------------------------------------------------------------------------------------

    def _on_contactors(self, command: c.PowerContactors, now: float) -> None:
        stage = self._stage
        if command.closed and not self._operative():
            self._refuse("inoperative", now)
        elif command.closed and not stage.supervised:
            self._refuse("the safety relay is open", now)
        elif command.closed:
            stage.want_contactors(True, now)
        else:
            stage.aim(0.0, 0.0)
            stage.stop_check()
            stage.want_contactors(False, now)

    def _on_cable_check(self, command: c.PowerCableCheck, now: float) -> None:
        if not self._stage.closed or not self._operative():
            self._refuse("cable check with open contactors", now)
        elif command.voltage_v > self._stage.limits.max_voltage_v:
            self._refuse("cable check above the highest voltage", now)
        else:
            self._stage.begin_check(command.voltage_v)

    def _on_target(self, command: c.PowerTarget, now: float) -> None:
        stage = self._stage
        if command.voltage_v > stage.limits.max_voltage_v:
            self._refuse("target above the highest voltage", now)
        elif command.phase in (PowerPhase.PRE_CHARGE, PowerPhase.CHARGE):
            stage.stop_check()
            stage.aim(command.voltage_v, command.current_a)
        else:
            stage.aim(0.0, 0.0)

    def _on_reset(self, command: c.PowerReset, now: float) -> None:
        stage = self._stage
        stage.aim(0.0, 0.0)
        stage.stop_check()
        stage.forget_isolation()
        stage.want_contactors(False, now)

    def _on_supervision(self, command: c.PowerSupervision, now: float) -> None:
        if self._stage.supervise(command.relay_closed, now):
            self.tick(now)

    def _refuse(self, detail: str, now: float) -> None:
        self._events.append(
            e.PowerLost(at=now, evse_id=self.evse_id, cause=Cause.POWER_REFUSED, detail=detail)
        )

    # --- telling ------------------------------------------------------------------------------------------

    def _operative(self) -> bool:
        return "inoperative" not in self._faults

    def _tell(self, now: float) -> None:
        if "silent" in self._faults:
            return
        limits = self._stage.present_limits()
        if limits != self._told:
            self._told = limits
            self._events.append(e.PowerLimitsTold(at=now, evse_id=self.evse_id, limits=limits))
        self._events.append(e.PowerMeasured(at=now, evse_id=self.evse_id, snapshot=self.snapshot(now)))

    def snapshot(self, now: float) -> PowerSnapshot:
        """The outlet as it was at the last step."""
        stage = self._stage
        return PowerSnapshot(
            at=now,
            voltage_v=stage.voltage_v,
            current_a=stage.current_a,
            contactors_closed=stage.closed,
            isolation=stage.isolation,
            operative=self._operative(),
            temperature_c=stage.temperature_c,
        )


_HANDLERS: dict[type[c.Command], Callable[[PowerSimulation, Any, float], None]] = {
    c.PowerContactors: PowerSimulation._on_contactors,
    c.PowerCableCheck: PowerSimulation._on_cable_check,
    c.PowerTarget: PowerSimulation._on_target,
    c.PowerReset: PowerSimulation._on_reset,
    c.PowerSupervision: PowerSimulation._on_supervision,
}
