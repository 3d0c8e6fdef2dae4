"""States and requests of a DC session; what a protocol calls a request stands in its `requests`."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What the SECC waits for."""

    SESSION_SETUP = "session setup"
    SERVICE_DISCOVERY = "service discovery"
    PAYMENT_SELECTION = "payment selection"
    AUTHORIZATION = "authorization"
    CHARGE_PARAMETERS = "charge parameters"
    CHARGE_PARAMETERS_AGAIN = "charge parameters, again"
    CABLE_CHECK_OR_POWER_ON = "cable check or power on"
    CABLE_CHECK = "cable check"
    PRE_CHARGE = "pre-charge"
    PRE_CHARGE_OR_POWER_ON = "pre-charge or power on"
    CURRENT_DEMAND_FIRST = "current demand, first"
    CURRENT_DEMAND = "current demand"
    WELDING_OR_STOP = "welding or stop"
    END = "end"


class Kind(StrEnum):
    """Requests; PowerDeliveryReq counts by what it asks for, because each is legal in different states."""

    SESSION_SETUP = "session setup"
    SERVICE_DISCOVERY = "service discovery"
    SERVICE_DETAIL = "service detail"
    PAYMENT_SELECTION = "payment selection"
    AUTHORIZATION = "authorization"
    CHARGE_PARAMETER_DISCOVERY = "charge parameter discovery"
    CABLE_CHECK = "cable check"
    PRE_CHARGE = "pre-charge"
    POWER_DELIVERY_ON = "power delivery on"
    POWER_DELIVERY_OFF = "power delivery off"
    POWER_DELIVERY_AGAIN = "renegotiation"
    CURRENT_DEMAND = "current demand"
    WELDING_DETECTION = "welding detection"
    SESSION_STOP = "session stop"
    # in the schemas, never legal on a DC session with external payment
    PAYMENT_DETAILS = "payment details"
    CERTIFICATE_INSTALLATION = "certificate installation"
    CERTIFICATE_UPDATE = "certificate update"
    METERING_RECEIPT = "metering receipt"
    CHARGING_STATUS = "charging status"
