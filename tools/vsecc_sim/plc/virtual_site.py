"""Ports, cars and the powerline between them in virtual time, without a loop or a socket: repeatable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vsecc_sim.plc.ev_machine import EvEvent, EvSlacMachine
from vsecc_sim.plc.medium import Medium

_ROUNDS = 10_000  # of one moment: more means two machines that never stop answering each other


class PortMachine(Protocol):
    """An EVSE-side SLAC machine."""

    def receive(self, frame: bytes, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...
    def tick(self, now: float) -> None: ...
    def take(self) -> tuple[Sequence[Any], list[bytes]]: ...


@dataclass(slots=True)
class Sent:
    """A frame a host handed to its modem."""

    at: float
    host: str
    raw: bytes


@dataclass(slots=True)
class VirtualSite:
    """`ports` and `cars` by the name of their modem in `medium`; `frames` is everything hosts sent."""

    medium: Medium
    now: float = 1000.0
    ports: dict[str, PortMachine] = field(default_factory=dict)
    cars: dict[str, EvSlacMachine] = field(default_factory=dict)
    frames: list[Sent] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)
    on_event: Callable[[str, Any], None] = lambda _name, _event: None

    def events_of(self, name: str, kind: type[Any]) -> list[Any]:
        """Events of one kind that a port or car reported."""
        return [event for who, event in self.events if who == name and isinstance(event, kind)]

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True as soon as `until` holds."""
        end = self.now + seconds
        rounds = 0
        self.settle()
        while not until():
            at = min((d for d in self._deadlines() if d is not None), default=float("inf"))
            if at > end:
                self.now = end
                return until()
            rounds = rounds + 1 if at <= self.now else 0
            if rounds > _ROUNDS:
                raise RuntimeError(f"time stands still at {self.now}")
            self.now = max(self.now, at)
            self._tick()
            self.settle()
        return True

    def settle(self) -> None:
        """Carry what everybody has to say at this moment."""
        moved = True
        while moved:
            moved = False
            for name, machine in [*self.ports.items(), *self.cars.items()]:
                events, frames = machine.take()
                moved = moved or bool(events or frames)
                for raw in frames:
                    self.frames.append(Sent(self.now, name, raw))
                    self.medium.receive(name, raw, self.now)
                for event in events:
                    self._tell(name, event)
            for name, raw in self.medium.take(self.now):
                moved = True
                self._machine(name).receive(raw, self.now)

    def _tell(self, name: str, event: EvEvent | Any) -> None:
        self.events.append((name, event))
        self.on_event(name, event)

    def _tick(self) -> None:
        for machine in [*self.ports.values(), *self.cars.values()]:
            deadline = machine.next_deadline()
            if deadline is not None and deadline <= self.now:
                machine.tick(self.now)

    def _deadlines(self) -> list[float | None]:
        machines = [*self.ports.values(), *self.cars.values()]
        return [self.medium.next_deadline(), *(machine.next_deadline() for machine in machines)]

    def _machine(self, name: str) -> PortMachine | EvSlacMachine:
        return self.ports[name] if name in self.ports else self.cars[name]
