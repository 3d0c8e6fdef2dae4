"""Handlers from SessionSetupReq to ChargeParameterDiscoveryReq: pure functions."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.events import EvErrorReported, EvParametersTold, StationEvent, V2gSessionStarted
from vsecc_host.station.values import Authorization, Cause, EvParameters, EvseView
from vsecc_host.v2g.din70121 import answers, times
from vsecc_host.v2g.din70121.guards import is_stale
from vsecc_host.v2g.din70121.session import DinSession, Refusal, Reply, Situation
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.physical import amount

_DC_TYPES = (m.EvRequestedEnergyTransferType.DC_core, m.EvRequestedEnergyTransferType.DC_extended)
_CHARGE_SERVICE_ID = 1

Ready = m.DcEvseStatusCode.EVSE_Ready
NotReady = m.DcEvseStatusCode.EVSE_NotReady


def session_setup(req: m.SessionSetupReq, session: DinSession, at: Situation) -> Reply:
    """Always a new session: DIN knows no pause, and first ids are `00`, eight zeros or empty."""
    started = V2gSessionStarted(
        at=at.now,
        evse_id=session.evse_id,
        protocol="din",
        evcc_id=req.evccid.hex().upper(),
        session_id=session.id.hex().upper(),
    )
    code = m.ResponseCode.OK_NewSessionEstablished
    body = m.SessionSetupRes(code, answers.evseid_bytes(at.view.evseid))
    return Reply(body, replace(session, started_at=at.now), (started,))


def service_discovery(req: m.ServiceDiscoveryReq, session: DinSession, at: Situation) -> Reply:
    """One service, whatever scope or category is asked for."""
    options, service = answers.payment_options(), answers.charge_service()
    return Reply(m.ServiceDiscoveryRes(m.ResponseCode.OK, options, service), session)


def service_payment_selection(
    req: m.ServicePaymentSelectionReq, session: DinSession, at: Situation
) -> Reply | Refusal:
    """External payment and exactly the charge service."""
    if req.selected_payment_option is not m.PaymentOption.ExternalPayment:
        code = m.ResponseCode.FAILED_PaymentSelectionInvalid
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, "payment option not offered")
    selected = [service.service_id for service in req.selected_service_list.selected_service]
    if selected != [_CHARGE_SERVICE_ID]:
        code = m.ResponseCode.FAILED_ServiceSelectionInvalid
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, f"services selected: {selected}")
    return Reply(m.ServicePaymentSelectionRes(m.ResponseCode.OK), session)


def contract_authentication(
    req: m.ContractAuthenticationReq, session: DinSession, at: Situation
) -> Reply | Refusal:
    """Ongoing while somebody decides; only the time to ready-to-charge bounds it (ADR 0011)."""
    authorization = at.view.authorization
    if authorization is Authorization.REJECTED:
        return Refusal(m.ResponseCode.FAILED, Cause.NOT_AUTHORIZED, "authorization rejected")
    accepted = authorization is Authorization.ACCEPTED
    processing = m.EvseProcessing.Finished if accepted else m.EvseProcessing.Ongoing
    return Reply(m.ContractAuthenticationRes(m.ResponseCode.OK, processing), session, moves=accepted)


def charge_parameter_discovery(
    req: m.ChargeParameterDiscoveryReq, session: DinSession, at: Situation
) -> Reply | Refusal:
    """Ongoing until the power electronics can deliver something."""
    refused = _unfit(req, at.view)
    if refused is not None:
        return refused
    told = req.ev_charge_parameter
    assert isinstance(told, m.DcEvChargeParameter), "checked by _unfit"
    session = replace(session, parameters_since=_since(session.parameters_since, at))
    events: tuple[StationEvent, ...] = ()
    parameters = _parameters(told)
    if parameters != session.ev:
        session = replace(session, ev=parameters)
        events += (EvParametersTold(at=at.now, evse_id=session.evse_id, parameters=parameters),)
    ready = _can_deliver(at)
    if not ready and at.now > (session.parameters_since or at.now) + times.ONGOING_S:
        cause = Cause.POWER_STALE if is_stale(at.view, at.now) else Cause.POWER_INOPERATIVE
        return Refusal(m.ResponseCode.FAILED, cause, f"no power within {times.ONGOING_S:g} s")
    shown = answers.status(at.view, Ready if ready else NotReady, m.IsolationLevel.Invalid)
    body = m.ChargeParameterDiscoveryRes(
        m.ResponseCode.OK,
        m.EvseProcessing.Finished if ready else m.EvseProcessing.Ongoing,
        answers.schedules(at.view.limits),
        answers.charge_parameters(at.view, shown),
    )
    return Reply(body, session, events, moves=ready)


def note_status(
    status: m.DcEvStatus, session: DinSession, at: Situation
) -> tuple[DinSession, tuple[StationEvent, ...]]:
    """Error code and state of charge of the EV: an event when they changed."""
    events: tuple[StationEvent, ...] = ()
    error = status.ev_error_code
    if error != session.ev_error:
        session = replace(session, ev_error=int(error))
        if error:
            events += (EvErrorReported(at=at.now, evse_id=session.evse_id, code=error.name),)
    ev = session.ev
    if ev is not None and ev.soc_percent != status.ev_ress_soc:
        ev = replace(ev, soc_percent=status.ev_ress_soc)
        session = replace(session, ev=ev)
        events += (EvParametersTold(at=at.now, evse_id=session.evse_id, parameters=ev),)
    return session, events


def ev_status(body: object) -> m.DcEvStatus | None:
    """DC_EVStatus of a request, wherever it keeps it; None where it has none."""
    if isinstance(body, m.PowerDeliveryReq):
        body = body.ev_power_delivery_parameter
    elif isinstance(body, m.ChargeParameterDiscoveryReq):
        body = body.ev_charge_parameter
    return getattr(body, "dc_ev_status", None)


def number(value: m.PhysicalValue) -> float:
    """The number of a physical value; its unit may be missing and is never needed."""
    return amount(value.multiplier, value.value)


def maybe_number(value: m.PhysicalValue | None) -> float | None:
    """The number of an optional physical value."""
    return None if value is None else number(value)


def _since(begin: float | None, at: Situation) -> float:
    return at.now if begin is None else begin


def _unfit(req: m.ChargeParameterDiscoveryReq, view: EvseView) -> Refusal | None:
    told = req.ev_charge_parameter
    if req.ev_requested_energy_transfer_type not in _DC_TYPES:
        code = m.ResponseCode.FAILED_WrongEnergyTransferType
        reason = f"asks for {req.ev_requested_energy_transfer_type.name}"
        return Refusal(
            code, Cause.EV_PROTOCOL_ERROR, f"asks for {req.ev_requested_energy_transfer_type.name}"
        )
    code = m.ResponseCode.FAILED_WrongChargeParameter
    if not isinstance(told, m.DcEvChargeParameter):
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, "AC parameters on a DC session")
    voltage_v, current_a = number(told.ev_maximum_voltage_limit), number(told.ev_maximum_current_limit)
    if voltage_v <= 0 or current_a <= 0:
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, f"EV limits {voltage_v:g} V, {current_a:g} A")
    if voltage_v < view.limits.min_voltage_v:
        reason = f"EV takes {voltage_v:g} V at most, we give {view.limits.min_voltage_v:g} V at least"
        return Refusal(code, Cause.VOLTAGE_NOT_SUPPORTED, reason)
    return None


def _parameters(told: m.DcEvChargeParameter) -> EvParameters:
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
