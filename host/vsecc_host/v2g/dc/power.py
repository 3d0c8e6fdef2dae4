"""Handlers from CableCheckReq to SessionStopReq that both protocols share: pure functions."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.events import (
    CableCheckRequested,
    ChargeStartRequested,
    ChargeStopRequested,
    ChargeTargetRequested,
    PreChargeRequested,
    StationEvent,
    WeldingDetectionRequested,
)
from vsecc_host.station.values import CableCheck, Cause, Isolation, Stop
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.guards import stop_cause
from vsecc_host.v2g.dc.requests import Demand, Physical, PreCharge, maybe_number, number
from vsecc_host.v2g.dc.session import DcSession, Refusal, Reply, Situation
from vsecc_host.v2g.dc.values import Code, Level, Processing, StatusCode
from vsecc_host.v2g.dialogue import Ending

PRE_CHARGE_TOLERANCE_V = 20.0  # the EV closes its contactors within this distance of its battery
START_TOLERANCE_V = 50.0  # below the last pre-charge target the output visibly did not follow, see ADR 0014
NO_CURRENT_A = 1.0  # contactors may open below (IEC 61851-23, DIN 8.7)


def cable_check(req: object, session: DcSession, at: Situation) -> Reply | Refusal:
    """Waits for the pilot in C or D, then tells the station's progress."""
    events: tuple[StationEvent, ...] = ()
    begins = session.cable_check_since is None
    if begins:
        session = replace(session, cable_check_since=at.asked_at)
        events += (CableCheckRequested(at=at.now, evse_id=session.evse_id),)
    if not at.view.cp_state.energy:
        return _without_pilot(session, events, at)
    session = replace(session, pilot_seen=True)
    # The first answer precedes the event that starts the check: a result now is one of an earlier session.
    result = CableCheck.ONGOING if begins else at.view.cable_check
    if result is CableCheck.FAILED:
        cause = at.view.cause if at.view.cause is not Cause.NONE else Cause.ISOLATION_FAULT
        return Refusal(Code.FAILED, cause, "cable check failed", StatusCode.EVSE_Malfunction)
    if result is CableCheck.PASSED:
        warned = at.view.power.isolation is Isolation.WARNING
        return Reply(session, events, isolation=Level.WARNING if warned else Level.VALID)
    if session.cable_check_since is not None and at.now > session.cable_check_since + times.CABLE_CHECK_S:
        reason = f"no result within {times.CABLE_CHECK_S:g} s"
        return Refusal(Code.FAILED, Cause.CABLE_CHECK_TIMEOUT, reason)
    return Reply(
        session,
        events,
        status=StatusCode.EVSE_IsolationMonitoringActive,
        isolation=Level.INVALID,
        processing=Processing.ONGOING,
        moves=False,
    )


def _without_pilot(session: DcSession, events: tuple[StationEvent, ...], at: Situation) -> Reply | Refusal:
    if session.pilot_seen:
        reason = f"pilot in state {at.view.cp_state.name} during cable check"
        return Refusal(Code.FAILED, Cause.CP_LEFT_C, reason, StatusCode.EVSE_EmergencyShutdown)
    wait_until = at.asked_at + times.CP_STATE_DETECTION_S
    if at.now < wait_until:
        return Reply(session, events, wait_until=wait_until)
    reason = f"pilot in state {at.view.cp_state.name} {times.CP_STATE_DETECTION_S:g} s after CableCheckReq"
    return Refusal(Code.FAILED, Cause.CP_NOT_C, reason)


def pre_charge(req: PreCharge, session: DcSession, at: Situation) -> Reply | Refusal:
    """Follows every target, also a nonsensical first one (Skoda, BMW); reports the measured voltage only."""
    asked_v = max(number(req.ev_target_voltage), at.view.limits.min_voltage_v)
    target_v = min(asked_v, at.view.limits.max_voltage_v)
    told_v = target_v if session.pre_charge_since is None else asked_v  # the station judges the later ones
    current_a = max(number(req.ev_target_current), 0.0)
    since = at.now if session.pre_charge_since is None else session.pre_charge_since
    present_v = at.view.power.voltage_v
    reached = session.voltage_reached or abs(present_v - target_v) <= PRE_CHARGE_TOLERANCE_V
    if not reached and at.now > since + times.PRE_CHARGE_S:
        reason = f"{present_v:.1f} V of {target_v:.1f} V after {times.PRE_CHARGE_S:g} s"
        return Refusal(Code.FAILED, Cause.PRE_CHARGE_TIMEOUT, reason)
    session = replace(session, pre_charge_since=since, pre_charge_target_v=target_v, voltage_reached=reached)
    event = PreChargeRequested(at=at.now, evse_id=session.evse_id, voltage_v=told_v, current_a=current_a)
    return Reply(session, (event,))


