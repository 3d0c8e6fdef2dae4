"""What `inject` is asked to send: a message by name and fields, raw bytes, or a fault of the line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from vsecc_link import cbor, envelope, frame
from vsecc_link import messages as catalogue
from vsecc_uart.naming import names_of
from vsecc_uart.values import Message

_IDS = {row[0]: message_id for message_id, row in catalogue.CATALOGUE.items()}


class BadInjection(ValueError):
    """Not a message as asked for; one line that says what would fit."""


def message_of(name: str, assignments: Sequence[str]) -> Message:
    """The message of `NAME field=value ...`, values by number or by name; unchecked against ranges."""
    message_id = _IDS.get(name.upper())
    if message_id is None:
        near = difflib.get_close_matches(name.upper(), list(_IDS), n=1)
        raise BadInjection(f"no message {name}" + (f"; is it {near[0]}?" if near else f"; {', '.join(_IDS)}"))
    fields = catalogue.CATALOGUE[message_id][3]
    given: dict[str, str] = {}
    for assignment in assignments:
        field, sign, value = assignment.partition("=")
        if not sign or field in given:
            raise BadInjection(f"{assignment}: expected field=value, each field once")
        given[field] = value
    known = [row[0] for row in fields]
    wrong = sorted(set(given) ^ set(known))
    if wrong:
        kind = "missing" if wrong[0] in known else "unknown"
        raise BadInjection(
            f"{name.upper()}: {kind} {', '.join(wrong)}; its fields are {', '.join(known) or '-'}"
        )
    return (message_id, *(_value(name.upper(), row[0], row[1], given[row[0]]) for row in fields))


def _value(message: str, field: str, kind: int, text: str) -> Any:
    if kind == catalogue.TEXT:
        return text
    try:
        if kind == catalogue.BYTES:
            return bytes.fromhex(text)
        if kind == catalogue.BOOL:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        return _number(message, field, text)
    except (ValueError, KeyError):
        wanted = {catalogue.BYTES: "hexadecimal bytes", catalogue.BOOL: "yes or no"}.get(kind, "a number")
        values, bits = names_of(message, field)
        names = f" or {', '.join(values)}" if values else f" or {'+'.join(bits)}" if bits else ""
        raise BadInjection(f"{field}={text}: expected {wanted}{names}") from None


def _number(message: str, field: str, text: str) -> int:
    values, bits = names_of(message, field)
    if values and text.lower() in [name.lower() for name in values]:
        return [name.lower() for name in values].index(text.lower())
    if bits and all(part in bits for part in text.split("+")):
        return sum(1 << bits.index(part) for part in set(text.split("+")))
    return int(text, 0)


def payload_of(message: Message, *, raw: bool) -> bytes:
    """CBOR of a message; without `raw` BadInjection for what the catalogue does not allow a host."""
    if raw:
        try:
            payload = bytes(cbor.encode(message))
        except cbor.CborError as error:
            raise BadInjection(str(error)) from error
        if len(payload) > frame.PAYLOAD_MAX:
            raise BadInjection(f"{len(payload)} bytes do not fit into a frame")
        return payload
    try:
        return bytes(envelope.pack(message, envelope.HOST))
    except ValueError as error:
        raise BadInjection(f"{error}; --raw sends it nevertheless") from error


def permits_relays(message: Message) -> bool:
    """True for a GRANT that would let a relay close."""
    return bool(message[0] == catalogue.GRANT and message[2])


def travels_cyclic(name: str) -> bool:
    """True for a message that is never acknowledged."""
    return bool(catalogue.CATALOGUE[_IDS[name.upper()]][2] == catalogue.CYCLIC)
