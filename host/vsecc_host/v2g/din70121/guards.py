"""What must hold before a request is even looked at, beyond its place in the sequence (safety rule S9)."""

from __future__ import annotations

from vsecc_host.station.values import Cause, EvseView, Isolation, Stop
from vsecc_host.v2g.din70121 import times
from vsecc_host.v2g.din70121.session import DinSession, Refusal, Situation
from vsecc_host.v2g.din70121.states import Kind
from vsecc_host.v2g.exi.din70121 import DcEvseStatusCode, ResponseCode

# The EV's way out: never refused for what the station wants, because it is what the station wants.
LEAVING = frozenset({Kind.POWER_DELIVERY_OFF, Kind.WELDING_DETECTION, Kind.SESSION_STOP})

_WITHOUT_STATUS = frozenset(
    {
        Kind.SESSION_SETUP,
        Kind.SERVICE_DISCOVERY,
        Kind.SERVICE_PAYMENT_SELECTION,
        Kind.CONTRACT_AUTHENTICATION,
    }
)
_WITH_VOLTAGE = frozenset({Kind.PRE_CHARGE, Kind.POWER_DELIVERY_ON, Kind.CURRENT_DEMAND})
_MEASURED = _WITH_VOLTAGE | {Kind.CABLE_CHECK, Kind.WELDING_DETECTION}


def guard(kind: Kind, session: DinSession, at: Situation) -> Refusal | None:
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
        return _too_late(session, at.now)
    return None


def is_stale(view: EvseView, now: float) -> bool:
    """The newest measurement is too old to be reported."""
    return now - view.power.at > times.POWER_STALE_S


def stop_cause(view: EvseView) -> Cause:
    """Why the station stops the session."""
    return view.cause if view.cause is not Cause.NONE else Cause.STOP_REQUESTED


def _stop(kind: Kind, session: DinSession, at: Situation) -> Refusal | None:
    view = at.view
    if view.stop is Stop.EMERGENCY:
        code = DcEvseStatusCode.EVSE_EmergencyShutdown
        return Refusal(ResponseCode.FAILED, stop_cause(view), "emergency stop", code)
    shutdown = DcEvseStatusCode.EVSE_Shutdown
    if kind in _WITHOUT_STATUS or kind is Kind.POWER_DELIVERY_ON:
        return Refusal(ResponseCode.FAILED, stop_cause(view), "stop requested before power", shutdown)
    since = session.stop_since if session.stop_since is not None else at.now
    if at.now > since + view.stop_delay_s + times.STOP_GRACE_S:
        return Refusal(ResponseCode.FAILED, stop_cause(view), "the EV ignores StopCharging", shutdown)
    return None


def _power(kind: Kind, view: EvseView, now: float) -> Refusal | None:
    emergency = DcEvseStatusCode.EVSE_EmergencyShutdown
    if is_stale(view, now):
        age = f"power measurement {now - view.power.at:.1f} s old"
        return Refusal(ResponseCode.FAILED, Cause.POWER_STALE, age, emergency)
    if kind is Kind.WELDING_DETECTION:
        return None
    if not view.power.operative:
        reason = "power electronics inoperative"
        return Refusal(
            ResponseCode.FAILED, Cause.POWER_INOPERATIVE, reason, DcEvseStatusCode.EVSE_Malfunction
        )
    if kind is Kind.CABLE_CHECK:
        return None
    if view.power.isolation is Isolation.FAULT:
        return Refusal(ResponseCode.FAILED, Cause.ISOLATION_FAULT, "isolation fault", emergency)
    if not view.cp_state.energy:
        reason = f"pilot in state {view.cp_state.name} during {kind}"
        return Refusal(ResponseCode.FAILED, Cause.CP_LEFT_C, reason, emergency)
    return None


def _too_late(session: DinSession, now: float) -> Refusal | None:
    if session.started_at is None or now <= session.started_at + times.READY_TO_CHARGE_S:
        return None
    if session.pre_charge_since is not None:
        cause = Cause.PRE_CHARGE_TIMEOUT
    elif session.cable_check_since is not None:
        cause = Cause.CABLE_CHECK_TIMEOUT
    elif session.parameters_since is not None:
        cause = Cause.EV_TIMEOUT
    else:
        cause = Cause.NOT_AUTHORIZED
    return Refusal(ResponseCode.FAILED, cause, f"not ready to charge within {times.READY_TO_CHARGE_S:g} s")
