"""Time-stamped record of what happened on the board: pins, contacts, frames, resets, faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

# About ten minutes of a busy session; the oldest entries go first.
TRACE_ENTRIES = 20_000


class Entry(NamedTuple):
    """One event: emulated time in us, what it concerns, and its new value."""

    at_us: int
    name: str
    value: object

    def __str__(self) -> str:
        return f"{self.at_us / 1e6:12.6f} {self.name} {self.value}"


class Trace:
    """Bounded event log with listeners that are told each entry as it is written."""

    def __init__(self, limit: int = TRACE_ENTRIES) -> None:
        """Keeps the newest `limit` entries."""
        self._entries: deque[Entry] = deque(maxlen=limit)
        self.listeners: list[Callable[[Entry], None]] = []

    def resize(self, limit: int) -> None:
        """Keep this many entries from now on; the newest stay."""
        self._entries = deque(self._entries, maxlen=limit)

    def add(self, at_us: int, name: str, value: object) -> None:
        """Writes one entry."""
        entry = Entry(at_us, name, value)
        self._entries.append(entry)
        for listener in self.listeners:
            listener(entry)

    def entries(self, name: str = "") -> list[Entry]:
        """All entries, or those of one name."""
        return [entry for entry in self._entries if not name or entry.name == name]

    def last(self, name: str) -> Entry | None:
        """The newest entry of a name."""
        return next((entry for entry in reversed(self._entries) if entry.name == name), None)

    def first_after(self, at_us: int, name: str, value: object) -> Entry | None:
        """The first entry at or after a time with that name and value."""
        for entry in self._entries:
            if entry.at_us >= at_us and entry.name == name and entry.value == value:
                return entry
        return None
