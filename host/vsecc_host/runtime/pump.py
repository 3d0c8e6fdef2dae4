"""The one loop that drives a sans-I/O machine under asyncio: bytes in, timers, bytes out, then events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

E_co = TypeVar("E_co", covariant=True)
D_co = TypeVar("D_co", covariant=True)
E = TypeVar("E")
D = TypeVar("D")


class Machine(Protocol[E_co, D_co]):
    """The verbs every machine of ours has; `send`-like verbs differ by machine."""

    def receive(self, data: bytes, now: float) -> None:
        """Bytes that arrived."""

    def next_deadline(self) -> float | None:
        """When `tick` is wanted; None while nothing is pending."""

    def tick(self, now: float) -> None:
        """The deadline passed."""

    def take(self) -> tuple[Sequence[E_co], D_co]:
        """Events and what to write since the last call: bytes, or frames."""


class Pump:
    """Runs one machine: call `feed` with bytes and `poke` after every verb called on the machine directly.

    `settled` is called at the end of every round, also of those a timer began. Delivering may poke again.
    """

    def __init__(
        self,
        machine: Machine[E, D],
        write: Callable[[D], object],
        deliver: Callable[[E], None],
        settled: Callable[[], None] | None = None,
    ) -> None:
        self._machine: Machine[Any, Any] = machine
        self._write: Callable[[Any], object] = write
        self._deliver: Callable[[Any], None] = deliver
        self._settled = settled
        self._waiting: deque[Any] = deque()
        self._delivering = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None

    def feed(self, data: bytes) -> None:
        """Hand received bytes to the machine and carry out what follows."""
        self._machine.receive(data, self._loop.time())
        self.poke()

    def poke(self) -> None:
        """Write what is due first (the peer waits), then deliver events, then set the timer."""
        events, data = self._machine.take()
        if data:
            self._write(data)
        self._waiting.extend(events)
        if not self._delivering:
            self._deliver_in_order()
        self._schedule()
        if self._settled is not None:
            self._settled()

    def close(self) -> None:
        """Stop the timer; the machine is not touched any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_at = None

    def _deliver_in_order(self) -> None:
        self._delivering = True
        try:
            while self._waiting:
                self._deliver(self._waiting.popleft())
        finally:
            self._delivering = False

    def _schedule(self) -> None:
        deadline = self._machine.next_deadline()
        if deadline == self._timer_at:
            return
        self.close()
        if deadline is not None:
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = self._timer_at = None
        self._machine.tick(self._loop.time())
        self.poke()
