"""Handlers that only ISO 15118-2 has: start with a schedule, renegotiation, pause."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.events import (
    ChargeRenegotiationRequested,
    ChargeTargetRequested,
    EvPlanExceedsOffer,
    StationEvent,
)
from vsecc_host.station.values import Cause, Stop
from vsecc_host.v2g.dc import power
from vsecc_host.v2g.dc.kinds import State
from vsecc_host.v2g.dc.requests import number
from vsecc_host.v2g.dc.session import DcSession, Refusal, Reply, Situation
from vsecc_host.v2g.dc.values import Code
from vsecc_host.v2g.dialogue import Ending
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.answers import SCHEDULE_ID

PROFILE_TOLERANCE = 1.01
PROFILE_TOLERANCE_W = 1000.0  # a step of the coarsest multiplier


def power_on(req: m.PowerDeliveryReq, session: DcSession, at: Situation) -> Reply | Refusal:
    """Start with the one schedule there is; a plan above its PMax is noted, or refused (ADR 0105)."""
    if req.sa_schedule_tuple_id != SCHEDULE_ID:
        reason = f"schedule {req.sa_schedule_tuple_id} was not offered"
        return Refusal(Code.FAILED_TariffSelectionInvalid, Cause.EV_PROTOCOL_ERROR, reason)
    planned_w, offered_w = _planned_w(req), session.told_power_w
    if planned_w <= offered_w * PROFILE_TOLERANCE + PROFILE_TOLERANCE_W:
        return power.power_on(req, session, at)
    if at.manners.refuse_profile:
        reason = f"plans {planned_w:.0f} W, offered {offered_w:.0f} W"
        return Refusal(Code.FAILED_ChargingProfileInvalid, Cause.LIMITS_EXCEEDED, reason)
    decision = power.power_on(req, session, at)
    if isinstance(decision, Refusal) or not at.first:
        return decision
    noted = EvPlanExceedsOffer(at=at.now, evse_id=session.evse_id, planned_w=planned_w, offered_w=offered_w)
    return decision._replace(events=(noted, *decision.events))


def _planned_w(req: m.PowerDeliveryReq) -> float:
    """The highest power of the EV's profile, 0 without one."""
    entries = req.charging_profile.profile_entry if req.charging_profile is not None else ()
    return max((number(entry.charging_profile_entry_max_power) for entry in entries), default=0.0)


def renegotiate(req: m.PowerDeliveryReq, session: DcSession, at: Situation) -> Reply | Refusal:
    """Current to zero, then OK: charge parameters follow, then a cable check or a start (ADR 0041)."""
    events: tuple[StationEvent, ...] = (_no_current(session, at),) if at.first else ()
    wait_until = at.asked_at + at.manners.power_switch_s
    if abs(at.view.power.current_a) >= power.NO_CURRENT_A:
        if at.now < wait_until:
            return Reply(session, events, wait_until=wait_until)
        reason = f"{at.view.power.current_a:.1f} A do not fall"
        return Refusal(Code.FAILED, Cause.POWER_REFUSED, reason)
    events += (ChargeRenegotiationRequested(at=at.now, evse_id=session.evse_id),)
    return Reply(_parameters_again(session, at.now), events)


def refuse_renegotiation(req: m.PowerDeliveryReq, session: DcSession, at: Situation) -> Refusal:
    """There is nothing to negotiate again before the charge loop."""
    return Refusal(Code.FAILED, Cause.EV_PROTOCOL_ERROR, "renegotiation before the charge loop")


def session_stop(req: m.SessionStopReq, session: DcSession, at: Situation) -> Reply | Refusal:
    """Terminate is never refused; a pause only once the output is off, and not while the station stops."""
    if req.charging_session is m.ChargingSession.Terminate or at.view.stop is not Stop.NONE:
        return power.session_stop(req, session, at)
    if session.state is not State.WELDING_OR_STOP:
        return Refusal(Code.FAILED, Cause.EV_PROTOCOL_ERROR, "pause before power delivery ended")
    return Reply(session, ending=Ending(Cause.EV_PAUSED, orderly=True), pauses=True)


def _no_current(session: DcSession, at: Situation) -> ChargeTargetRequested:
    soc = session.ev.soc_percent if session.ev is not None else None
    return ChargeTargetRequested(
        at=at.now,
        evse_id=session.evse_id,
        voltage_v=at.view.power.voltage_v,
        current_a=0.0,
        soc_percent=soc or 0,
    )


def _parameters_again(session: DcSession, now: float) -> DcSession:
    return replace(
        session,
        renegotiated_at=now,
        limits_off_since=None,
        parameters_since=None,
        cable_check_since=None,
        pre_charge_since=None,
        pilot_seen=False,
        pre_charge_target_v=0.0,
        voltage_reached=False,
        start_told=False,
    )
