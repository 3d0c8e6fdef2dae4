"""JSON text <-> PEP messages, the same for both ends; pure.

`decode` raises PepError for whatever the schemas of the negotiated version refuse; the error knows whether it
is answered and how (PEP-WS, chapter on errors). Members nobody declared are dropped, `600.0` is an integer,
`true` is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil, floor, isfinite
from sys import float_info
from typing import Any, NoReturn, TypeGuard

from vsecc_host.pep.messages import (
    ERROR_FIELDS,
    MAX_NUMBER,
    End,
    ErrorCategory,
    Field,
    Kind,
    Layout,
    Message,
    MessageType,
    Rounding,
    Shape,
    error,
    layout_of,
)
from vsecc_host.pep.versions import PepVersion

MAX_MESSAGE_SIZE = 256 * 1024  # bytes; a getInput naming every terminal a thousand times fits
MAX_DETAIL = 200  # characters of a foreign text in our own words
UNREADABLE_NUMBER = 0  # sequenceNumber of an error whose request's own could not be read


class PepError(Exception):
    """A message that cannot be accepted; `about` is its type as far as it could be read."""

    def __init__(
        self,
        category: ErrorCategory,
        details: str,
        kind: str = Kind.ERROR,
        sequence_number: int = UNREADABLE_NUMBER,
        about: MessageType | None = None,
    ) -> None:
        super().__init__(f"{category}: {details}")
        self.category = category
        self.details = details
        self.kind = kind
        self.sequence_number = sequence_number
        self.about = about

    @property
    def answer(self) -> Message | None:
        """What the sender is told; None where nothing may be sent: only requests are answered."""
        if self.about in (MessageType.RESPONSE, MessageType.ERROR, MessageType.INFO):
            return None
        return error(self.kind, self.sequence_number, self.category, self.details)


# --- reading ------------------------------------------------------------------------------------------------


def decode(text: str | bytes, version: PepVersion, receiver: End) -> Message:
    """The message in one WebSocket frame, checked against `version`; PepError for anything else."""
    fields = _object(text)
    number = _sequence_number(fields)
    type_ = _type(fields, number)
    kind = fields.get("kind")
    if type_ is MessageType.ERROR:
        return _error(fields, kind, number)
    layout = layout_of(type_, kind) if isinstance(kind, str) else None
    if layout is None or not version.has(layout.feature):
        _refuse(f"no {type_} of kind {shown(kind)} in PEP {version.text}", Kind.ERROR, number, type_)
    if type_ is not MessageType.INFO and number is None:
        _refuse("sequenceNumber must be an integer from 0 to 2147483647", layout.kind, number, type_)
    if layout.sender == receiver:
        raise PepError(
            ErrorCategory.GENERIC,
            f"{type_} {layout.kind} is for the other end",
            layout.kind,
            number or UNREADABLE_NUMBER,
            type_,
        )
    return Message(
        type=type_,
        kind=layout.kind,
        sequence_number=None if type_ is MessageType.INFO else number,
        payload=_payload(fields, layout, version, number),
    )


def _object(text: str | bytes) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE_SIZE:
        _refuse(f"{len(text)} bytes; at most {MAX_MESSAGE_SIZE} are read", Kind.ERROR, None, None)
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        _refuse(f"not JSON: {shown(str(problem), quoted=False)}", Kind.ERROR, None, None)
    if not isinstance(value, dict):
        _refuse("not a JSON object", Kind.ERROR, None, None)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _sequence_number(fields: Mapping[str, Any]) -> int | None:
    number = fields.get("sequenceNumber")
    if _is_number(number) and number == int(number) and 0 <= number <= MAX_NUMBER:
        return int(number)
    return None


def _type(fields: Mapping[str, Any], number: int | None) -> MessageType:
    name = fields.get("type")
    if not isinstance(name, str) or name not in set(MessageType):
        _refuse(f"no message type {shown(name)}", Kind.ERROR, number, None)
    return MessageType(name)


def _error(fields: Mapping[str, Any], kind: object, number: int | None) -> Message:
    """An error may carry any kind: the published list of kinds is older than some requests."""
    if not isinstance(kind, str) or number is None:
        _refuse("error without kind or number", Kind.ERROR, number, MessageType.ERROR)
    payload = fields.get("payload")
    if not isinstance(payload, dict):
        _refuse("error without payload", kind, number, MessageType.ERROR)
    values = _members(payload, ERROR_FIELDS, PepVersion.V1_8, kind, number, MessageType.ERROR)
    return Message(type=MessageType.ERROR, kind=kind, sequence_number=number, payload=values)


def _payload(
    fields: Mapping[str, Any], layout: Layout, version: PepVersion, number: int | None
) -> dict[str, Any]:
    if "payload" not in fields:
        _refuse("payload is missing", layout.kind, number, layout.type)
    payload = fields["payload"]
    members = layout.members(version)
    if not isinstance(payload, dict):
        if members:
            _refuse("payload must be an object", layout.kind, number, layout.type)
        return {}  # the schemas of empty payloads constrain nothing
    return _members(payload, members, version, layout.kind, number, layout.type)


def _members(
    payload: Mapping[str, Any],
    members: tuple[Field, ...],
    version: PepVersion,
    kind: str,
    number: int | None,
    type_: MessageType,
) -> dict[str, Any]:
    values = {}
    for member in members:
        if member.name not in payload:
            if member.required:
                _refuse(f"{member.name} is missing", kind, number, type_)
            continue
        value = payload[member.name]
        problem = _problem(member, value, version)
        if problem:
            _refuse(f"{member.name}: {problem}", kind, number, type_)
        values[member.name] = member.spellings.get(value, value) if member.values else value
    return values


def _problem(member: Field, value: object, version: PepVersion) -> str:
    """What is wrong with a value; empty if nothing."""
    return _PROBLEMS[member.shape](member, value, version)


def _number_problem(member: Field, value: Any, version: PepVersion) -> str:
    if not _is_number(value):
        return f"{shown(value)} is no number"
    if (member.low is not None and value < member.low) or (member.high is not None and value > member.high):
        return f"{shown(value)} is not in {member.low}..{member.high}"
    return ""


def _string_problem(member: Field, value: object, version: PepVersion) -> str:
    if not isinstance(value, str):
        return f"{shown(value)} is no string"
    if member.values is None or value in member.spellings:
        return ""
    feature = member.value_features.get(value)
    if value not in set(member.values) or (feature is not None and not version.has(feature)):
        return f"{shown(value)} is not one of its values"
    return ""


def _boolean_problem(member: Field, value: object, version: PepVersion) -> str:
    return "" if isinstance(value, bool) else f"{shown(value)} is no boolean"


def _strings_problem(member: Field, value: object, version: PepVersion) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ""
    return "must be an array of strings"


def _object_problem(member: Field, value: object, version: PepVersion) -> str:
    return "" if isinstance(value, dict) else "must be an object"


_PROBLEMS: dict[Shape, Callable[[Field, Any, PepVersion], str]] = {
    Shape.NUMBER: _number_problem,
    Shape.STRING: _string_problem,
    Shape.BOOLEAN: _boolean_problem,
    Shape.STRINGS: _strings_problem,
    Shape.OBJECT: _object_problem,
}


def _is_number(value: object) -> TypeGuard[int | float]:
    """A JSON number that fits a float; 1e999 reads as infinity and is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -float_info.max <= value <= float_info.max


