"""Measures how long the event loop was blocked: a heartbeat that notices when it comes late."""

from __future__ import annotations

import asyncio

PERIOD_S = 0.005  # a block shorter than this is seen at least in part; costs about 0.2 % of a core


class LoopWatch:
    """`longest_block_s` is the latest heartbeat's worst lateness since `start`."""

    def __init__(self) -> None:
        self.longest_block_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin, or begin anew with a clean figure."""
        self.stop()
        self.longest_block_s = 0.0
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Stop the heartbeat; the figure stays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + PERIOD_S
        self._timer = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self.longest_block_s = max(self.longest_block_s, loop.time() - self._due)
        self._arm(loop)
