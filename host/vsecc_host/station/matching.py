"""Actions around powerline matching: the pilot it needs and what becomes of the plug-in when it fails."""

from __future__ import annotations

from vsecc_host.station import events as e
from vsecc_host.station.plugging import dismiss
from vsecc_host.station.state import EvseState
from vsecc_host.station.table import Step
from vsecc_host.station.values import Cause, PilotMode


def match_pilot(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Matching invites the car with 5 % or wakes it with X1 and F; only while nobody talks V2G."""
    if isinstance(event, e.PilotWanted) and event.mode is not s.pilot:
        s.set_pilot(event.mode, now)


def error_pilot(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """X1 and F after a bad end; 5 % waits for the next session, an orderly end keeps its own a while."""
    if isinstance(event, e.PilotWanted) and PilotMode.PWM not in (event.mode, s.pilot):
        match_pilot(s, step, event, now)


def matching_failed(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """No link yet: a person sees why; matching goes on by itself."""
    s.set_cause(s.seen_cause)


def matching_over(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """No link and no further try: X1 until the cable was out (DC knows no charging without communication)."""
    dismiss(s, step, event, now)


def linked(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The link is there: what failed before is of the past."""
    if s.cause in (Cause.MATCHING_FAILED, Cause.LINK_LOST):
        s.cause, s.cause_detail = Cause.NONE, ""
