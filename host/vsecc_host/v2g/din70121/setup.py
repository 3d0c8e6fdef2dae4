"""Handlers that only DIN 70121 words this way: selection, authentication, charge parameters."""

from __future__ import annotations

from vsecc_host.station.values import Cause
from vsecc_host.v2g.dc import setup
from vsecc_host.v2g.dc.session import DcSession, Refusal, Reply, Situation
from vsecc_host.v2g.dc.values import Code, Processing
from vsecc_host.v2g.exi import din70121 as m


def service_payment_selection(
    req: m.ServicePaymentSelectionReq, session: DcSession, at: Situation
) -> Reply | Refusal:
    """External payment and exactly the charge service."""
    if req.selected_payment_option is not m.PaymentOption.ExternalPayment:
        code = Code.FAILED_PaymentSelectionInvalid
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, "payment option not offered")
    selected = [service.service_id for service in req.selected_service_list.selected_service]
    if selected != [setup.CHARGE_SERVICE_ID]:
        code = Code.FAILED_ServiceSelectionInvalid
        return Refusal(code, Cause.EV_PROTOCOL_ERROR, f"services selected: {selected}")
    return Reply(session)


def contract_authentication(
    req: m.ContractAuthenticationReq, session: DcSession, at: Situation
) -> Reply | Refusal:
    """Ongoing while somebody decides; only the time to ready-to-charge bounds it (ADR 0011)."""
    return setup.refuse_or_wait(session, at, Processing.ONGOING)


def charge_parameter_discovery(
    req: m.ChargeParameterDiscoveryReq, session: DcSession, at: Situation
) -> Reply | Refusal:
    """DC_core and DC_extended are in DIN's scope; which of them a car names does not matter."""
    told = req.ev_charge_parameter
    mode = req.ev_requested_energy_transfer_type.name
    return setup.charge_parameters(
        mode, told if isinstance(told, m.DcEvChargeParameter) else None, session, at
    )
