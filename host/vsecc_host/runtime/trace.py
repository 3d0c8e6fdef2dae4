"""Always-on, bounded record of every hop; a hop nobody can see in the trace does not exist.

A cause id is drawn where something enters the station (a frame, a request, a timer) and travels with all that
follows from it, so that one id tells the whole flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vsecc_host.runtime.clock import Clock

DEFAULT_CAPACITY = 20_000  # records; about 10 MiB, seven minutes of two cars that charge


class Hop(NamedTuple):
    """Something one layer saw or decided; `what` is an event or command object, shown by its repr."""

    at: float
    cause: int
    layer: str
    what: object


class Frame(NamedTuple):
    """Bytes that crossed a border; `direction` is "rx" or "tx" seen from the host."""

    at: float
    cause: int
    layer: str  # "mcu", "sdp", "v2gtp", "slac", "pep"
    direction: str
    raw: bytes
    evse_id: int


Record = Hop | Frame


class Trace:
    """Ring of the newest records; recording costs one tuple and never fails."""

    def __init__(self, clock: Clock, capacity: int = DEFAULT_CAPACITY) -> None:
        self._clock = clock
        self._records: deque[Record] = deque(maxlen=capacity)
        self._last_cause = 0
        self._listeners: list[Callable[[Record], None]] = []

    def resize(self, capacity: int) -> None:
        """Keep this many records from now on; the newest stay."""
        self._records = deque(self._records, maxlen=capacity)

    def new_cause(self) -> int:
        """A fresh event id."""
        self._last_cause += 1
        return self._last_cause

    def hop(self, cause: int, layer: str, what: object) -> None:
        """Record that `layer` saw or decided `what`."""
        self._add(Hop(self._clock(), cause, layer, what))

    def frame(self, *, layer: str, direction: str, raw: bytes, cause: int, evse_id: int = 0) -> None:
        """Record bytes as they crossed a border of the host."""
        self._add(Frame(self._clock(), cause, layer, direction, raw, evse_id))

    def listen(self, listener: Callable[[Record], None]) -> Callable[[], None]:
        """Call `listener` with every new record until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def _add(self, record: Record) -> None:
        self._records.append(record)
        for listener in self._listeners:
            listener(record)
