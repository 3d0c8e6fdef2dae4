"""Deadlines of a machine under fuzzing."""

from __future__ import annotations

from typing import Protocol


class Machine(Protocol):
    """What every machine of ours can do about time."""

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""

    def tick(self, now: float) -> None:
        """A deadline passed."""


def settle(machine: Machine, now: float, at_most: int) -> None:
    """A few ticks settle every deadline that passed: a machine never keeps its loop spinning."""
    for _ in range(at_most):
        deadline = machine.next_deadline()
        if deadline is None or deadline > now:
            return
        machine.tick(now)
    raise AssertionError(f"deadline {deadline} stays behind {now}")
