"""A host that only listens: holds a session so that the MCU talks, and permits nothing.

The MCU reports only within a session. This one asks for it, acknowledges, and sends grants that name no
relay: with their stamps the round trip can be measured. It never sends a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vsecc_host.mcu_link.link_time import seconds_of, ticks_of
from vsecc_link import messages as catalogue
from vsecc_link.envelope import HOST
from vsecc_link.link import UP, Link, host_hello

GRANT_EVERY_S = 0.1
NO_RELAY = 0
GRANT_VALID_MS = 500


class QuietHost:
    """A machine for `runtime.pump`; `nonce` 16 random bits. Events are those of `vsecc_link.link`."""

    def __init__(self, nonce: int, version: str, baud: int) -> None:
        self.link = Link(HOST, nonce, host_hello(version[:32]), baud)
        self._now = 0.0
        self._stamp = 0
        self._grant_at: float | None = None

    def connected(self, now: float) -> None:
        """The line is open: ask for a session."""
        self.link.drop("line opened", self._at(now))
        self.link.tick(self._at(now))

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the MCU."""
        self.link.receive(data, self._at(now))

    def next_deadline(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        at = self.link.next_deadline()
        deadline = None if at is None else seconds_of(at, self._now)
        if self._grant_at is not None and (deadline is None or self._grant_at < deadline):
            return self._grant_at
        return deadline

    def tick(self, now: float) -> None:
        """Time has passed."""
        self.link.tick(self._at(now))
        if self._grant_at is not None and now >= self._grant_at:
            self._grant()

    def take(self) -> tuple[Sequence[Any], bytes]:
        """Events and bytes since the last call."""
        events, data = self.link.take()
        for kind, _ in events:
            if kind == UP:
                self._grant()
                data += self.link.take()[1]
        if not self.link.up:
            self._grant_at = None
        return events, data

    def _grant(self) -> None:
        self._stamp = (self._stamp + 1) & 0xFFFF
        self.link.send((catalogue.GRANT, self._stamp, NO_RELAY, GRANT_VALID_MS), self._at(self._now))
        self._grant_at = self._now + GRANT_EVERY_S

    def _at(self, now: float) -> int:
        self._now = now
        return ticks_of(now)
