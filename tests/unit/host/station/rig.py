"""One outlet on a workbench: the machine, exact time, and the events a session is made of."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import (
    Cause,
    CpState,
    DcLimits,
    EvParameters,
    Isolation,
    Phase,
    PowerSnapshot,
)

LIMITS = DcLimits(
    min_voltage_v=150.0, max_voltage_v=920.0, min_current_a=0.0, max_current_a=200.0, max_power_w=60_000.0
)
EV = EvParameters(max_voltage_v=450.0, max_current_a=125.0, soc_percent=40)


class Rig:
    """Feeds events at `now`; keeps every command in `log`."""

    def __init__(self, config: EvseConfig | None = None, evse_id: int = 1) -> None:
        self.now = 100.0
        self.evse_id = evse_id
        self.machine = EvseMachine(evse_id, config or EvseConfig())
        self.current_a = 100.0  # the car asks for while charging
        self.log: list[c.Command] = []
        self.timed: list[tuple[float, c.Command]] = []
        self.power = PowerSnapshot(
            at=self.now,
            voltage_v=0.0,
            current_a=0.0,
            contactors_closed=False,
            isolation=Isolation.INVALID,
            operative=True,
            temperature_c=25.0,
        )

    @property
    def view(self):
        return self.machine.view

    @property
    def phase(self) -> Phase:
        return self.machine.view.phase

    # --- time and events -----------------------------------------------------------------------------------

    def tell(self, event: e.StationEvent) -> list[c.Command]:
        return self._keep(self.machine.handle(event, self.now))

    def _keep(self, commands: list[c.Command]) -> list[c.Command]:
        self.log += commands
        self.timed += [(self.now, command) for command in commands]
        return commands

    def wait(self, seconds: float, *, status: bool = True) -> list[c.Command]:
        """Let time pass; the power electronics tell their state every 200 ms unless `status` is False."""
        commands: list[c.Command] = []
        end = self.now + seconds
        next_status = max(self.now, self.power.at + 0.2)
        while True:
            due = self.machine.next_deadline()
            steps = [t for t in (due, next_status if status else None) if t is not None and t <= end]
            if not steps:
                break
            self.now = max(self.now, min(steps))
            if due is not None and due <= self.now:
                commands += self._keep(self.machine.tick(self.now))
            if status and next_status <= self.now:
                commands += self.measure()
                next_status = self.now + 0.2
        self.now = end
        return commands

    def measure(self, **changes) -> list[c.Command]:
        self.power = replace(self.power, at=self.now, **changes)
        return self.tell(e.PowerMeasured(at=self.now, evse_id=self.evse_id, snapshot=self.power))

    def cp(self, state: CpState) -> list[c.Command]:
        event = e.CpStateChanged(
            at=self.now,
            evse_id=self.evse_id,
            state=state,
            previous=self.view.cp_state,
            high_mv=9000,
            low_mv=-12000,
        )
        return self.tell(event)

    def relay(self, closed: bool, reason: str = "closed") -> list[c.Command]:
        return self.tell(e.RelayChanged(at=self.now, evse_id=self.evse_id, closed=closed, reason=reason))

    def evse(self, kind: type[e.EvseEvent], **fields) -> list[c.Command]:
        return self.tell(kind(at=self.now, evse_id=self.evse_id, **fields))

    def mcu_up(self) -> list[c.Command]:
        return self.tell(
            e.McuLinkUp(
                at=self.now,
                image_sha256="00",
                image_version="1",
                board="sim",
                interpreter="cpython",
                reset_cause="power-on",
            )
        )

    def target(self, voltage_v: float, current_a: float, **limits) -> list[c.Command]:
        return self.evse(
            e.ChargeTargetRequested, voltage_v=voltage_v, current_a=current_a, soc_percent=41, **limits
        )

    # --- the way into each phase ---------------------------------------------------------------------------

    def to(self, phase: Phase) -> Rig:
        """Walk the happy path up to `phase`."""
        if phase is Phase.FAULTED:
            return self
        for reached, step in _PATH:
            step(self)
            if reached is phase:
                assert self.phase is phase, (self.phase, phase)
                self.log.clear()
                self.timed.clear()
                return self
        raise AssertionError(phase)

    @staticmethod
    def steps():
        """Phases and the step that leads to each, in order."""
        return _PATH

    def idle(self) -> None:
        self.mcu_up()
        self.measure()
        self.evse(e.PowerLimitsTold, limits=LIMITS)
        self.cp(CpState.A)

    def plug(self) -> None:
        self.cp(CpState.B)

    def session(self) -> None:
        self.evse(e.V2gSessionStarted, protocol="din", evcc_id="AABBCCDDEEFF", session_id="01")
        self.evse(e.AuthorizationDecided, accepted=True, who="test")
        self.evse(e.EvParametersTold, parameters=EV)

    def cable_check(self) -> None:
        self.cp(CpState.C)
        self.evse(e.CableCheckRequested)
        self.relay(True)
        self.measure(contactors_closed=True)

    def pre_charge(self) -> None:
        self.evse(e.CableCheckDone, isolation=Isolation.VALID)
        self.evse(e.PreChargeRequested, voltage_v=400.0, current_a=1.0)

    def charge(self) -> None:
        self.measure(voltage_v=398.0, isolation=Isolation.VALID)
        self.evse(e.ChargeStartRequested)
        self.target(420.0, self.current_a)
        self.measure(voltage_v=400.0, current_a=self.current_a)

    def stop(self) -> None:
        self.evse(e.ChargeStopRequested)

    def end(self) -> None:
        self.measure(current_a=0.0)
        self.measure(contactors_closed=False, voltage_v=20.0)
        self.cp(CpState.B)
        self.evse(e.V2gSessionEnded, cause=Cause.EV_FINISHED, orderly=True)


_PATH = (
    (Phase.IDLE, Rig.idle),
    (Phase.CONNECTED, Rig.plug),
    (Phase.SETUP, Rig.session),
    (Phase.CABLE_CHECK, Rig.cable_check),
    (Phase.PRE_CHARGE, Rig.pre_charge),
    (Phase.CHARGING, Rig.charge),
    (Phase.STOPPING, Rig.stop),
    (Phase.FINISHED, Rig.end),
)


def only(commands, kind):
    """The commands of one type."""
    return [command for command in commands if isinstance(command, kind)]


def position(commands, predicate) -> int:
    """Where the first command that fits stands; -1 when there is none."""
    return next((index for index, command in enumerate(commands) if predicate(command)), -1)
