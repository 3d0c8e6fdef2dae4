"""Our requests: one in flight, the most urgent first, the newest target wins, a bounded number of retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Any

from vsecc_host.pep.codec import shown
from vsecc_host.pep.messages import (
    ChargingState,
    ContactorsStatus,
    ErrorCategory,
    Kind,
    Message,
    MessageType,
    request,
)
from vsecc_host.pep.sequence import SequenceCounter
from vsecc_host.pep.times import CLOSE_RETRY_S, CLOSE_WINDOW_S, REQUEST_TIMEOUT_S

TRIES_UNANSWERED = 3
TRIES_REFUSED = {"before": 2, "target": 3, "switch": 4}  # by format, generic or internal


class Slot(IntEnum):
    """What can wait to be sent, the most urgent first; of each only the newest waits."""

    RESET = 0
    OPEN = 1
    CLOSE = 2
    CABLE_CHECK = 3
    TARGET = 4
    CONFIGURATION = 5


KINDS = {
    Slot.RESET: Kind.RESET,
    Slot.OPEN: Kind.CONTACTORS_STATUS,
    Slot.CLOSE: Kind.CONTACTORS_STATUS,
    Slot.CABLE_CHECK: Kind.CABLE_CHECK,
    Slot.TARGET: Kind.TARGET_VALUES,
    Slot.CONFIGURATION: Kind.CONFIGURATION,
}

# A request that makes others pointless: what still waits of them is never sent.
_SUPERSEDES = {
    Slot.RESET: (Slot.OPEN, Slot.CLOSE, Slot.CABLE_CHECK, Slot.TARGET),
    Slot.OPEN: (Slot.CLOSE, Slot.CABLE_CHECK, Slot.TARGET),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that waits or is in flight; `cause` belongs to whoever traces, nothing here reads it."""

    slot: Slot
    payload: Mapping[str, Any]
    cause: int
    since: float  # first asked
    not_before: float = 0.0

    @property
    def energising(self) -> bool:
        """Whether it turns something on."""
        return self.slot in (Slot.CLOSE, Slot.CABLE_CHECK) or (
            self.slot is Slot.TARGET and self.payload["chargingState"] != ChargingState.POST_CHARGE
        )


