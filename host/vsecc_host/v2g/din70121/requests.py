"""Requests of DIN 70121: their kinds, their names, their codes in the Body's substitution group."""

from __future__ import annotations

from vsecc_host.v2g.dc import peek
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.exi import din70121 as m

_KINDS: dict[type, Kind] = {
    m.SessionSetupReq: Kind.SESSION_SETUP,
    m.ServiceDiscoveryReq: Kind.SERVICE_DISCOVERY,
    m.ServicePaymentSelectionReq: Kind.PAYMENT_SELECTION,
    m.ContractAuthenticationReq: Kind.AUTHORIZATION,
    m.ChargeParameterDiscoveryReq: Kind.CHARGE_PARAMETER_DISCOVERY,
    m.CableCheckReq: Kind.CABLE_CHECK,
    m.PreChargeReq: Kind.PRE_CHARGE,
    m.CurrentDemandReq: Kind.CURRENT_DEMAND,
    m.WeldingDetectionReq: Kind.WELDING_DETECTION,
    m.SessionStopReq: Kind.SESSION_STOP,
    m.ServiceDetailReq: Kind.SERVICE_DETAIL,
    m.PaymentDetailsReq: Kind.PAYMENT_DETAILS,
    m.CertificateInstallationReq: Kind.CERTIFICATE_INSTALLATION,
    m.CertificateUpdateReq: Kind.CERTIFICATE_UPDATE,
    m.MeteringReceiptReq: Kind.METERING_RECEIPT,
    m.ChargingStatusReq: Kind.CHARGING_STATUS,
}

NAMES = {kind: message.__name__ for message, kind in _KINDS.items()} | {
    Kind.POWER_DELIVERY_ON: "PowerDeliveryReq on",
    Kind.POWER_DELIVERY_OFF: "PowerDeliveryReq off",
}


def kind_of(body: object) -> Kind | None:
    """The kind of a request; None for answers and empty bodies."""
    if isinstance(body, m.PowerDeliveryReq):
        return Kind.POWER_DELIVERY_ON if body.ready_to_charge_state else Kind.POWER_DELIVERY_OFF
    return _KINDS.get(type(body))


_BODY_CODES = {
    1: Kind.CABLE_CHECK,
    3: Kind.CERTIFICATE_INSTALLATION,
    5: Kind.CERTIFICATE_UPDATE,
    7: Kind.CHARGE_PARAMETER_DISCOVERY,
    9: Kind.CHARGING_STATUS,
    11: Kind.AUTHORIZATION,
    13: Kind.CURRENT_DEMAND,
    15: Kind.METERING_RECEIPT,
    17: Kind.PAYMENT_DETAILS,
    19: Kind.POWER_DELIVERY_OFF,
    21: Kind.PRE_CHARGE,
    23: Kind.SERVICE_DETAIL,
    25: Kind.SERVICE_DISCOVERY,
    27: Kind.PAYMENT_SELECTION,
    29: Kind.SESSION_SETUP,
    31: Kind.SESSION_STOP,
    33: Kind.WELDING_DETECTION,
}
_DOCUMENT_START = 0x809A  # EXI header, V2G_Message


def peek_kind(payload: bytes) -> Kind | None:
    """Type of a request that does not decode; None if its header is damaged too."""
    return peek.peek_kind(payload, _DOCUMENT_START, _BODY_CODES)
