"""Handlers from CableCheckReq to SessionStopReq: pure functions of request, session and situation."""

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
from vsecc_host.v2g.dialogue import Ending
from vsecc_host.v2g.din70121 import answers, times
from vsecc_host.v2g.din70121.guards import stop_cause
from vsecc_host.v2g.din70121.session import DinSession, Refusal, Reply, Situation
from vsecc_host.v2g.din70121.setup import NotReady, Ready, maybe_number, number
from vsecc_host.v2g.exi import din70121 as m

PRE_CHARGE_TOLERANCE_V = 20.0  # the EV closes its contactors within this distance of its battery
START_TOLERANCE_V = 50.0  # below the last pre-charge target the output visibly did not follow, see ADR 0014
NO_CURRENT_A = 1.0  # contactors may open below (IEC 61851-23, DIN 8.7)

_OK = m.ResponseCode.OK
_Code = m.DcEvseStatusCode


def cable_check(req: m.CableCheckReq, session: DinSession, at: Situation) -> Reply | Refusal:
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
        return Refusal(m.ResponseCode.FAILED, cause, "cable check failed", _Code.EVSE_Malfunction)
    if result is CableCheck.PASSED:
        warned = at.view.power.isolation is Isolation.WARNING
        level = m.IsolationLevel.Warning if warned else m.IsolationLevel.Valid
        shown = answers.status(at.view, Ready, level)
        return Reply(m.CableCheckRes(_OK, shown, m.EvseProcessing.Finished), session, events)
    if session.cable_check_since is not None and at.now > session.cable_check_since + times.CABLE_CHECK_S:
        reason = f"no result within {times.CABLE_CHECK_S:g} s"
        return Refusal(m.ResponseCode.FAILED, Cause.CABLE_CHECK_TIMEOUT, reason)
    shown = answers.status(at.view, _Code.EVSE_IsolationMonitoringActive, m.IsolationLevel.Invalid)
    body = m.CableCheckRes(_OK, shown, m.EvseProcessing.Ongoing)
    return Reply(body, session, events, moves=False)


def _without_pilot(session: DinSession, events: tuple[StationEvent, ...], at: Situation) -> Reply | Refusal:
    if session.pilot_seen:
        reason = f"pilot in state {at.view.cp_state.name} during cable check"
        return Refusal(m.ResponseCode.FAILED, Cause.CP_LEFT_C, reason, _Code.EVSE_EmergencyShutdown)
    wait_until = at.asked_at + times.CP_STATE_DETECTION_S
    if at.now < wait_until:
        return Reply(None, session, events, wait_until=wait_until)
    reason = f"pilot in state {at.view.cp_state.name} {times.CP_STATE_DETECTION_S:g} s after CableCheckReq"
    return Refusal(m.ResponseCode.FAILED, Cause.CP_NOT_C, reason)


def pre_charge(req: m.PreChargeReq, session: DinSession, at: Situation) -> Reply | Refusal:
    """Follows every target, also a nonsensical first one (Skoda, BMW); reports the measured voltage only."""
    target_v = min(max(number(req.ev_target_voltage), 0.0), at.view.limits.max_voltage_v)
    current_a = max(number(req.ev_target_current), 0.0)
    since = at.now if session.pre_charge_since is None else session.pre_charge_since
    present_v = at.view.power.voltage_v
    reached = session.voltage_reached or abs(present_v - target_v) <= PRE_CHARGE_TOLERANCE_V
    if not reached and at.now > since + times.PRE_CHARGE_S:
        reason = f"{present_v:.1f} V of {target_v:.1f} V after {times.PRE_CHARGE_S:g} s"
        return Refusal(m.ResponseCode.FAILED, Cause.PRE_CHARGE_TIMEOUT, reason)
    session = replace(session, pre_charge_since=since, pre_charge_target_v=target_v, voltage_reached=reached)
    event = PreChargeRequested(at=at.now, evse_id=session.evse_id, voltage_v=target_v, current_a=current_a)
    body = m.PreChargeRes(_OK, answers.status(at.view), answers.volts(present_v))
    return Reply(body, session, (event,))


