"""What must hold before a request is even looked at, beyond its place in the sequence (safety rule S9)."""

from __future__ import annotations

from vsecc_host.station.values import CableCheck, Cause, EvseView, Isolation, Phase, Stop
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.dc.session import DcSession, Refusal, Situation
from vsecc_host.v2g.dc.values import Code, StatusCode

# The EV's way out: never refused for what the station wants, because it is what the station wants.
LEAVING = frozenset({Kind.POWER_DELIVERY_OFF, Kind.WELDING_DETECTION, Kind.SESSION_STOP})

_WITHOUT_STATUS = frozenset(
    {
        Kind.SESSION_SETUP,
        Kind.SERVICE_DISCOVERY,
        Kind.SERVICE_DETAIL,
        Kind.PAYMENT_SELECTION,
        Kind.AUTHORIZATION,
    }
)
_WITH_VOLTAGE = frozenset(
    {Kind.PRE_CHARGE, Kind.POWER_DELIVERY_ON, Kind.POWER_DELIVERY_AGAIN, Kind.CURRENT_DEMAND}
)
_MEASURED = _WITH_VOLTAGE | {Kind.CABLE_CHECK, Kind.WELDING_DETECTION}


def guard(kind: Kind, session: DcSession, at: Situation) -> Refusal | None:
    """The first reason to refuse, None when there is none."""
    view = at.view
    if view.stop is not Stop.NONE and kind not in LEAVING:
        refused = _stop(kind, session, at)
        if refused is not None:
            return refused
    if kind in _MEASURED:
        refused = _power(kind, view, at.now)
        if refused is not None:
            return refused
    if session.started_at is not None and kind is not Kind.CURRENT_DEMAND and kind not in LEAVING:
        return _too_late(session, at)
    return None


def is_stale(view: EvseView, now: float) -> bool:
    """The newest measurement is too old to be reported."""
    return now - view.power.at > times.POWER_STALE_S


def stop_cause(view: EvseView) -> Cause:
    """Why the station stops the session."""
    return view.cause if view.cause is not Cause.NONE else Cause.STOP_REQUESTED


def _stop(kind: Kind, session: DcSession, at: Situation) -> Refusal | None:
    view = at.view
    if view.stop is Stop.EMERGENCY:
        return Refusal(Code.FAILED, stop_cause(view), "emergency stop", StatusCode.EVSE_EmergencyShutdown)
    shutdown = StatusCode.EVSE_Shutdown
    if kind in _WITHOUT_STATUS or kind is Kind.POWER_DELIVERY_ON:
        return Refusal(Code.FAILED, stop_cause(view), "stop requested before power", shutdown)
    since = session.stop_since if session.stop_since is not None else at.now
    if at.now > since + view.stop_delay_s + times.STOP_GRACE_S:
        return Refusal(Code.FAILED, stop_cause(view), "the EV ignores StopCharging", shutdown)
    return None


def _power(kind: Kind, view: EvseView, now: float) -> Refusal | None:
    emergency = StatusCode.EVSE_EmergencyShutdown
    if is_stale(view, now) and not (kind is Kind.CURRENT_DEMAND and _current_falls(view)):
        age = f"power measurement {now - view.power.at:.1f} s old"
        return Refusal(Code.FAILED, Cause.POWER_STALE, age, emergency)
    if kind is Kind.WELDING_DETECTION:
        return None
    watched = kind is Kind.CABLE_CHECK and view.cable_check is CableCheck.ONGOING  # by the station itself
    if not view.power.operative and not watched:
        reason = "power electronics inoperative"
        return Refusal(Code.FAILED, Cause.POWER_INOPERATIVE, reason, StatusCode.EVSE_Malfunction)
    if kind is Kind.CABLE_CHECK:
        return None
    if view.power.isolation is Isolation.FAULT:
        return Refusal(Code.FAILED, Cause.ISOLATION_FAULT, "isolation fault", emergency)
    if not view.cp_state.energy:
        reason = f"pilot in state {view.cp_state.name} during {kind}"
        return Refusal(Code.FAILED, Cause.CP_LEFT_C, reason, emergency)
    return None


def _current_falls(view: EvseView) -> bool:
    """The station has taken the current away and asks the car to stop; it bounds that itself (S9)."""
    return view.phase is Phase.STOPPING and view.stop is Stop.NORMAL


def _too_late(session: DcSession, at: Situation) -> Refusal | None:
    bound_s = at.manners.ready_to_charge_s
    if bound_s is None or session.started_at is None or at.now <= session.started_at + bound_s:
        return None
    if session.pre_charge_since is not None:
        cause = Cause.PRE_CHARGE_TIMEOUT
    elif session.cable_check_since is not None:
        cause = Cause.CABLE_CHECK_TIMEOUT
    elif session.parameters_since is not None:
        cause = Cause.EV_TIMEOUT
    else:
        cause = Cause.NOT_AUTHORIZED
    return Refusal(Code.FAILED, cause, f"not ready to charge within {bound_s:g} s")
