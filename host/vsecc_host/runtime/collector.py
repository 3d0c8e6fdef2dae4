"""The cyclic garbage collector, kept out of the way of a car that waits 250 ms for an answer.

A full collection walks every object: 40 ms with a full trace. So what is there after the start, and after
each quiet moment, is frozen and not walked again; full collections happen only when nobody charges. Young
cycles are collected as always, and what is frozen still goes with its last reference.
"""

from __future__ import annotations

import gc

NEVER = 1_000_000  # middle collections until a full one would come by itself


def settle() -> None:
    """Call once when everything is up."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    collect_while_idle()


def collect_while_idle() -> None:
    """A full collection of what came since the last one; call when no outlet has a session."""
    gc.collect()
    gc.freeze()
