"""What the PECC may expect of a SECC: every rule the conduct checker knows, with its source.

Clauses: chapters of PEP-WS 1.8; "guide": the document leaves it open, docs/pep.md decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """Broken rules fail a run; advice is told."""

    RULE = "rule"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of conduct."""

    clause: str
    text: str
    weight: Weight = Weight.RULE


_A = Weight.ADVICE

RULES: dict[str, Rule] = {
    "valid-message": Rule(
        "messages, JSON schemas", "every message fits the schema of the negotiated version"
    ),
    "text-frames": Rule("transport", "one JSON object per text frame, no binary frames"),
    "right-direction": Rule("messages", "only messages a SECC may send"),
    "one-in-flight": Rule("requests", "the next request only after the reply, or 500 ms without one"),
    "number-step": Rule(
        "sequence numbers", "each request is numbered one above the one before, 1 after 2147483647"
    ),
    "number-range": Rule("sequence numbers", "a request is never numbered 0"),
    "number-start": Rule("guide", "the first request of a connection is numbered 1", _A),
    "answers": Rule("requests", "a request of the PECC is answered within 500 ms"),
    "no-idle-answers": Rule("requests", "responses and errors only to a request that waits for one"),
    "no-pings": Rule("transport", "the SECC does not ping; status shows that the PECC lives"),
    "unresponsive": Rule("timing", "a sign of life at least every 5 s"),
    "one-connection": Rule("guide", "no second connection to a charge point"),
    "reconnect": Rule("timing", "at most one connection attempt in 10 s", _A),
    "subprotocol": Rule("transport", "the handshake offers pep and a version"),
    "configuration": Rule("charging sequence", "configuration is requested once before contactors close"),
    "reset-first": Rule(
        "guide", "a new connection begins with reset when the last one broke while energised"
    ),
    "integers": Rule("floatValues", "whole numbers while floatValues is not true"),
    "state-told": Rule("evConnectionState", "the connection state is told after connecting", _A),
    "vehicle-id": Rule("evConnectionState", "vehicleId only together with connected"),
    "close-allowed": Rule(
        "CP/PP supervision", "contactors are closed only while the supervision input permits energy"
    ),
    "close-announced": Rule(
        "charging sequence", "contactors are closed only while energyTransferAllowed is told", _A
    ),
    "close-operative": Rule("inoperative", "no closing, test or target while the status shows inoperative"),
    "check-closed": Rule("charging sequence", "cableCheck only when the status shows closed contactors"),
    "check-voltage": Rule("guide", "cableCheck asks for a voltage the configuration allows", _A),
    "check-first": Rule("charging sequence", "preCharge only after a cableCheck of this session"),
    "check-valid": Rule("isolationStatus", "preCharge only after a valid isolation result of this very test"),
    "warning-goes": Rule(
        "isolationStatus", "charging with isolationStatus warning is the operator's choice", _A
    ),
    "phase-order": Rule(
        "charging sequence", "preCharge, then charge, then postCharge; a new start after reset"
    ),
    "targets-closed": Rule("charging sequence", "targets only while contactors are closed"),
    "voltage-limit": Rule("configuration", "targetVoltage within limitVoltageMin and limitVoltageMax"),
    "current-limit": Rule("configuration", "targetCurrent at most limitCurrentMax"),
    "power-limit": Rule("configuration", "measured voltage times targetCurrent at most limitPowerMax"),
    "post-charge-zero": Rule("charging sequence", "postCharge asks for 0 V and 0 A"),
    "zero-first": Rule("S9", "current is commanded to zero before contactors open, where nothing forbids it"),
    "reset-at-end": Rule("charging sequence", "each session ends with reset"),
    "stop-on-fault": Rule(
        "S9", "within 2 s of inoperative, isolation fault or silence the SECC asks for zero, open or reset"
    ),
    "stop-followed": Rule("stopCharging", "a session ends within 60 s of stopCharging", _A),
    "session-known": Rule("chargingSession", "limits of the EV are told before contactors close", _A),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: when, what exactly, and the frames it shows in."""

    at: float
    point: int
    rule: str
    text: str
    frames: tuple[str, ...] = ()

    @property
    def weight(self) -> Weight:
        """Of its rule."""
        return RULES[self.rule].weight

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"

    def as_json(self, began_at: float) -> dict[str, object]:
        """Row of a report; its time counts from `began_at`, as on the screen."""
        rule = RULES[self.rule]
        return {
            "at_s": round(self.at - began_at, 3),
            "charge_point": self.point,
            "rule": self.rule,
            "weight": rule.weight.value,
            "clause": rule.clause,
            "says": rule.text,
            "found": self.text,
            "frames": list(self.frames),
        }