def power_on(req: m.PowerDeliveryReq, session: DinSession, at: Situation) -> Reply | Refusal:
    """Start: answered when the voltage is there and the contactors are closed."""
    events: tuple[StationEvent, ...] = ()
    wait_until = at.asked_at + times.POWER_SWITCH_S
    present_v = at.view.power.voltage_v
    if present_v < session.pre_charge_target_v - START_TOLERANCE_V:
        if at.now < wait_until:
            return Reply(None, session, events, wait_until=wait_until)
        reason = f"start at {present_v:.1f} V of {session.pre_charge_target_v:.1f} V"
        code = m.ResponseCode.FAILED_EVSEPresentVoltageToLow
        return Refusal(code, Cause.PRE_CHARGE_TIMEOUT, reason)
    if not session.start_told:
        session = replace(session, start_told=True)
        events += (ChargeStartRequested(at=at.now, evse_id=session.evse_id),)
    if at.view.power.contactors_closed:
        body = m.PowerDeliveryRes(_OK, answers.status(at.view))
        return Reply(body, replace(session, charge_started=True), events)
    if at.now < wait_until:
        return Reply(None, session, events, wait_until=wait_until)
    code = m.ResponseCode.FAILED_PowerDeliveryNotApplied
    return Refusal(code, Cause.RELAY_NOT_CLOSED, f"contactors open after {times.POWER_SWITCH_S:g} s")


def power_on_again(req: m.PowerDeliveryReq, session: DinSession, at: Situation) -> Refusal:
    """A second start during the charge loop ends the session (DIN has no renegotiation)."""
    return Refusal(
        m.ResponseCode.FAILED, Cause.EV_PROTOCOL_ERROR, "PowerDeliveryReq on during the charge loop"
    )


def power_off(req: m.PowerDeliveryReq, session: DinSession, at: Situation) -> Reply:
    """Stop, also early: answered when the current is gone, or anyway before the EV loses patience."""
    events: tuple[StationEvent, ...] = ()
    if not session.charge_stopped:
        session = replace(session, charge_stopped=True)
        events += (ChargeStopRequested(at=at.now, evse_id=session.evse_id),)
    wait_until = at.asked_at + times.POWER_SWITCH_S
    if abs(at.view.power.current_a) >= NO_CURRENT_A and at.now < wait_until:
        return Reply(None, session, events, wait_until=wait_until)
    return Reply(m.PowerDeliveryRes(_OK, answers.status(at.view, NotReady)), session, events)


def current_demand(req: m.CurrentDemandReq, session: DinSession, at: Situation) -> Reply:
    """Answered at once from what is known; the target goes to the station, nobody waits for it."""
    view = at.view
    limits, power = view.limits, view.power
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
    )
    body = m.CurrentDemandRes(
        _OK,
        answers.status(view),
        answers.volts(power.voltage_v),
        answers.amperes(power.current_a),
        current_a >= limits.max_current_a,
        voltage_v >= limits.max_voltage_v,
        voltage_v * current_a >= limits.max_power_w,
        answers.volts(limits.max_voltage_v),
        answers.amperes(limits.max_current_a),
        answers.watts(limits.max_power_w),
    )
    return Reply(body, session, (target,))


def welding_detection(req: m.WeldingDetectionReq, session: DinSession, at: Situation) -> Reply:
    """The falling voltage, as soon as the pilot is back in B, or anyway before the EV loses patience."""
    events: tuple[StationEvent, ...] = ()
    if at.first:
        events += (WeldingDetectionRequested(at=at.now, evse_id=session.evse_id),)
    wait_until = at.asked_at + times.CP_STATE_DETECTION_S
    if at.view.cp_state.energy and at.now < wait_until:
        return Reply(None, session, events, wait_until=wait_until)
    shown = answers.status(at.view, NotReady)
    return Reply(m.WeldingDetectionRes(_OK, shown, answers.volts(at.view.power.voltage_v)), session, events)


def session_stop(req: m.SessionStopReq, session: DinSession, at: Situation) -> Reply:
    """The end the EV asked for; never refused."""
    if at.view.stop is not Stop.NONE:
        cause = stop_cause(at.view)
    elif session.ev_error:
        cause = Cause.EV_ERROR
    else:
        cause = Cause.EV_FINISHED if session.charge_started else Cause.EV_STOPPED_EARLY
    detail = m.DcEvErrorCode(session.ev_error).name if session.ev_error else ""
    ending = Ending(cause, orderly=True, detail=detail)
    return Reply(m.SessionStopRes(_OK), session, ending=ending)
