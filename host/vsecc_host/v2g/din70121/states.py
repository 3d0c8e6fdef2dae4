"""States and requests of a DIN 70121 session."""

from __future__ import annotations

from enum import StrEnum

from vsecc_host.v2g.exi import din70121 as m


class State(StrEnum):
    """What the SECC waits for."""

    SESSION_SETUP = "session setup"
    SERVICE_DISCOVERY = "service discovery"
    PAYMENT_SELECTION = "payment selection"
    CONTRACT_AUTHENTICATION = "contract authentication"
    CHARGE_PARAMETERS = "charge parameters"
    CABLE_CHECK = "cable check"
    PRE_CHARGE = "pre-charge"
    PRE_CHARGE_OR_POWER_ON = "pre-charge or power on"
    CURRENT_DEMAND_FIRST = "current demand, first"
    CURRENT_DEMAND = "current demand"
    WELDING_OR_STOP = "welding or stop"
    END = "end"


class Kind(StrEnum):
    """Requests; PowerDeliveryReq counts twice because on and off are legal in different states."""

    SESSION_SETUP = "SessionSetupReq"
    SERVICE_DISCOVERY = "ServiceDiscoveryReq"
    SERVICE_PAYMENT_SELECTION = "ServicePaymentSelectionReq"
    CONTRACT_AUTHENTICATION = "ContractAuthenticationReq"
    CHARGE_PARAMETER_DISCOVERY = "ChargeParameterDiscoveryReq"
    CABLE_CHECK = "CableCheckReq"
    PRE_CHARGE = "PreChargeReq"
    POWER_DELIVERY_ON = "PowerDeliveryReq on"
    POWER_DELIVERY_OFF = "PowerDeliveryReq off"
    CURRENT_DEMAND = "CurrentDemandReq"
    WELDING_DETECTION = "WeldingDetectionReq"
    SESSION_STOP = "SessionStopReq"
    # in the schema, never legal on a DC session with external payment
    SERVICE_DETAIL = "ServiceDetailReq"
    PAYMENT_DETAILS = "PaymentDetailsReq"
    CERTIFICATE_INSTALLATION = "CertificateInstallationReq"
    CERTIFICATE_UPDATE = "CertificateUpdateReq"
    METERING_RECEIPT = "MeteringReceiptReq"
    CHARGING_STATUS = "ChargingStatusReq"


_KINDS: dict[type, Kind] = {
    m.SessionSetupReq: Kind.SESSION_SETUP,
    m.ServiceDiscoveryReq: Kind.SERVICE_DISCOVERY,
    m.ServicePaymentSelectionReq: Kind.SERVICE_PAYMENT_SELECTION,
    m.ContractAuthenticationReq: Kind.CONTRACT_AUTHENTICATION,
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


def kind_of(body: object) -> Kind | None:
    """The kind of a request; None for answers and empty bodies."""
    if isinstance(body, m.PowerDeliveryReq):
        return Kind.POWER_DELIVERY_ON if body.ready_to_charge_state else Kind.POWER_DELIVERY_OFF
    return _KINDS.get(type(body))


# Event codes of the requests in the Body's substitution group; index = six-bit code, see peek_kind.
_BODY_CODES = {
    1: Kind.CABLE_CHECK,
    3: Kind.CERTIFICATE_INSTALLATION,
    5: Kind.CERTIFICATE_UPDATE,
    7: Kind.CHARGE_PARAMETER_DISCOVERY,
    9: Kind.CHARGING_STATUS,
    11: Kind.CONTRACT_AUTHENTICATION,
    13: Kind.CURRENT_DEMAND,
    15: Kind.METERING_RECEIPT,
    17: Kind.PAYMENT_DETAILS,
    19: Kind.POWER_DELIVERY_OFF,
    21: Kind.PRE_CHARGE,
    23: Kind.SERVICE_DETAIL,
    25: Kind.SERVICE_DISCOVERY,
    27: Kind.SERVICE_PAYMENT_SELECTION,
    29: Kind.SESSION_SETUP,
    31: Kind.SESSION_STOP,
    33: Kind.WELDING_DETECTION,
}
_DOCUMENT_START = 0x809A >> 1  # EXI header, V2G_Message; the sixteenth bit opens Header
_MAX_SESSION_ID = 8


def peek_kind(payload: bytes) -> Kind | None:
    """Type of a request that does not decode, from its plain header; None if that is damaged too."""
    if len(payload) < 5 or int.from_bytes(payload[:2], "big") >> 1 != _DOCUMENT_START:
        return None
    bits = int.from_bytes(payload[:24].ljust(24, b"\0"), "big")

    def read(offset: int, width: int) -> int:
        return bits >> (24 * 8 - offset - width) & ((1 << width) - 1)

    length = read(18, 8)  # after SE(Header), SE(SessionID), CH
    after_id = 26 + 8 * length
    plain_header = read(15, 3) == 0 and length <= _MAX_SESSION_ID and read(after_id, 4) == 0b0100
    if not plain_header or after_id + 10 > 8 * len(payload):
        return None
    return _BODY_CODES.get(read(after_id + 4, 6))
