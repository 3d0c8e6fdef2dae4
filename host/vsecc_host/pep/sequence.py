"""Numbers of the requests of one direction."""

from __future__ import annotations

from vsecc_host.pep.messages import MAX_NUMBER


class SequenceCounter:
    """Counts 1, 2, .. 2147483647, 1; a new connection begins a new counter."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self) -> int:
        """The number of the next request."""
        self._last = 1 if self._last >= MAX_NUMBER else self._last + 1
        return self._last
