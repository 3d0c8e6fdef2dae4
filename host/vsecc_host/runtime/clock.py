"""Time as the machines see it: a function that returns monotonic seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Clock = Callable[[], float]


def loop_clock() -> Clock:
    """Clock of the running event loop, so that a virtual-time loop moves every machine with it."""
    return asyncio.get_running_loop().time
