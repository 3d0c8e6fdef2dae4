"""DC_EVSEStatus of an answer: what the station wants and what the isolation monitor says."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from vsecc_host.station.sharing import OWNER
from vsecc_host.station.values import CableCheck, EvseView, Isolation, Stop
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.kinds import State
from vsecc_host.v2g.dc.session import DcSession, Situation
from vsecc_host.v2g.dc.values import Level, Notification, Status, StatusCode

_MAX_DELAY_S = 65_535  # what fits in -2; nobody waits longer
_FOLLOW_THE_CAR = frozenset({"ev", OWNER})  # bounds that follow its own wishes are nothing to negotiate

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


def status_of(view: EvseView, code: StatusCode, isolation: Level | None, renegotiate: bool = False) -> Status:
    """A wish of the station to stop overrides `code` and everything else it might wish."""
    delay_s = 0
    notification = Notification.RENEGOTIATION if renegotiate else Notification.NONE
    if view.stop is not Stop.NONE:
        notification = Notification.STOP_CHARGING
        if view.stop is Stop.NORMAL:
            code = StatusCode.EVSE_Shutdown
            delay_s = ceil(min(_MAX_DELAY_S, max(0.0, view.stop_delay_s)))
        else:
            code = StatusCode.EVSE_EmergencyShutdown
    return Status(code, delay_s, notification, isolation_level(view) if isolation is None else isolation)


def note_limits(session: DcSession, at: Situation) -> DcSession:
    """Remembers since when the power limit is far from the told schedule; only the charge loop counts."""
    off = session.state is State.CURRENT_DEMAND and _is_off(session, at)
    if off is (session.limits_off_since is not None):
        return session
    return replace(session, limits_off_since=at.now if off else None)


def _is_off(session: DcSession, at: Situation) -> bool:
    share, limits = at.manners.renegotiate_share, at.view.limits
    if not share or limits.owner in _FOLLOW_THE_CAR:
        return False
    return abs(limits.max_power_w - session.told_power_w) > share * session.told_power_w


def wants_renegotiation(session: DcSession, now: float) -> bool:
    """The limits have left the schedule for good."""
    since = session.limits_off_since
    return since is not None and now >= since + times.LIMITS_SETTLE_S
