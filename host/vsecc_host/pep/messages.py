"""Every message of PEP-WS as declared fields: one declaration validates, builds, rounds and documents.

Names, ranges and value sets are those of the JSON schemas of PEP-WS 1.8; `feature` says since when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal

from vsecc_host.pep.versions import Feature, PepVersion

MAX_NUMBER = 2147483647  # of every bounded field and of sequenceNumber

End = Literal["secc", "pecc"]


class MessageType(StrEnum):
    """First field of every message."""

    REQUEST = "request"
    RESPONSE = "response"
    ERROR = "error"
    INFO = "info"


class Kind(StrEnum):
    """Second field; selects the payload."""

    CONFIGURATION = "configuration"
    CABLE_CHECK = "cableCheck"
    TARGET_VALUES = "targetValues"
    CONTACTORS_STATUS = "contactorsStatus"
    RESET = "reset"
    GET_INPUT = "getInput"
    SET_OUTPUT = "setOutput"
    STOP_CHARGING = "stopCharging"
    ERROR = "error"
    EVENT = "event"
    STATUS = "status"
    EV_CONNECTION_STATE = "evConnectionState"
    CHARGING_SESSION = "chargingSession"


class ContactorsStatus(StrEnum):
    """State of the output contactors."""

    OPEN = "open"
    CLOSED = "closed"


class IsolationStatus(StrEnum):
    """Result of the isolation monitor, thresholds of IEC CDV 61851-23."""

    INVALID = "invalid"  # no test done yet
    VALID = "valid"
    WARNING = "warning"
    FAULT = "fault"
    NO_IMD = "noImd"  # up to 1.6


class OperationalStatus(StrEnum):
    """Whether the power electronics can deliver."""

    OPERATIVE = "operative"
    INOPERATIVE = "inoperative"


class ChargingState(StrEnum):
    """Phase of the charging process."""

    STANDBY = "standby"
    PRE_CHARGE = "preCharge"
    CHARGE = "charge"
    POST_CHARGE = "postCharge"


class ErrorCategory(StrEnum):
    """Why a request was refused."""

    FORMAT = "format"  # schema violated
    VALUE = "value"  # voltage that cannot be supplied, unknown terminal, illegal output value
    INOPERATIVE = "inoperative"  # operationalStatus forbids it
    INTERNAL = "internal"  # fault inside, or CP/PP supervision forbids it
    GENERIC = "generic"


class EvConnectionState(StrEnum):
    """How the EV is connected; informational only."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    ENERGY_TRANSFER_ALLOWED = "energyTransferAllowed"
    ERROR = "error"


class ChargeMode(StrEnum):
    """Control mode of the session; scheduled for DIN and ISO 15118-2."""

    SCHEDULED = "scheduled"
    DYNAMIC = "dynamic"
    DYNAMIC_BPT = "dynamicBpt"


class Rounding(Enum):
    """How a number becomes an integer where floatValues is not true."""

    NEAREST = "nearest"
    TOWARDS_ZERO = "towards zero"
    AWAY_FROM_ZERO = "away from zero"


