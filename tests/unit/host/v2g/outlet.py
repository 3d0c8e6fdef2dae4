"""One outlet on one clock: cars, their connections, the real station heart, a plant that does as it is told.

What `Wired` does by hand happens here by itself, so that a test may send anything at any time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unit.host.station.rig import Rig
from unit.host.station.test_properties import Referee
from unit.host.v2g.car import Car
from unit.host.v2g.given import NOW

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import CpState, Isolation, Phase, PilotMode
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.memory import SessionMemory

LONGEST_ANSWER_S = 4.01  # PowerDeliveryRes of ISO 15118-2
STATUS_S = 0.2  # between two measurements
FLOWS_A = 2.0  # more than pre-charge may ask for

NEXT = {  # the ordinary request in each state, for walks that get somewhere
    "session setup": K.SESSION_SETUP,
    "service discovery": K.SERVICE_DISCOVERY,
    "payment selection": K.PAYMENT_SELECTION,
    "authorization": K.AUTHORIZATION,
    "charge parameters": K.CHARGE_PARAMETER_DISCOVERY,
    "charge parameters, again": K.CHARGE_PARAMETER_DISCOVERY,
    "cable check or power on": K.CABLE_CHECK,
    "cable check": K.CABLE_CHECK,
    "pre-charge": K.PRE_CHARGE,
    "pre-charge or power on": K.POWER_DELIVERY_ON,
    "current demand, first": K.CURRENT_DEMAND,
    "current demand": K.CURRENT_DEMAND,
    "welding or stop": K.SESSION_STOP,
}


class Outlet:
    """Every answer, event and command passes here and is judged at once."""

    def __init__(self, language: type[Car], config: EvseConfig | None = None) -> None:
        self._language = language
        self.memory = SessionMemory()
        self.rig = Rig(config or EvseConfig())
        self.rig.now = NOW
        self.rig.power = replace(self.rig.power, at=NOW)
        self._referee = Referee(self.rig)
        self._original_keep = self.rig._keep
        self.rig._keep = self._keep  # type: ignore[method-assign]
        self._obeyed = 0
        self._pilot = PilotMode.STEADY_POSITIVE
        self.accepted = False
        self.started = False
        self.car: Car | None = None
        self.failed = False  # this connection heard a FAILED
        self.authorizes: bool | None = True  # None: nobody decides
        self.lag_s = 0.0  # how late a lower current comes
        self.silent_until = NOW  # of the power electronics
        self._later: tuple[float, c.PowerTarget] | None = None
        self.rig.to(Phase.IDLE)
        self._plant()

    # --- time and the plant ----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.rig.now

    def wait(self, seconds: float) -> list[Any]:
        """Every timer of every part fires at its own time; answers that came."""
        until, answers = self.now + seconds, self._settle()
        while True:
            dues = [self.rig.machine.next_deadline(), self._status_at()]
            dues.append(self._later[0] if self._later is not None else None)
            dues.append(self.car.link.next_deadline() if self.car is not None else None)
            due = min(at for at in dues if at is not None)
            if due > until:
                break
            self.rig.now = max(self.now, due)
            answers += self._tick()
        self.rig.now = until
        return answers

    def _tick(self) -> list[Any]:
        machine_due = self.rig.machine.next_deadline()
        if machine_due is not None and machine_due <= self.now:
            self.rig._keep(self.rig.machine.tick(self.now))
        if self._later is not None and self._later[0] <= self.now:
            target, self._later = self._later[1], None
            self._output(target)
        if self._status_at() <= self.now:
            self.rig.measure()
        if self.car is not None:
            self.car.now = self.now
            self.car.link.tick(self.now)
        return self._settle()

    def _status_at(self) -> float:
        return max(self.rig.power.at + STATUS_S, self.silent_until)

    def _settle(self) -> list[Any]:
        """Until nobody has anything to say any more."""
        answers: list[Any] = []
        while True:
            self._plant()
            if self.car is None:
                return answers
            self.car.link.update(self.rig.view, self.now)
            told = len(self.car.events)
            new = self.car.take()
            for answer in new:
                self._judge(answer)
            answers += new
            for event in self.car.events[told:]:
                self._hear(event)
            if len(self.car.events) == told and not new and self._obeyed == len(self.rig.log):
                break
        closing = self.car.link.closing
        if closing is not None and closing <= self.now:
            self.car = None
        return answers

    def _hear(self, event: e.StationEvent) -> None:
        """As the service: one session uses an acceptance up."""
        if isinstance(event, e.V2gSessionStarted):
            self.started = True
        elif isinstance(event, e.V2gSessionEnded) and self.started:
            self.started = self.accepted = False
        self.rig.tell(event)
        self._plant()

    def _keep(self, commands: list[c.Command]) -> list[c.Command]:
        self._original_keep(commands)
        self._referee.cp = self.rig.view.cp_state
        self._referee.look()
        for command in commands:
            if isinstance(command, c.PowerTarget) and command.current_a > FLOWS_A:
                self._flows()
        return commands

    def _plant(self) -> None:
        """MCU and power electronics carry out what they were told."""
        while self._obeyed < len(self.rig.log):
            command = self.rig.log[self._obeyed]
            self._obeyed += 1
            self._obey(command)
        if self.rig.view.cp_state in (CpState.A, CpState.UNKNOWN):
            self.memory.forget()

    def _obey(self, command: c.Command) -> None:
        if isinstance(command, c.RequestAuthorization) and self.authorizes is not None:
            self.rig.evse(e.AuthorizationDecided, accepted=self.authorizes, who="test")
        elif isinstance(command, c.SetPilot):
            self._pilot = command.mode
        elif isinstance(command, c.AcceptV2g):
            self.accepted = command.accepted
            if not command.accepted and self.car is not None:
                self.car.link.close_requested(command.cause, self.now)
        else:
            self._power(command)

    def _power(self, command: c.Command) -> None:
        """Relay, contactors and output follow at once."""
        rig = self.rig
        if isinstance(command, c.SetGrant):
            closes = command.allowed and rig.view.cp_state.energy
            if closes is not rig.view.relay_closed:
                rig.relay(closes, "closed" if closes else "host withdrew")
        elif isinstance(command, c.PowerContactors):
            self._later = None
            off = {} if command.closed else {"voltage_v": 0.0, "current_a": 0.0}
            rig.measure(contactors_closed=command.closed and rig.view.relay_closed, **off)
        elif isinstance(command, c.PowerTarget) and rig.power.contactors_closed:
            self._later = None
            if self.lag_s and command.current_a < rig.power.current_a:
                self._later = (self.now + self.lag_s, command)
            else:
                self._output(command)
        elif isinstance(command, c.PowerReset):
            rig.measure(voltage_v=0.0, current_a=0.0, isolation=Isolation.INVALID)
        elif isinstance(command, c.PowerCableCheck):
            rig.evse(e.CableCheckDone, isolation=Isolation.VALID)

    def _output(self, target: c.PowerTarget) -> None:
        self.rig.measure(voltage_v=target.voltage_v, current_a=target.current_a, isolation=Isolation.VALID)

    # --- the judge -------------------------------------------------------------------------------------

    def _flows(self) -> None:
        assert self.car is not None and not self.failed, "current without a car that asked for it"
        assert self.car.link.state_name == "current demand", self.car.link.state_name
        assert self.rig.phase is Phase.CHARGING and self.rig.view.relay_closed

    def _judge(self, answer: Any) -> None:
        code = answer.response_code.name
        if code.startswith("FAILED"):
            self.failed = True
        assert not (self.failed and code.startswith("OK")), f"{answer} after a FAILED"

    # --- the car ---------------------------------------------------------------------------------------

    def connect(self) -> bool:
        """A connection, unless the station takes none or one is open."""
        if self.car is None and self.accepted:
            self.failed = False
            self.car = self._language(self.rig.view, memory=self.memory, now=self.now)
            self.car.shake_hands()
        return self.car is not None

    def send(self, body: Any) -> None:
        """One request: exactly one answer of its type in time, or a closed connection."""
        car = self.car
        assert car is not None
        car.now = self.now
        car.link.update(self.rig.view, self.now)
        car.link.receive(car.pack(body), self.now)
        answers = self._settle()
        if not answers and self.car is not None:
            answers = self.wait(LONGEST_ANSWER_S)
        if not answers:
            assert self.car is None or self.car.link.closing is not None, f"no answer to {body}"
            return
        expected = type(body).__name__[:-3] + "Res"
        assert [type(answer).__name__ for answer in answers] == [expected]

    def go_on(self) -> None:
        """The ordinary next request, the pilot as it has to be for it."""
        assert self.car is not None
        kind = NEXT.get(self.car.link.state_name)
        if kind is None:
            return
        if kind is K.CABLE_CHECK and not self.rig.view.cp_state.energy:
            self.pilot(CpState.C)
        if self.car is not None:
            self.send(self.car.requests[kind])

    def pilot(self, state: CpState) -> None:
        """The car's resistors change; the MCU acts by itself before anybody hears of it."""
        rig = self.rig
        if not state.energy and rig.view.relay_closed:
            rig.relay(False, "CP left C/D")
        rig.cp(state)
        self._settle()

    def hang_up(self) -> None:
        """FIN."""
        self._settle()
        if self.car is not None:
            self.car.link.disconnected(self.now)
            self._settle()
            self.car = None

    def ends_ready(self) -> None:
        """The car is gone: everything is off, and the next one charges."""
        self.hang_up()
        self.pilot(CpState.A)
        self.rig.measure(temperature_c=25.0)
        self.wait(130.0)
        view = self.rig.view
        assert (view.phase, view.relay_closed) == (Phase.IDLE, False), (view.phase, view.cause)
        assert not self.rig.power.contactors_closed and not self._referee.granted
        assert self._pilot is PilotMode.STEADY_POSITIVE and not self.accepted
        self.authorizes, self.lag_s = True, 0.0
        self.rig.evse(e.LimitChanged, owner="csms")
        self.pilot(CpState.B)
        assert self.connect(), "the station takes nobody"
        for _ in range(40):
            if self.rig.phase is Phase.CHARGING and self.rig.power.current_a > FLOWS_A:
                return
            assert self.car is not None
            self.go_on()
            self.wait(0.1)
        raise AssertionError(f"the next car does not charge: {self.rig.phase}")
