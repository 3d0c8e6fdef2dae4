"""Handlers up to ChargeParameterDiscoveryReq that both protocols share: pure functions."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.events import EvErrorReported, EvParametersTold, StationEvent, V2gSessionStarted
from vsecc_host.station.values import Authorization, Cause, EvParameters, EvseView
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.guards import is_stale
from vsecc_host.v2g.dc.requests import ChargeParameters, EvStatus, Setup, maybe_number, number
from vsecc_host.v2g.dc.session import DcSession, Refusal, Reply, Situation
from vsecc_host.v2g.dc.values import Code, Level, Processing, StatusCode
from vsecc_host.v2g.evccid import normalised_evccid

CHARGE_SERVICE_ID = 1
DC_MODES = ("DC_core", "DC_extended")


def session_setup(req: Setup, session: DcSession, at: Situation) -> Reply:
    """A new session, or the one that was paused; first ids are `00`, eight zeros or empty."""
    evcc_id = normalised_evccid(req.evccid)
    started = V2gSessionStarted(
        at=at.now,
        evse_id=session.evse_id,
        protocol=at.manners.protocol,
        evcc_id=evcc_id,
        session_id=session.id.hex().upper(),
        resumed=session.joined,
    )
    code = Code.OK_OldSessionJoined if session.joined else Code.OK_NewSessionEstablished
    return Reply(replace(session, started_at=at.now, evcc_id=evcc_id), (started,), code)


def service_discovery(req: object, session: DcSession, at: Situation) -> Reply:
    """One service, whatever scope or category is asked for."""
    return Reply(session)


def refuse_or_wait(session: DcSession, at: Situation, meanwhile: Processing) -> Reply | Refusal:
    """Authorization: `meanwhile` is what the EV hears while somebody decides."""
    authorization = at.view.authorization
    if authorization is Authorization.REJECTED:
        return Refusal(Code.FAILED, Cause.NOT_AUTHORIZED, "authorization rejected")
    accepted = authorization is Authorization.ACCEPTED
    return Reply(session, processing=Processing.FINISHED if accepted else meanwhile, moves=accepted)


def charge_parameters(
    mode: str, told: ChargeParameters | None, session: DcSession, at: Situation
) -> Reply | Refusal:
    """Ongoing until the power electronics can deliver something; `told` is None for AC parameters."""
    refused = _unfit(mode, told, at.view)
    if refused is not None:
        return refused
    assert told is not None, "checked by _unfit"
    events: tuple[StationEvent, ...] = ()
    since = at.now if session.parameters_since is None else session.parameters_since
    session = replace(session, parameters_since=since)
    parameters = _parameters(told)
    if parameters != session.ev:
        session = replace(session, ev=parameters)
        events = (EvParametersTold(at=at.now, evse_id=session.evse_id, parameters=parameters),)
    ready = _can_deliver(at)
    if not ready and at.now > since + times.ONGOING_S:
        cause = Cause.POWER_STALE if is_stale(at.view, at.now) else Cause.POWER_INOPERATIVE
        return Refusal(Code.FAILED, cause, f"no power within {times.ONGOING_S:g} s")
    return Reply(
        replace(session, told_power_w=at.view.limits.max_power_w),
        events,
        status=StatusCode.EVSE_Ready if ready else StatusCode.EVSE_NotReady,
        isolation=None if session.charge_started else Level.INVALID,  # measured when renegotiating
        processing=Processing.FINISHED if ready else Processing.ONGOING,
        moves=ready,
    )


def note_status(
    status: EvStatus, session: DcSession, at: Situation
) -> tuple[DcSession, tuple[StationEvent, ...]]:
    """Error code and state of charge of the EV: an event when they changed."""
    events: tuple[StationEvent, ...] = ()
    error = status.ev_error_code.name if status.ev_error_code else ""
    if error != session.ev_error:
        session = replace(session, ev_error=error)
        if error:
            events += (EvErrorReported(at=at.now, evse_id=session.evse_id, code=error),)
    ev = session.ev
    if ev is not None and ev.soc_percent != status.ev_ress_soc:
        ev = replace(ev, soc_percent=status.ev_ress_soc)
        session = replace(session, ev=ev)
        events += (EvParametersTold(at=at.now, evse_id=session.evse_id, parameters=ev),)
    return session, events


def _unfit(mode: str, told: ChargeParameters | None, view: EvseView) -> Refusal | None:
    if mode not in DC_MODES:
        return Refusal(Code.FAILED_WrongEnergyTransferType, Cause.EV_PROTOCOL_ERROR, f"asks for {mode}")
    code = Code.FAILED_WrongChargeParameter
    if told is None:
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, "AC parameters on a DC session")
    voltage_v, current_a = number(told.ev_maximum_voltage_limit), number(told.ev_maximum_current_limit)
    if voltage_v <= 0 or current_a <= 0:
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, f"EV limits {voltage_v:g} V, {current_a:g} A")
    if voltage_v < view.limits.min_voltage_v:
        reason = f"EV takes {voltage_v:g} V at most, we give {view.limits.min_voltage_v:g} V at least"
        return Refusal(code, Cause.VOLTAGE_NOT_SUPPORTED, reason)
    return None


def _parameters(told: ChargeParameters) -> EvParameters:
    return EvParameters(
        max_voltage_v=number(told.ev_maximum_voltage_limit),
        max_current_a=number(told.ev_maximum_current_limit),
        max_power_w=maybe_number(told.ev_maximum_power_limit),
        soc_percent=told.dc_ev_status.ev_ress_soc,
        energy_capacity_wh=maybe_number(told.ev_energy_capacity),
        energy_request_wh=maybe_number(told.ev_energy_request),
        full_soc_percent=told.full_soc,
        bulk_soc_percent=told.bulk_soc,
    )


def _can_deliver(at: Situation) -> bool:
    view = at.view
    limits = view.limits
    offered = limits.max_power_w > 0 and limits.max_current_a > 0 and limits.max_voltage_v > 0
    return offered and view.power.operative and not is_stale(view, at.now)
