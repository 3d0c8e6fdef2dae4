"""Words of the answers that both schemas share; a number is the index in both."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Response codes as DIN names them; a protocol without one says what it has instead."""

    OK = "OK"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    FAILED = "FAILED"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_PaymentSelectionInvalid = "FAILED_PaymentSelectionInvalid"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_TariffSelectionInvalid = "FAILED_TariffSelectionInvalid"
    FAILED_ChargingProfileInvalid = "FAILED_ChargingProfileInvalid"
    FAILED_EVSEPresentVoltageToLow = "FAILED_EVSEPresentVoltageToLow"
    FAILED_WrongEnergyTransferType = "FAILED_WrongEnergyTransferType"
    FAILED_NoChargeServiceSelected = "FAILED_NoChargeServiceSelected"


class StatusCode(IntEnum):
    """DC_EVSEStatusCode."""

    EVSE_NotReady = 0
    EVSE_Ready = 1
    EVSE_Shutdown = 2
    EVSE_IsolationMonitoringActive = 4
    EVSE_EmergencyShutdown = 5
    EVSE_Malfunction = 6


class Notification(IntEnum):
    """EVSENotification; DIN cars are never asked to renegotiate."""

    NONE = 0
    STOP_CHARGING = 1
    RENEGOTIATION = 2


class Level(IntEnum):
    """EVSEIsolationStatus."""

    INVALID = 0
    VALID = 1
    WARNING = 2
    FAULT = 3


class Processing(IntEnum):
    """EVSEProcessing; DIN knows the first two."""

    FINISHED = 0
    ONGOING = 1
    WAITING_FOR_CUSTOMER = 2


class Status(NamedTuple):
    """DC_EVSEStatus; `delay_s` is NotificationMaxDelay."""

    code: StatusCode
    delay_s: int
    notification: Notification
    isolation: Level
