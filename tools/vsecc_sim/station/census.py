"""What a process holds between two sessions: the figures that must not grow from car to car."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from vsecc_sim.process_memory import memory_mib

if TYPE_CHECKING:
    from vsecc_sim.station.station import SimulatedStation

WARM_UP_SHARE = 0.4  # of the sessions: caches fill up first
RING_RECORDS = 20  # fewer than a session writes


class Census(NamedTuple):
    """One count, taken while no car is there."""

    tasks: int
    files: int  # open descriptors
    blocks: int  # allocated by the interpreter, after a collection
    memory_mib: float


def shorten_rings(station: SimulatedStation) -> None:
    """Let the bounded records of host and emulator turn over in every session: what still grows is a leak."""
    station.app.trace.resize(RING_RECORDS)
    station.mcu.resize_trace(RING_RECORDS)


def take() -> Census:
    """Count now; collects first, so call it between sessions only."""
    gc.collect()
    return Census(
        tasks=len(asyncio.all_tasks()),
        files=len(os.listdir("/proc/self/fd")),
        blocks=sys.getallocatedblocks(),
        memory_mib=round(memory_mib().now_mib, 1),
    )


def growth(counts: Sequence[Census]) -> dict[str, dict[str, float]]:
    """Per figure: first session, end of the warm-up, last session; ValueError without a count."""
    if not counts:
        raise ValueError("no session was counted")
    warm = counts[int((len(counts) - 1) * WARM_UP_SHARE)]
    return {
        name: {"first": first, "warm": settled, "last": last}
        for name, first, settled, last in zip(Census._fields, counts[0], warm, counts[-1], strict=True)
    }
