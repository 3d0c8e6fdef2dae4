"""One PEP machine on a wire whose far end is the test; time is a number."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, TypeVar

from unit.host.pep.given import CONFIGURATION, STATUS, wire

from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.machine import PepMachine
from vsecc_host.pep.versions import PepVersion
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import CpState, EvseView, Phase, PowerPhase
from vsecc_host.terminals import Terminals

Json = dict[str, Any]
E = TypeVar("E", bound=e.StationEvent)

IDLE: Json = {
    **STATUS,
    "measuredVoltage": 0,
    "measuredCurrent": 0,
    "drivenVoltage": 0,
    "drivenCurrent": 0,
    "contactorsStatus": "open",
    "isolationStatus": "invalid",
}
VIEW = replace(EvseMachine(1).view, phase=Phase.IDLE, cp_state=CpState.A)
FLOAT = {**CONFIGURATION, "floatValues": True}


class Line:
    """The machine and everything it said, as JSON."""

    def __init__(self, version: PepVersion = PepVersion.V1_8, **config: Any) -> None:
        self.now = 100.0
        self.version = version
        self.terminals = Terminals()
        self.machine = PepMachine(1, PepConfig(**config), self.terminals)
        self.sent: list[Json] = []
        self.causes: list[int] = []
        self.events: list[e.StationEvent] = []
        self.view: EvseView = VIEW

    # --- verbs ------------------------------------------------------------------------------------------

    def connect(self) -> Line:
        """A connection, whose first requests wait for their answers."""
        self.machine.connected(self.version, self.now)
        return self._take()

    def ready(self, configuration: Json | None = None) -> Line:
        """Connected, reset, configured, in standby, supervised; nothing in flight and nothing remembered."""
        self.connect()
        self.update(cp_state=CpState.A)
        self.answer("reset")
        self.status()
        self.answer("configuration", configuration or FLOAT)
        self.do(c.PowerSupervision(evse_id=1, relay_closed=True))
        return self.forget()

    def forget(self) -> Line:
        """Begin anew with what was said and told."""
        self.sent, self.causes, self.events = [], [], []
        return self

    def do(self, command: c.Command, cause: int = 0) -> Line:
        """A command of the station."""
        self.machine.execute(command, self.now, cause)
        return self._take()

    def target(self, volts: float, amps: float, phase: PowerPhase = PowerPhase.CHARGE, soc: int = 40) -> Line:
        """A target of the station."""
        return self.do(
            c.PowerTarget(evse_id=1, voltage_v=volts, current_a=amps, soc_percent=soc, phase=phase)
        )

    def contactors(self, closed: bool) -> Line:
        """A contactor command of the station."""
        return self.do(c.PowerContactors(evse_id=1, closed=closed))

    def update(self, **changes: Any) -> Line:
        """Another view of the outlet."""
        self.view = replace(self.view, **changes)
        self.machine.update(self.view, self.now)
        return self._take()

    def hear(self, text: str | bytes) -> Line:
        """A frame of the PECC."""
        self.machine.receive(text, self.now)
        return self._take()

    def status(self, **changes: Any) -> Line:
        """A status, standby unless changed."""
        return self.hear(wire("info", "status", payload={**IDLE, **changes}))

    def answer(self, kind: str, payload: object = None) -> Line:
        """Accept the request in flight, which must be of this kind."""
        assert self.pending["kind"] == kind, self.pending
        return self.hear(wire("response", kind, self.pending["sequenceNumber"], payload))

    def refuse(self, category: str, details: str = "no") -> Line:
        """Refuse the request in flight."""
        payload = {"errorCategory": category, "errorDetails": details}
        return self.hear(wire("error", self.pending["kind"], self.pending["sequenceNumber"], payload))

    def wait(self, seconds: float) -> Line:
        """Time passes; every deadline is met."""
        end = self.now + seconds
        while (due := self.machine.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.machine.tick(self.now)
            self._take()
            assert (later := self.machine.next_deadline()) is None or later > self.now
        self.now = end
        return self

    def _take(self) -> Line:
        events, frames = self.machine.take()
        self.events += events
        for text, cause in frames:
            assert isinstance(text, str)
            self.sent.append(json.loads(text))
            self.causes.append(cause)
        return self

    # --- what was said ----------------------------------------------------------------------------------

    @property
    def pending(self) -> Json:
        """The newest request."""
        return self.requests[-1]

    @property
    def requests(self) -> list[Json]:
        """Every request so far."""
        return [message for message in self.sent if message["type"] == "request"]

    @property
    def kinds(self) -> list[str]:
        """Kinds of every request so far; contactorsStatus with its state."""
        return [m["payload"].get("contactorsStatus", m["kind"]) for m in self.requests]

    def told(self, kind: str) -> list[Json]:
        """Payloads of the infos of a kind."""
        return [m["payload"] for m in self.sent if (m["type"], m["kind"]) == ("info", kind)]

    def of(self, kind: type[E]) -> list[E]:
        """Events of a type."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def notes(self) -> list[str]:
        """Log lines since the last look."""
        return [note.text for note in self.machine.notes.take()]