class Shape(Enum):
    """JSON shape of a field."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    STRINGS = "array of strings"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: `payload` has wire names, once decoded declared members only; an info has no number."""

    type: MessageType
    kind: str  # a Kind; in an error whatever the sender wrote
    sequence_number: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A member of a payload; ranges are inclusive, None is unbounded."""

    name: str
    shape: Shape = Shape.NUMBER
    unit: str = ""
    low: float | None = None
    high: float | None = None
    required: bool = False
    feature: Feature = Feature.BASE
    rounding: Rounding = Rounding.NEAREST
    values: type[StrEnum] | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)  # accepted -> meant
    value_features: Mapping[str, Feature] = field(default_factory=dict)  # values not in every version
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """One message: who sends it, since when, with which members; without members any payload passes."""

    type: MessageType
    kind: Kind
    sender: End
    feature: Feature = Feature.BASE
    fields: tuple[Field, ...] = ()
    note: str = ""

    def members(self, version: PepVersion) -> tuple[Field, ...]:
        """The members this version knows."""
        return tuple(member for member in self.fields if version.has(member.feature))


def _positive(name: str, unit: str, **more: Any) -> Field:
    return Field(name=name, unit=unit, low=0, high=MAX_NUMBER, **more)


def _negative(name: str, unit: str, **more: Any) -> Field:
    """A discharge number: zero or less; Min and Max speak of the magnitude."""
    return Field(name=name, unit=unit, low=-MAX_NUMBER, high=0, **more)


def _choice(name: str, values: type[StrEnum], **more: Any) -> Field:
    return Field(name=name, shape=Shape.STRING, values=values, **more)


def _request(kind: Kind, sender: End, *fields: Field, **more: Any) -> Layout:
    return Layout(type=MessageType.REQUEST, kind=kind, sender=sender, fields=fields, **more)


def _response(kind: Kind, sender: End, *fields: Field, **more: Any) -> Layout:
    return Layout(type=MessageType.RESPONSE, kind=kind, sender=sender, fields=fields, **more)


def _info(kind: Kind, sender: End, *fields: Field, **more: Any) -> Layout:
    return Layout(type=MessageType.INFO, kind=kind, sender=sender, fields=fields, **more)


_DOWN: dict[str, Any] = {"rounding": Rounding.TOWARDS_ZERO}  # a maximum
_UP: dict[str, Any] = {"rounding": Rounding.AWAY_FROM_ZERO}  # a minimum
_BPT: dict[str, Any] = {"feature": Feature.DISCHARGE}
_EV: dict[str, Any] = {"feature": Feature.EV_LIMITS}

LAYOUTS: tuple[Layout, ...] = (
    _request(Kind.CONFIGURATION, "secc", note="any time; limits may differ between two answers"),
    _response(
        Kind.CONFIGURATION,
        "pecc",
        Field(name="firmwareVersion", shape=Shape.STRING, required=True),
        Field(name="manufacturer", shape=Shape.STRING, required=True),
        _positive("limitVoltageMin", "V", required=True, **_UP),
        _positive("limitVoltageMax", "V", required=True, **_DOWN),
        _positive("limitCurrentMin", "A", required=True, **_UP),
        _positive("limitCurrentMax", "A", required=True, **_DOWN),
        _positive("limitPowerMin", "W", **_UP, **_BPT),
        _positive("limitPowerMax", "W", required=True, **_DOWN),
        _negative("limitDischargeCurrentMin", "A", **_UP, **_BPT),
        _negative("limitDischargeCurrentMax", "A", **_DOWN, **_BPT),
        _negative("limitDischargePowerMin", "W", **_UP, **_BPT),
        _negative("limitDischargePowerMax", "W", **_DOWN, **_BPT),
        Field(
            name="floatValues",
            shape=Shape.BOOLEAN,
            feature=Feature.FLOAT_VALUES,
            note="absent: false; then every number of every message is an integer",
        ),
    ),
    _request(
        Kind.CABLE_CHECK,
        "secc",
        _positive("voltage", "V", required=True, feature=Feature.CABLE_CHECK_VOLTAGE, note="a suggestion"),
        note="contactors closed; the result comes in status",
    ),
    _response(Kind.CABLE_CHECK, "pecc", note="accepted only"),
    _request(
        Kind.TARGET_VALUES,
        "secc",
        _positive("targetVoltage", "V", required=True),
        _positive("targetCurrent", "A", required=True, **_DOWN),
        Field(name="batteryStateOfCharge", unit="%", low=0, high=100, required=True, **_DOWN),
        _choice("chargingState", ChargingState, required=True),
    ),
    _response(Kind.TARGET_VALUES, "pecc", note="accepted only"),
    _request(Kind.CONTACTORS_STATUS, "secc", _choice("contactorsStatus", ContactorsStatus, required=True)),
    _response(Kind.CONTACTORS_STATUS, "pecc", note="accepted only"),
    _request(Kind.RESET, "secc", note="back to standby; ends every session"),
    _response(Kind.RESET, "pecc", note="accepted only"),
    _request(
        Kind.GET_INPUT,
        "pecc",
        Field(name="inputIdentifiers", shape=Shape.STRINGS, required=True),
        feature=Feature.TERMINALS,
    ),
    _response(
        Kind.GET_INPUT,
        "secc",
        Field(name="inputValues", shape=Shape.OBJECT, note="identifier to value; may be missing"),
        feature=Feature.TERMINALS,
    ),
    _request(
        Kind.SET_OUTPUT,
        "pecc",
        Field(name="outputValues", shape=Shape.OBJECT, required=True, note="identifier to value"),
        feature=Feature.TERMINALS,
    ),
    _response(Kind.SET_OUTPUT, "secc", feature=Feature.TERMINALS),
    _request(Kind.STOP_CHARGING, "pecc", feature=Feature.STOP_CHARGING, note="end the session gracefully"),
    _response(Kind.STOP_CHARGING, "secc", feature=Feature.STOP_CHARGING),
    _info(
        Kind.STATUS,
        "pecc",
        _positive("measuredVoltage", "V", required=True, note="at the outlet, always true"),
        _positive("measuredCurrent", "A", required=True, note="at the outlet"),
        _positive("drivenVoltage", "V", required=True),
        _positive("drivenCurrent", "A", required=True),
        Field(name="temperature", unit="°C", required=True, note="of the power electronics"),
        _choice("contactorsStatus", ContactorsStatus, required=True),
        _choice(
            "isolationStatus",
            IsolationStatus,
            required=True,
            value_features={IsolationStatus.NO_IMD: Feature.NO_IMD},
        ),
        _choice("operationalStatus", OperationalStatus, required=True),
        note="every 200 ms, without interruption",
    ),
    _info(
        Kind.EVENT,
        "pecc",
        Field(name="eventDetails", shape=Shape.STRING, required=True, note="free text"),
    ),
    _info(
        Kind.EV_CONNECTION_STATE,
        "secc",
        _choice("evConnectionState", EvConnectionState, required=True),
        Field(
            name="vehicleId",
            shape=Shape.STRING,
            feature=Feature.VEHICLE_ID,
            note="with connected only, once known; upper-case hex with colons",
        ),
        feature=Feature.EV_CONNECTION,
    ),
    _info(
        Kind.CHARGING_SESSION,
        "secc",
        _positive("chargingProfileMaxPowerLimitWatts", "W", **_DOWN),
        _positive("timeToFullSocSeconds", "s"),
        _positive("evMinVoltageVolts", "V", **_UP, **_EV),
        _positive("evMaxVoltageVolts", "V", **_DOWN, **_EV),
        _positive("evMinCurrentAmperes", "A", **_UP, **_EV),
        _positive("evMaxCurrentAmperes", "A", **_DOWN, **_EV),
        _positive("evMinPowerWatts", "W", **_UP, **_EV),
        _positive("evMaxPowerWatts", "W", **_DOWN, **_EV),
        _negative("evMinDischargeCurrentAmperes", "A", **_UP, **_BPT),
        _negative("evMaxDischargeCurrentAmperes", "A", **_DOWN, **_BPT),
        _negative("evMinDischargePowerWatts", "W", **_UP, **_BPT),
        _negative("evMaxDischargePowerWatts", "W", **_DOWN, **_BPT),
        _choice("chargeMode", ChargeMode, **_BPT),
        feature=Feature.CHARGING_SESSION,
        note="only members that changed",
    ),
)

ERROR_FIELDS: tuple[Field, ...] = (
    _choice("errorCategory", ErrorCategory, required=True, spellings={"valueError": ErrorCategory.VALUE}),
    Field(name="errorDetails", shape=Shape.STRING, required=True, note="free text, may be empty"),
)

_BY_NAME = {(layout.type, layout.kind): layout for layout in LAYOUTS}
REQUESTS = {layout.kind: layout for layout in LAYOUTS if layout.type is MessageType.REQUEST}


def bounded(value: float) -> float:
    """A number as a field of 0..MAX_NUMBER takes it; NaN is 0."""
    return min(max(0.0, value), MAX_NUMBER)


def layout_of(type_: MessageType, kind: str) -> Layout | None:
    """The declaration of a message; None for an unknown pair and for errors, which share ERROR_FIELDS."""
    try:
        return _BY_NAME.get((type_, Kind(kind)))
    except ValueError:
        return None


def request(kind: Kind, sequence_number: int, payload: Mapping[str, Any] | None = None) -> Message:
    """A request; its number counts per direction and connection."""
    return Message(
        type=MessageType.REQUEST, kind=kind, sequence_number=sequence_number, payload=payload or {}
    )


def response(asked: Message, payload: Mapping[str, Any] | None = None) -> Message:
    """The answer to a request."""
    return Message(
        type=MessageType.RESPONSE,
        kind=asked.kind,
        sequence_number=asked.sequence_number,
        payload=payload or {},
    )


def info(kind: Kind, payload: Mapping[str, Any] | None = None) -> Message:
    """A message nobody answers."""
    return Message(type=MessageType.INFO, kind=kind, payload=payload or {})


def error(kind: str, sequence_number: int, category: ErrorCategory, details: str) -> Message:
    """A refusal; number 0 where the request's own could not be read."""
    return Message(
        type=MessageType.ERROR,
        kind=kind,
        sequence_number=sequence_number,
        payload={"errorCategory": category, "errorDetails": details},
    )