def power_on(req: object, session: DcSession, at: Situation) -> Reply | Refusal:
    """Start: answered when the voltage is there and the contactors are closed."""
    events: tuple[StationEvent, ...] = ()
    wait_until = at.asked_at + at.manners.power_switch_s
    present_v = at.view.power.voltage_v
    if present_v < session.pre_charge_target_v - START_TOLERANCE_V:
        if at.now < wait_until:
            return Reply(session, events, wait_until=wait_until)
        reason = f"start at {present_v:.1f} V of {session.pre_charge_target_v:.1f} V"
        return Refusal(Code.FAILED_EVSEPresentVoltageToLow, Cause.PRE_CHARGE_TIMEOUT, reason)
    if not session.start_told:
        session = replace(session, start_told=True)
        events += (ChargeStartRequested(at=at.now, evse_id=session.evse_id),)
    if at.view.power.contactors_closed:
        return Reply(replace(session, charge_started=True), events)
    if at.now < wait_until:
        return Reply(session, events, wait_until=wait_until)
    reason = f"contactors open after {at.manners.power_switch_s:g} s"
    return Refusal(Code.FAILED_PowerDeliveryNotApplied, Cause.RELAY_NOT_CLOSED, reason)


def power_on_again(req: object, session: DcSession, at: Situation) -> Refusal:
    """A second start during the charge loop ends the session."""
    return Refusal(Code.FAILED, Cause.EV_PROTOCOL_ERROR, "power delivery on during the charge loop")


def power_off(req: object, session: DcSession, at: Situation) -> Reply:
    """Stop, also early: answered when the current is gone, or anyway before the EV loses patience."""
    events: tuple[StationEvent, ...] = ()
    if not session.charge_stopped:
        session = replace(session, charge_stopped=True)
        events += (ChargeStopRequested(at=at.now, evse_id=session.evse_id),)
    wait_until = at.asked_at + at.manners.power_switch_s
    if abs(at.view.power.current_a) >= NO_CURRENT_A and at.now < wait_until:
        return Reply(session, events, wait_until=wait_until)
    return Reply(session, events, status=StatusCode.EVSE_NotReady)


def current_demand(req: Demand, session: DcSession, at: Situation) -> Reply:
    """Answered at once from what is known; the target goes to the station, nobody waits for it."""
    limits = at.view.limits
    voltage_v, current_a = number(req.ev_target_voltage), number(req.ev_target_current)
    target = ChargeTargetRequested(
        at=at.now,
        evse_id=session.evse_id,
        voltage_v=voltage_v,
        current_a=current_a,
        soc_percent=req.dc_ev_status.ev_ress_soc,
        max_voltage_v=maybe_number(req.ev_maximum_voltage_limit),
        max_current_a=maybe_number(req.ev_maximum_current_limit),
        max_power_w=maybe_number(req.ev_maximum_power_limit),
        remaining_to_full_s=_seconds(req.remaining_time_to_full_soc),
    )
    achieved = (
        current_a >= limits.max_current_a,
        voltage_v >= limits.max_voltage_v,
        voltage_v * current_a >= limits.max_power_w,
    )
    return Reply(session, (target,), achieved=achieved)


def _seconds(value: Physical | None) -> int | None:
    """A time the EV told; a negative one is none."""
    seconds = maybe_number(value)
    return int(seconds) if seconds is not None and seconds >= 0 else None


def welding_detection(req: object, session: DcSession, at: Situation) -> Reply:
    """The falling voltage, as soon as the pilot is back in B, or anyway before the EV loses patience."""
    events: tuple[StationEvent, ...] = ()
    if at.first:
        events += (WeldingDetectionRequested(at=at.now, evse_id=session.evse_id),)
    wait_until = at.asked_at + times.CP_STATE_DETECTION_S
    if at.view.cp_state.energy and at.now < wait_until:
        return Reply(session, events, wait_until=wait_until)
    return Reply(session, events, status=StatusCode.EVSE_NotReady)


def session_stop(req: object, session: DcSession, at: Situation) -> Reply:
    """The end the EV asked for; never refused."""
    if at.view.stop is not Stop.NONE:
        cause = stop_cause(at.view)
    elif session.ev_error:
        cause = Cause.EV_ERROR
    else:
        cause = Cause.EV_FINISHED if session.charge_started else Cause.EV_STOPPED_EARLY
    return Reply(session, ending=Ending(cause, orderly=True, detail=session.ev_error))
