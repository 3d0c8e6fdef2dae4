"""Host views of the catalogue: named, typed values built from the plain tuples that cross the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from vsecc_host.station.values import CpState, LockState
from vsecc_link import messages as catalogue

PORTS = (1, 2)

Message = tuple[Any, ...]


def name_in(names: tuple[str, ...], index: int) -> str:
    """A name of the catalogue, or the bare number when a newer MCU knows more of them."""
    return names[index] if index < len(names) else str(index)


@dataclass(frozen=True, slots=True)
class McuHello:
    """Who the MCU is; `boot_id` differs after every restart."""

    version: tuple[int, int]
    catalogue_crc: int
    ticks_hz: int
    image_sha256: str
    image_version: str
    board: str
    interpreter: str
    reset_cause: str
    boot_id: int
    ticks_us: int


class PortStatus(NamedTuple):
    """One port as the MCU measures it."""

    cp_state: CpState
    high_mv: int
    low_mv: int
    duty_permille: int
    faults: int
    pp_mv: int


class McuStatus(NamedTuple):
    """The cyclic snapshot; `ports` in order, port 1 first."""

    ticks_us: int
    grant_stamp: int
    grant_ticks_us: int
    relays_closed: int
    relays_driven: int
    ports: tuple[PortStatus, ...]


@dataclass(frozen=True, slots=True)
class CpStateMessage:
    """The MCU confirmed another pilot state."""

    ticks_us: int
    port: int
    state: CpState
    previous: CpState
    high_mv: int
    low_mv: int


@dataclass(frozen=True, slots=True)
class RelayMessage:
    """A safety relay opened or closed; `reason` names why it is open."""

    ticks_us: int
    relay: int
    closed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FaultMessage:
    """A port fault was latched or released."""

    ticks_us: int
    port: int
    fault: int
    latched: bool


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A log line of the MCU program."""

    ticks_us: int
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class TelemetryMessage:
    """TELEMETRY or TEMPERATURES by catalogue field name."""

    values: dict[str, int]


@dataclass(frozen=True, slots=True)
class LockMessage:
    """The lock of a port is in another state."""

    ticks_us: int
    port: int
    state: LockState


@dataclass(frozen=True, slots=True)
class ButtonMessage:
    """The factory-reset button has been held for 5 s (`pressed`), or was released."""

    ticks_us: int
    held_ms: int
    pressed: bool


@dataclass(frozen=True, slots=True)
class OverloadMessage:
    """Other outputs are overloaded; bit 0 = OUT1."""

    ticks_us: int
    overloads: int


@dataclass(frozen=True, slots=True)
class DeviceFaultMessage:
    """A fault that concerns no port came or went."""

    ticks_us: int
    fault: str
    present: bool


@dataclass(frozen=True, slots=True)
class CrashMessage:
    """One part of what ended the MCU program before its present start."""

    ticks_us: int
    uptime_ms: int
    reset_cause: str
    part: int
    parts: int
    text: str


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """The MCU will not do what was asked."""

    message: str
    reason: str


McuMessage = (
    McuHello
    | McuStatus
    | CpStateMessage
    | RelayMessage
    | FaultMessage
    | LogMessage
    | TelemetryMessage
    | LockMessage
    | ButtonMessage
    | OverloadMessage
    | DeviceFaultMessage
    | CrashMessage
    | RefusedMessage
)


def view(message: Message) -> McuMessage:
    """The typed view of a checked message of the MCU."""
    return _VIEWS[message[0]](message)


def _hello(m: Message) -> McuHello:
    reset_cause = name_in(catalogue.RESET_NAMES, m[9])
    return McuHello((m[1], m[2]), m[3], m[4], m[5].hex(), m[6], m[7], m[8], reset_cause, m[10], m[11])


def _status(m: Message) -> McuStatus:
    ports = tuple(PortStatus(CpState(m[at]), *m[at + 1 : at + 6]) for at in (6, 12))
    return McuStatus(m[1], m[2], m[3], m[4], m[5], ports)


def _cp_state(m: Message) -> CpStateMessage:
    return CpStateMessage(m[1], m[2], CpState(m[3]), CpState(m[4]), m[5], m[6])


def _relay(m: Message) -> RelayMessage:
    return RelayMessage(m[1], m[2], m[3], name_in(catalogue.OPEN_NAMES, m[4]))


def _telemetry(m: Message) -> TelemetryMessage:
    fields = catalogue.CATALOGUE[m[0]][3]
    return TelemetryMessage({field[0]: value for field, value in zip(fields, m[1:], strict=True)})


def _device_fault(m: Message) -> DeviceFaultMessage:
    return DeviceFaultMessage(m[1], name_in(catalogue.DEVICE_FAULT_NAMES, m[2]), m[3])


def _crash(m: Message) -> CrashMessage:
    return CrashMessage(m[1], m[2], name_in(catalogue.RESET_NAMES, m[3]), *m[4:7])


_VIEWS: dict[int, Callable[[Message], McuMessage]] = {
    catalogue.HELLO: _hello,
    catalogue.STATUS: _status,
    catalogue.CP_STATE: _cp_state,
    catalogue.RELAY_STATE: _relay,
    catalogue.FAULT: lambda m: FaultMessage(*m[1:]),
    catalogue.LOG: lambda m: LogMessage(m[1], name_in(catalogue.LOG_NAMES, m[2]), m[3]),
    catalogue.TELEMETRY: _telemetry,
    catalogue.TEMPERATURES: _telemetry,
    catalogue.LOCK_STATE: lambda m: LockMessage(m[1], m[2], LockState(m[3])),
    catalogue.BUTTON: lambda m: ButtonMessage(*m[1:]),
    catalogue.OUTPUT_OVERLOAD: lambda m: OverloadMessage(*m[1:]),
    catalogue.DEVICE_FAULT: _device_fault,
    catalogue.CRASH: _crash,
    catalogue.REFUSED: lambda m: RefusedMessage(catalogue.name_of(m[1]), m[2]),
}
