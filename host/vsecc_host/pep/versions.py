"""Versions of PEP-WS and what each of them can say, as data.

Only "1.8 is of 2022-10-01" and "compatible down to 1.1" are printed; the other steps follow from the dates of
the change history, see docs/pep.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import NamedTuple

SUBPROTOCOL_PREFIX = "pep"


class PepVersion(IntEnum):
    """A version of the protocol; later ones compare greater."""

    V1_1 = 11
    V1_2 = 12
    V1_3 = 13
    V1_4 = 14
    V1_5 = 15
    V1_6 = 16
    V1_7 = 17
    V1_8 = 18

    @property
    def text(self) -> str:
        """As a person writes it, such as "1.2"."""
        return f"{self // 10}.{self % 10}"

    @property
    def subprotocol(self) -> str:
        """Value of Sec-WebSocket-Protocol, such as "pep1.2"."""
        return SUBPROTOCOL_PREFIX + self.text

    def has(self, feature: Feature) -> bool:
        """Whether this version knows a feature."""
        span = FEATURES[feature]
        return span.first <= self and (span.last is None or self <= span.last)


class Feature(Enum):
    """What came or went between versions."""

    BASE = "configuration, cableCheck, targetValues, contactorsStatus, reset, status, event, error"
    TERMINALS = "getInput, setOutput"
    EV_CONNECTION = "evConnectionState"
    CABLE_CHECK_VOLTAGE = "voltage in cableCheck"
    VEHICLE_ID = "vehicleId in evConnectionState"
    FLOAT_VALUES = "floatValues; before, and without it, all numbers are integers"
    STOP_CHARGING = "stopCharging"
    CHARGING_SESSION = "chargingSession with profile limit and time to full"
    EV_LIMITS = "limits of the EV in chargingSession"
    DISCHARGE = "limitPowerMin, discharge limits, chargeMode"
    NO_IMD = "isolationStatus noImd"


class Span(NamedTuple):
    """First and last version with a feature; None: still there."""

    first: PepVersion
    last: PepVersion | None = None


FEATURES: Mapping[Feature, Span] = {
    Feature.BASE: Span(PepVersion.V1_1),
    Feature.TERMINALS: Span(PepVersion.V1_2),
    Feature.EV_CONNECTION: Span(PepVersion.V1_2),
    Feature.CABLE_CHECK_VOLTAGE: Span(PepVersion.V1_3),
    Feature.VEHICLE_ID: Span(PepVersion.V1_3),
    Feature.FLOAT_VALUES: Span(PepVersion.V1_4),
    Feature.STOP_CHARGING: Span(PepVersion.V1_5),
    Feature.CHARGING_SESSION: Span(PepVersion.V1_6),
    Feature.EV_LIMITS: Span(PepVersion.V1_7),
    Feature.DISCHARGE: Span(PepVersion.V1_8),
    Feature.NO_IMD: Span(PepVersion.V1_1, PepVersion.V1_6),
}

DEFAULT_VERSION = PepVersion.V1_2  # what vSECC 1.2.0 speaks
OFFERED = tuple(version for version in reversed(PepVersion) if version >= DEFAULT_VERSION)  # newest first

_BY_TEXT = {version.text: version for version in PepVersion}
_BY_SUBPROTOCOL = {version.subprotocol: version for version in PepVersion}


def version_of(text: str) -> PepVersion:
    """The version written as "1.2"; ValueError for an unknown one."""
    try:
        return _BY_TEXT[text]
    except KeyError:
        raise ValueError(f"no PEP version {text}; there are {', '.join(_BY_TEXT)}") from None


def version_of_subprotocol(name: str | None) -> PepVersion | None:
    """The version a handshake chose; None for no or an unknown subprotocol."""
    return None if name is None else _BY_SUBPROTOCOL.get(name)
