"""Requests of ISO 15118-2: their kinds, their names, their codes in the Body's substitution group."""

from __future__ import annotations

from vsecc_host.v2g.dc import peek
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.exi import iso15118_2 as m

_KINDS: dict[type, Kind] = {
    m.SessionSetupReq: Kind.SESSION_SETUP,
    m.ServiceDiscoveryReq: Kind.SERVICE_DISCOVERY,
    m.ServiceDetailReq: Kind.SERVICE_DETAIL,
    m.PaymentServiceSelectionReq: Kind.PAYMENT_SELECTION,
    m.AuthorizationReq: Kind.AUTHORIZATION,
    m.ChargeParameterDiscoveryReq: Kind.CHARGE_PARAMETER_DISCOVERY,
    m.CableCheckReq: Kind.CABLE_CHECK,
    m.PreChargeReq: Kind.PRE_CHARGE,
    m.CurrentDemandReq: Kind.CURRENT_DEMAND,
    m.WeldingDetectionReq: Kind.WELDING_DETECTION,
    m.SessionStopReq: Kind.SESSION_STOP,
    m.PaymentDetailsReq: Kind.PAYMENT_DETAILS,
    m.CertificateInstallationReq: Kind.CERTIFICATE_INSTALLATION,
    m.CertificateUpdateReq: Kind.CERTIFICATE_UPDATE,
    m.MeteringReceiptReq: Kind.METERING_RECEIPT,
    m.ChargingStatusReq: Kind.CHARGING_STATUS,
}
_POWER_DELIVERY = {
    m.ChargeProgress.Start: Kind.POWER_DELIVERY_ON,
    m.ChargeProgress.Stop: Kind.POWER_DELIVERY_OFF,
    m.ChargeProgress.Renegotiate: Kind.POWER_DELIVERY_AGAIN,
}

NAMES = {kind: message.__name__ for message, kind in _KINDS.items()} | {
    kind: f"PowerDeliveryReq {progress.name}" for progress, kind in _POWER_DELIVERY.items()
}


def kind_of(body: object) -> Kind | None:
    """The kind of a request; None for answers and empty bodies."""
    if isinstance(body, m.PowerDeliveryReq):
        return _POWER_DELIVERY[body.charge_progress]
    return _KINDS.get(type(body))


_BODY_CODES = {
    0: Kind.AUTHORIZATION,
    3: Kind.CABLE_CHECK,
    5: Kind.CERTIFICATE_INSTALLATION,
    7: Kind.CERTIFICATE_UPDATE,
    9: Kind.CHARGE_PARAMETER_DISCOVERY,
    11: Kind.CHARGING_STATUS,
    13: Kind.CURRENT_DEMAND,
    15: Kind.METERING_RECEIPT,
    17: Kind.PAYMENT_DETAILS,
    19: Kind.PAYMENT_SELECTION,
    21: Kind.POWER_DELIVERY_OFF,
    23: Kind.PRE_CHARGE,
    25: Kind.SERVICE_DETAIL,
    27: Kind.SERVICE_DISCOVERY,
    29: Kind.SESSION_SETUP,
    31: Kind.SESSION_STOP,
    33: Kind.WELDING_DETECTION,
}
_DOCUMENT_START = 0x8098  # EXI header, V2G_Message


def peek_kind(payload: bytes) -> Kind | None:
    """Type of a request that does not decode; None if its header is damaged too."""
    return peek.peek_kind(payload, _DOCUMENT_START, _BODY_CODES)
