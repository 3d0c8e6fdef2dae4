"""What one protocol (DIN 70121, ISO 15118-2) is to the connection machine: questions in, steps out."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import Cause, EvseView


class Ending(NamedTuple):
    """Why and how a session ends; `orderly` when the EV sent SessionStopReq and was answered OK."""

    cause: Cause
    orderly: bool = False
    detail: str = ""


class Step(NamedTuple):
    """What the connection has to do now: send `answer`, or ask again by `wait_until` if there is none."""

    answer: object | None
    events: tuple[StationEvent, ...] = ()
    wait_until: float | None = None  # monotonic s; only without an answer
    ending: Ending | None = None


class Dialogue(Protocol):
    """The SECC's half of one protocol; never blocks, never reads a clock."""

    @property
    def state_name(self) -> str:
        """The state as the standard names it."""

    def ask(self, message: object, view: EvseView, now: float) -> Step:
        """A decoded request arrived."""

    def again(self, view: EvseView, now: float) -> Step:
        """The request that waits is looked at again: the view changed or its time is up."""

    def garbled(self, payload: bytes, view: EvseView, now: float) -> Step | None:
        """A request that cannot be decoded: its FAILED answer if the type is known, else None."""

    def silence_s(self) -> float:
        """Seconds without a request after which the session is over."""

    def ramp_down_s(self) -> float | None:
        """Seconds without a request after which the current must go down; None outside the charge loop."""

    def ramp_down(self, now: float) -> tuple[StationEvent, ...]:
        """Events that take the current to zero because the EV stays silent in the charge loop."""

    def lost(self) -> Cause:
        """The cause to report when the connection goes away now."""
