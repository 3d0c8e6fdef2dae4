"""What can go wrong with a simulated PECC, as one table: scenarios, control API and documents read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """What a fault touches."""

    POWER = "power"
    STATUS = "status"
    REPLY = "reply"
    REQUEST = "request"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One fault; `once`: it happens at the moment it is asked for and needs no end."""

    where: Where
    what: str
    once: bool = False
    value: float | None = None  # what `value` means is in `what`; None: takes none


_P, _S, _R, _Q, _L = Where.POWER, Where.STATUS, Where.REPLY, Where.REQUEST, Where.LINE

FAULTS: dict[str, FaultKind] = {
    "inoperative": FaultKind(_P, "output off, contactors open, operationalStatus inoperative until healed"),
    "isolation-warning": FaultKind(_P, "the isolation monitor finds a warning"),
    "isolation-fault": FaultKind(_P, "the isolation monitor finds a fault"),
    "isolation-never": FaultKind(_P, "the isolation test never ends"),
    "no-imd": FaultKind(_S, "isolationStatus noImd (legal up to 1.6)"),
    "stale-valid": FaultKind(_S, "isolationStatus stays valid over reset and while a new test runs"),
    "contactor-stuck": FaultKind(_P, "contactors stay as they are"),
    "contactor-stuck-open": FaultKind(_P, "contactors do not close"),
    "contactor-stuck-closed": FaultKind(_P, "contactors do not open, whatever drives them"),
    "contactor-drops": FaultKind(_P, "contactors open by themselves", once=True),
    "over-temperature": FaultKind(_P, "the temperature sensor shows 130 C"),
    "derated": FaultKind(_P, "limitPowerMax falls to `value` of the rating", value=0.25),
    "voltage-limit": FaultKind(_P, "limitVoltageMax falls to `value` V", value=300.0),
    "no-output": FaultKind(_P, "the converter delivers nothing"),
    "too-much": FaultKind(_S, "measured voltage and current read `value` times too high", value=1.5),
    "supervision-denied": FaultKind(_P, "the supervision input reads open, whatever is wired to it"),
    "silent": FaultKind(_L, "not a frame any more; TCP stays open"),
    "status-stopped": FaultKind(_S, "no status; requests are answered"),
    "status-slow": FaultKind(_S, "a status every `value` s", value=0.9),
    "status-garbage": FaultKind(_S, "every status is no JSON"),
    "status-nan": FaultKind(_S, "NaN in every status"),
    "status-incomplete": FaultKind(_S, "every status lacks contactorsStatus"),
    "status-wrong-type": FaultKind(_S, "measuredVoltage is a string in every status"),
    "status-unknown-kind": FaultKind(_S, "every status is of kind telemetry"),
    "status-extra": FaultKind(_S, "members nobody declared in every status (legal)"),
    "flood": FaultKind(_S, "`value` status messages every 10 ms", value=20.0),
    "event-flood": FaultKind(_S, "`value` event messages every 10 ms", value=20.0),
    "reply-dropped": FaultKind(_R, "requests are carried out and never answered"),
    "reply-late": FaultKind(_R, "every reply takes `value` s", value=0.8),
    "reply-wrong-number": FaultKind(_R, "replies carry another sequenceNumber"),
    "reply-wrong-kind": FaultKind(_R, "replies carry another kind"),
    "reply-twice": FaultKind(_R, "every reply comes twice"),
    "reply-to-nothing": FaultKind(_R, "a response nobody asked for", once=True),
    "reply-garbage": FaultKind(_R, "replies are no JSON"),
    "reply-format": FaultKind(_R, "every request is refused: format"),
    "reply-value": FaultKind(_R, "every request is refused: value"),
    "reply-inoperative": FaultKind(_R, "every request is refused: inoperative"),
    "reply-internal": FaultKind(_R, "every request is refused: internal"),
    "reply-generic": FaultKind(_R, "every request is refused: generic"),
    "value-error": FaultKind(_R, "every targetValues is refused: valueError, as older texts spell it"),
    "configuration-bad": FaultKind(_R, "the configuration lacks limitVoltageMax"),
    "stop-charging": FaultKind(_Q, "request stopCharging", once=True),
    "get-nonsense": FaultKind(_Q, "request getInput of an unknown terminal", once=True),
    "malformed-request": FaultKind(_Q, "a request that is no JSON", once=True),
    "two-requests": FaultKind(_Q, "two requests at once", once=True),
    "tcp-reset": FaultKind(_L, "the connection is reset", once=True),
    "closed": FaultKind(_L, "the connection is closed in good order", once=True),
    "half-open": FaultKind(_L, "neither reads nor writes any more, TCP stays open; healed by a reset"),
    "refused": FaultKind(_L, "connection reset, new ones refused (HTTP 503) until healed"),
    "slow-handshake": FaultKind(_L, "connection reset, new handshakes take `value` s", value=8.0),
    "wrong-subprotocol": FaultKind(
        _L, "connection reset, new handshakes answer a subprotocol nobody offered"
    ),
    "no-subprotocol": FaultKind(_L, "connection reset, new handshakes choose no subprotocol (legal)"),
    "binary": FaultKind(_L, "every frame is binary"),
    "huge-frame": FaultKind(_L, "one frame of 10 MB", once=True),
    "deep-json": FaultKind(_L, "one frame of 100,000 brackets", once=True),
}


class UnknownFault(ValueError):
    """No such fault, or a value that does not belong to it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to switch on or off; `value` where its kind takes one, None for the usual one."""

    name: str
    active: bool = True
    value: float | None = None

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise UnknownFault(f"no fault {self.name}; there are {', '.join(sorted(FAULTS))}")
        if self.value is not None and kind.value is None:
            raise UnknownFault(f"{self.name} takes no value")
        if self.value is not None and not 0.0 <= self.value <= 1e6:
            raise UnknownFault(f"{self.name}: value {self.value:g} is not between 0 and 1000000")


class ActiveFaults:
    """Faults of one charge point that last, with their values."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names(self) -> list[str]:
        """Active faults, sorted."""
        return sorted(self._values)

    def switch(self, fault: Fault) -> None:
        """On or off; a fault that happens once leaves nothing behind."""
        kind = FAULTS[fault.name]
        if kind.once:
            return
        if not fault.active:
            self._values.pop(fault.name, None)
        else:
            self._values[fault.name] = fault.value if fault.value is not None else kind.value or 0.0

    def value(self, name: str) -> float:
        """Value of an active fault."""
        return self._values[name]
