"""What a charge point lets others see: samples for charts, news for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vsecc_sim.pecc.states import PeccState


class Sample(NamedTuple):
    """The outlet at one moment, for charts."""

    at: float
    state: PeccState
    voltage_v: float
    current_a: float
    target_v: float
    target_a: float
    closed: bool
    linked: bool


@dataclass(frozen=True, slots=True)
class News:
    """Something a person watching wants to read."""

    at: float
    what: str  # "link", "state", "output", "fault", "event", "conduct"
    text: str
    state: PeccState | None = None  # entered
