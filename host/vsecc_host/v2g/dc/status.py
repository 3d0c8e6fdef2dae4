"""DC_EVSEStatus of an answer: what the station wants and what the isolation monitor says."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from vsecc_host.station.values import STATION_TOTAL, CableCheck, EvseView, Isolation, Stop
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.kinds import State
from vsecc_host.v2g.dc.session import DcSession, Situation
from vsecc_host.v2g.dc.values import Level, Notification, Status, StatusCode

_MAX_DELAY_S = 65_535  # what fits in -2; nobody waits longer
# Bounds that follow its own wishes are nothing to negotiate.
_FOLLOW_THE_CAR = frozenset({"ev", STATION_TOTAL})
_NEAR = 0.9  # a car that asks for less than this part of a bound is not held back by it

_LEVELS = {
    Isolation.INVALID: Level.INVALID,
    Isolation.VALID: Level.VALID,
    Isolation.WARNING: Level.WARNING,
    Isolation.FAULT: Level.FAULT,
}


def isolation_level(view: EvseView) -> Level:
    """After the cable check its result stands unless the monitor says worse."""
    isolation = view.power.isolation
    if isolation is Isolation.INVALID and view.cable_check is CableCheck.PASSED:
        return Level.VALID
    return _LEVELS[isolation]


def status_of(
    view: EvseView,
    code: StatusCode,
    isolation: Level | None,
    *,
    stopping_s: float = 0.0,
    renegotiate: bool = False,
) -> Status:
    """A wish of the station to stop, told `stopping_s` ago first, overrides `code` and every other wish."""
    delay_s = 0
    notification = Notification.RENEGOTIATION if renegotiate else Notification.NONE
    if view.stop is not Stop.NONE:
        notification = Notification.STOP_CHARGING
        if view.stop is Stop.NORMAL:
            code = StatusCode.EVSE_Shutdown
            delay_s = ceil(min(_MAX_DELAY_S, max(0.0, view.stop_delay_s - stopping_s)))
        else:
            code = StatusCode.EVSE_EmergencyShutdown
    return Status(code, delay_s, notification, isolation_level(view) if isolation is None else isolation)


def note_limits(session: DcSession, at: Situation, asked_w: float) -> DcSession:
    """Remembers since when the schedule the car holds is wrong and matters to it; only the loop counts."""
    off = session.state is State.CURRENT_DEMAND and _is_off(session, at, asked_w)
    if off is (session.limits_off_since is not None):
        return session
    return replace(session, limits_off_since=at.now if off else None)


def _is_off(session: DcSession, at: Situation, asked_w: float) -> bool:
    share, power_w, told_w = at.manners.renegotiate_share, at.view.limits.max_power_w, session.told_power_w
    if not share or at.view.limits.owner in _FOLLOW_THE_CAR:
        return False
    return abs(power_w - told_w) > share * told_w and asked_w >= _NEAR * min(power_w, told_w)


def wants_renegotiation(session: DcSession, view: EvseView, now: float) -> bool:
    """Somebody asks for it, or the limits have left the schedule for good, and not too often."""
    if session.state is not State.CURRENT_DEMAND:
        return False
    if view.renegotiate:
        return True
    off, last = session.limits_off_since, session.renegotiated_at
    if off is None or now < off + times.LIMITS_SETTLE_S:
        return False
    return last is None or now >= last + times.RENEGOTIATE_EVERY_S