def shown(value: object, quoted: bool = True) -> str:
    """A foreign value for logs and answers: short, one line, nothing unprintable."""
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge integer"
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    text = repr(value[:MAX_DETAIL] if isinstance(value, str) else value)
    return text if quoted or not isinstance(value, str) else text[1:-1]


def _refuse(details: str, kind: str, number: int | None, about: MessageType | None) -> NoReturn:
    raise PepError(ErrorCategory.FORMAT, details, kind, number or UNREADABLE_NUMBER, about)


# --- writing ------------------------------------------------------------------------------------------------


def encode(message: Message) -> str:
    """One line of JSON; ValueError for NaN and infinity. `fit` makes the payload what a peer expects."""
    fields: dict[str, Any] = {"type": message.type, "kind": message.kind}
    if message.sequence_number is not None:
        fields["sequenceNumber"] = message.sequence_number
    fields["payload"] = {name: _plain(value) for name, value in message.payload.items()}
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))


def fit(message: Message, version: PepVersion, *, integers: bool) -> Message:
    """The message as a peer of `version` expects it: no newer members, whole numbers in integer mode."""
    layout = layout_of(message.type, message.kind)
    if layout is None:
        return message
    known = {member.name: member for member in layout.members(version)}
    payload = {
        name: _whole(value, known[name].rounding) if integers and known[name].shape is Shape.NUMBER else value
        for name, value in message.payload.items()
        if name in known
    }
    return replace(message, payload=payload)


def fractions(message: Message) -> list[str]:
    """Declared numbers that are not whole: worth a log line where the peer promised integers."""
    layout = layout_of(message.type, message.kind)
    numbers = {member.name for member in layout.fields if member.shape is Shape.NUMBER} if layout else set()
    return [name for name, value in message.payload.items() if name in numbers and value != int(value)]


def _whole(value: float, rounding: Rounding) -> int:
    """In integer mode: a limit never grows, a measurement moves by half a unit at most."""
    if rounding is Rounding.NEAREST:
        return round(value)
    outwards = (rounding is Rounding.AWAY_FROM_ZERO) == (value > 0)
    return ceil(value) if outwards else floor(value)


def _plain(value: Any) -> Any:
    """600 rather than 600.0."""
    return int(value) if isinstance(value, float) and isfinite(value) and value == int(value) else value