class Verdict(Enum):
    """What became of a request."""

    ACCEPTED = "accepted"
    RETRIED = "refused or unanswered, asked again"
    FAILED = "refused or unanswered for good"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one try; `category` None with FAILED or RETRIED: no answer."""

    ask: Ask
    verdict: Verdict
    payload: Mapping[str, Any] = field(default_factory=dict)
    category: ErrorCategory | None = None
    details: str = ""

    @property
    def expected(self) -> bool:
        """On the way to standby every request is refused; that a way out is, changes nothing."""
        return not self.ask.energising and self.category is ErrorCategory.INOPERATIVE

    def text(self) -> str:
        """For logs and for the person who asks why."""
        kind = KINDS[self.ask.slot]
        if self.category is None:
            return f"no answer to {kind}"
        return (
            f"{kind} refused, {self.category}: {self.details}"
            if self.details
            else f"{kind} refused, {self.category}"
        )


class Requests:
    """Queue and flight of one connection; a new connection begins a new object."""

    def __init__(self) -> None:
        self._counter = SequenceCounter()
        self._waiting: dict[Slot, Ask] = {}
        self._pending: Ask | None = None
        self._number = 0
        self._until = 0.0
        self._failures: dict[Slot, int] = {}  # in a row

    def ask(self, slot: Slot, payload: Mapping[str, Any], now: float, cause: int = 0) -> None:
        """Send as soon as its turn comes; an unsent one of the same slot is forgotten."""
        self._waiting[slot] = Ask(slot, payload, cause, now)
        self.drop(*_SUPERSEDES.get(slot, ()))

    def drop(self, *slots: Slot) -> None:
        """Forget what waits in these slots; what is in flight stays."""
        for slot in slots:
            self._waiting.pop(slot, None)
            self._failures.pop(slot, None)

    def drop_energising(self) -> None:
        """Forget whatever waits and would turn something on."""
        self.drop(*(slot for slot, ask in self._waiting.items() if ask.energising))

    def asked(self, slot: Slot) -> bool:
        """Whether such a request waits or is in flight."""
        return slot in self._waiting or (self._pending is not None and self._pending.slot is slot)

    def next(self, now: float) -> tuple[Message, Ask] | None:
        """What goes on the wire now, if anything; it is in flight from here on."""
        if self._pending is not None:
            return None
        for slot in sorted(self._waiting):
            ask = self._waiting[slot]
            if ask.not_before <= now:
                del self._waiting[slot]
                self._pending, self._number = ask, self._counter.next()
                self._until = now + REQUEST_TIMEOUT_S
                return request(KINDS[slot], self._number, ask.payload), ask
        return None

    def next_deadline(self) -> float | None:
        """When `tick` or `next` has something to do."""
        if self._pending is not None:
            return self._until
        return min((ask.not_before for ask in self._waiting.values()), default=None)

    def tick(self, now: float) -> Outcome | None:
        """The answer did not come in time."""
        if self._pending is None or now < self._until:
            return None
        return self._failed(now, None, "")

    def reply(self, message: Message, now: float) -> Outcome | None:
        """An answer; None when nobody waits for this one: late, unknown or of another kind."""
        ask = self._match(message)
        if ask is None:
            return None
        if message.type is MessageType.ERROR:
            category = ErrorCategory(message.payload["errorCategory"])
            return self._failed(now, category, shown(message.payload["errorDetails"], quoted=False))
        self._pending = None
        self._failures.pop(ask.slot, None)
        return Outcome(ask, Verdict.ACCEPTED, message.payload)

    def faulty_reply(self, number: int, details: str, now: float) -> Outcome | None:
        """An answer nobody can read; if it bears the number in flight, the request failed by format."""
        if self._pending is None or number != self._number:
            return None
        return self._failed(now, ErrorCategory.FORMAT, details)

    def _match(self, message: Message) -> Ask | None:
        if self._pending is None:
            return None
        if message.type is MessageType.ERROR:
            return self._pending if message.sequence_number in (0, self._number) else None
        fits = message.sequence_number == self._number and message.kind == KINDS[self._pending.slot]
        return self._pending if fits else None

    def _failed(self, now: float, category: ErrorCategory | None, details: str) -> Outcome:
        ask = self._pending
        assert ask is not None
        self._pending = None
        self._failures[ask.slot] = self._failures.get(ask.slot, 0) + 1
        if ask.slot in self._waiting:  # a newer one of its kind goes instead
            again = self._failures[ask.slot] < _tries(ask, category)
        else:
            again = self._retry(ask, category, now)
        if not again:
            self.drop(ask.slot)
        return Outcome(ask, Verdict.RETRIED if again else Verdict.FAILED, {}, category, details)

    def _retry(self, ask: Ask, category: ErrorCategory | None, now: float) -> bool:
        if self._pointless(ask.slot):
            return False
        if ask.slot is Slot.CLOSE and category is ErrorCategory.INTERNAL:
            if now >= ask.since + CLOSE_WINDOW_S:
                return False
            self._waiting[ask.slot] = replace(ask, not_before=now + CLOSE_RETRY_S)
            return True
        if self._failures[ask.slot] >= _tries(ask, category):
            return False
        self._waiting[ask.slot] = replace(ask, not_before=now)
        return True

    def _pointless(self, slot: Slot) -> bool:
        return any(slot in _SUPERSEDES.get(other, ()) for other in self._waiting)


def _tries(ask: Ask, category: ErrorCategory | None) -> int:
    """How often the same may fail in a row before it is given up."""
    if category is None:
        return TRIES_UNANSWERED
    if category in (ErrorCategory.INOPERATIVE, ErrorCategory.VALUE):
        return 1
    if ask.slot in (Slot.RESET, Slot.OPEN):
        return TRIES_REFUSED["switch"]
    if ask.slot is Slot.TARGET and ask.payload["chargingState"] != ChargingState.PRE_CHARGE:
        return TRIES_REFUSED["target"]
    return TRIES_REFUSED["before"]


def contactors_payload(closed: bool) -> dict[str, Any]:
    """Payload of contactorsStatus."""
    return {"contactorsStatus": ContactorsStatus.CLOSED if closed else ContactorsStatus.OPEN}
