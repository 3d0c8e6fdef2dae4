"""Handlers that only ISO 15118-2 words this way: service details, selection, authorization, parameters."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.values import Cause
from vsecc_host.v2g.dc import setup
from vsecc_host.v2g.dc.session import DcSession, Refusal, Reply, Situation
from vsecc_host.v2g.dc.values import Code, Processing
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2 import times

_WRONG = Cause.EV_PROTOCOL_ERROR


def service_detail(req: m.ServiceDetailReq, session: DcSession, at: Situation) -> Reply | Refusal:
    """The charge service is the only one and has no parameters."""
    if req.service_id != setup.CHARGE_SERVICE_ID:
        return Refusal(Code.FAILED_ServiceIDInvalid, _WRONG, f"details of service {req.service_id}")
    return Reply(session)


def payment_service_selection(
    req: m.PaymentServiceSelectionReq, session: DcSession, at: Situation
) -> Reply | Refusal:
    """External payment, the charge service and no other."""
    if req.selected_payment_option is not m.PaymentOption.ExternalPayment:
        return Refusal(Code.FAILED_PaymentSelectionInvalid, _WRONG, "payment option not offered")
    selected = [service.service_id for service in req.selected_service_list.selected_service]
    detail = f"services selected: {selected}"
    if not selected or set(selected) - {setup.CHARGE_SERVICE_ID}:
        without_charging = bool(selected) and setup.CHARGE_SERVICE_ID not in selected
        code = (
            Code.FAILED_NoChargeServiceSelected if without_charging else Code.FAILED_ServiceSelectionInvalid
        )
        return Refusal(code, _WRONG, detail)
    return Reply(session)


def authorization(req: m.AuthorizationReq, session: DcSession, at: Situation) -> Reply | Refusal:
    """Ongoing while a back end decides, then waiting for the customer, as long as it takes (ADR 0042)."""
    since = at.now if session.authorization_since is None else session.authorization_since
    by_person = at.now > since + times.BACK_END_DECIDES_S
    meanwhile = Processing.WAITING_FOR_CUSTOMER if by_person else Processing.ONGOING
    return setup.refuse_or_wait(replace(session, authorization_since=since), at, meanwhile)


def charge_parameter_discovery(
    req: m.ChargeParameterDiscoveryReq, session: DcSession, at: Situation
) -> Reply | Refusal:
    """Both DC modes are offered; a schedule comes when Finished."""
    told = req.ev_charge_parameter
    mode = req.requested_energy_transfer_mode.name
    return setup.charge_parameters(
        mode, told if isinstance(told, m.DcEvChargeParameter) else None, session, at
    )
