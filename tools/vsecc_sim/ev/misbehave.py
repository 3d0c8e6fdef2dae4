"""Misbehaviour on demand, as data: what a scenario makes the car do wrong, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.values import Step


class Do(StrEnum):
    """Kinds of misbehaviour."""

    STALL = "stall"  # say nothing for `for_s`, for good without it
    SKIP = "skip"  # go to step `to` instead
    WRONG_SESSION_ID = "wrong_session_id"
    GARBAGE = "garbage"  # send `hex` instead of the request, by default a frame of nonsense EXI
    TWICE = "twice"  # send the request two times at once
    DISCONNECT = "disconnect"  # close TCP, by RST when `reset`
    ONE_BYTE = "one_byte"  # from here on one byte every `interval_s`
    NEVER_READ = "never_read"  # from here on leave the answers in the socket


GARBAGE_FRAME = "01fe80010000000880ffffffffffffff"  # V2GTP header, EXI header, a root that does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Misbehave at the `nth` request of step `at`."""

    at: Step
    do: Do
    nth: int = 1
    for_s: float | None = None
    to: Step | None = None
    hex: str = GARBAGE_FRAME
    reset: bool = False
    interval_s: float = 0.01


class Script:
    """Acts of one session; each is handed out once."""

    def __init__(self, acts: Iterable[Act] = ()) -> None:
        self._acts = list(acts)

    def due(self, step: Step, nth: int) -> list[Act]:
        """Acts for the `nth` request of `step`."""
        due = [act for act in self._acts if act.at is step and act.nth == nth]
        self._acts = [act for act in self._acts if act not in due]
        return due


def parse_acts(entries: Iterable[Mapping[str, Any]]) -> tuple[Act, ...]:
    """Acts from the `[[misbehave]]` tables of a scenario; ProfileError names what is wrong."""
    acts = []
    for number, entry in enumerate(entries, 1):
        values = dict(entry)
        try:
            for key, kind in (("at", Step), ("do", Do), ("to", Step)):
                if key in values:
                    values[key] = kind(values[key])
            act = Act(**values)
            bytes.fromhex(act.hex)
        except (TypeError, ValueError) as error:
            raise ProfileError(f"misbehave {number}: {error}") from None
        if act.do is Do.SKIP and act.to is None:
            raise ProfileError(f"misbehave {number}: skip needs to")
        acts.append(act)
    return tuple(acts)
