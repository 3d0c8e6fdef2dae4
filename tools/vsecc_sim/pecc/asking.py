"""Requests of the PECC: one in flight, the others wait, an answer within the time or none."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from vsecc_host.pep.messages import Kind, Message, request
from vsecc_host.pep.sequence import SequenceCounter


class Asking:
    """Of one connection; a new connection begins a new one."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._numbers = SequenceCounter()
        self._waiting: deque[tuple[Kind, Mapping[str, Any]]] = deque()
        self._asked: Message | None = None
        self._until = 0.0

    def ask(self, kind: Kind, payload: Mapping[str, Any]) -> None:
        """Ask when its turn comes."""
        self._waiting.append((kind, payload))

    def number(self) -> int:
        """The next number, for requests beside the queue."""
        return self._numbers.next()

    def next(self, now: float) -> Message | None:
        """What goes out now; it is in flight from here on."""
        if self._asked is not None or not self._waiting:
            return None
        kind, payload = self._waiting.popleft()
        self._asked, self._until = request(kind, self.number(), payload), now + self._timeout_s
        return self._asked

    def answered(self, message: Message) -> Message | None:
        """The request this answers, if it is the one in flight."""
        asked = self._asked
        if asked is None or message.sequence_number != asked.sequence_number:
            return None
        self._asked = None
        return asked

    def next_deadline(self) -> float | None:
        """When the request in flight counts as unanswered."""
        return self._until if self._asked is not None else None

    def expired(self, now: float) -> Message | None:
        """The request nobody answered in time."""
        asked = self._asked
        if asked is None or now < self._until:
            return None
        self._asked = None
        return asked
