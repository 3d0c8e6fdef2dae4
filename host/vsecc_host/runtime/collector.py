"""The cyclic garbage collector, kept out of the way of a car that waits 250 ms for an answer.

A full collection walks every object: 40 ms with a full trace. So what is there after the start, and after
each quiet moment, is frozen and not walked again; full collections happen only when nobody charges. Young
cycles are collected as always, and what is frozen still goes with its last reference.
"""

from __future__ import annotations

import gc

NEVER = 1_000_000  # middle collections until a full one would come by itself
THOROUGH_EVERY = 8  # quiet moments: cycles frozen while their session was ending are found then


class Collector:
    """Decides when this process pays for a full collection."""

    def __init__(self) -> None:
        self._moments = 0

    def settle(self) -> None:
        """Call once when everything is up."""
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        gc.collect()
        gc.freeze()

    def quiet(self) -> None:
        """Collect what came since the last quiet moment, now and then everything; no outlet has a session."""
        self._moments += 1
        if self._moments % THOROUGH_EVERY == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
