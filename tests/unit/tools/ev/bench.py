"""A car machine on the bench: paper charger, exact virtual time, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from unit.tools.ev.charger import PaperCharger

from vsecc_sim.ev.din import DinDialect
from vsecc_sim.ev.iso2 import Iso2Dialect
from vsecc_sim.ev.machine import EvMachine
from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.misbehave import Act, Script
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.values import ContactorWanted, Ended, Event, PilotWanted, Reported
from vsecc_sim.ev.vehicle import Vehicle
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus

EVCCID = bytes.fromhex("020000000001")
START_S = 100.0


class Bench:
    """Moves `now` from deadline to deadline; `sent` and `heard` keep (time, bytes)."""

    def __init__(
        self,
        profile: str = "default",
        *,
        changes: Mapping[str, Any] | None = None,
        soc: float = 50.0,
        target_soc: float = 51.0,
        capacity_wh: float | None = 2000.0,
        acts: tuple[Act, ...] = (),
        answer_s: float = 0.0,
        bus: bool = True,
        charger: type[PaperCharger] = PaperCharger,
        old_session_id: bytes | None = None,
    ) -> None:
        self.now = START_S
        self.profile = load_profile(profile, {"think_jitter_ms": 0.0, **(changes or {})})
        self.bus = DcBus() if bus else None
        self.vehicle = Vehicle(Battery.of_profile(self.profile, soc, capacity_wh=capacity_wh), self.bus)
        self.charger = charger(self.bus)
        self.memory = Memory(self.profile, self.vehicle.view(), target_soc, old_session_id=old_session_id)
        self.machine = EvMachine(
            self.profile,
            (DinDialect(self.profile, EVCCID), Iso2Dialect(self.profile, EVCCID)),
            self.memory,
            random=Random(1),
            script=Script(acts),
            setup_by=self.now + self.profile.patience.setup_s,
        )
        self.answer_s = answer_s
        self.sent: list[tuple[float, bytes]] = []
        self.events: list[Event] = []
        self.pilots: list[tuple[float, str]] = []
        self.ended: Ended | None = None
        self.machine.start(self.now)

    def run(self, until_s: float = 100_000.0) -> Ended:
        """Until the session ended; `until_s` after the start nothing may be pending any more."""
        end = START_S + until_s
        while self.ended is None:
            due = self.machine.next_deadline()
            assert due is not None, "the machine waits for nothing"
            assert due <= end, f"still at {self.machine.step} after {until_s} s"
            self.now = max(self.now, due)
            self.charger.step(self.now)
            self.machine.observe(self.vehicle.view())
            self.machine.tick(self.now)
            self._exchange()
        return self.ended

    def hear(self, data: bytes) -> None:
        """Bytes of the charger now."""
        self.machine.observe(self.vehicle.view())
        self.machine.receive(data, self.now)
        self._exchange()

    def gaps_ms(self, name: str) -> list[float]:
        """Thinking time before each request of one type, in ms."""
        gaps = []
        for (at, _), (before, _), request in zip(
            self.sent[1:], self.sent, self.charger.requests[1:], strict=False
        ):
            if type(request.body).__name__ == name:
                gaps.append((at - before - self.answer_s) * 1000.0)
        return gaps

    def _exchange(self) -> None:
        while True:
            events, data = self.machine.take()
            for event in events:
                self._carry_out(event)
            if not data:
                return
            self.sent.append((self.now, data))
            reply = self.charger.answer(data, self.now)
            if not reply:
                return
            self.now += self.answer_s
            self.machine.observe(self.vehicle.view())
            self.machine.receive(reply, self.now)

    def _carry_out(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, ContactorWanted):
            self.vehicle.switch(event.closed)
        elif isinstance(event, Reported):
            self.vehicle.reported(event.voltage_v, event.current_a, event.at)
        elif isinstance(event, PilotWanted):
            self.pilots.append((self.now, event.state))
        elif isinstance(event, Ended):
            self.ended = event
