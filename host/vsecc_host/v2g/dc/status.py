"""DC_EVSEStatus of an answer: what the station wants and what the isolation monitor says."""

from __future__ import annotations

from math import ceil

from vsecc_host.station.values import CableCheck, EvseView, Isolation, Stop
from vsecc_host.v2g.dc.kinds import State
from vsecc_host.v2g.dc.session import DcSession
from vsecc_host.v2g.dc.values import Level, Notification, Status, StatusCode

_MAX_DELAY_S = 65_535  # what fits in -2; nobody waits longer
_NOBODY_RENEGOTIATES_FOR = "ev"  # a bound the car set itself it knows already

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


def wants_renegotiation(session: DcSession, view: EvseView, share: float) -> bool:
    """In the charge loop, when the power limit left the told one by more than `share` of it; 0: never."""
    if not share or session.state is not State.CURRENT_DEMAND:
        return False
    if view.limits.owner == _NOBODY_RENEGOTIATES_FOR:
        return False
    return abs(view.limits.max_power_w - session.told_power_w) > share * session.told_power_w
