"""`--filter`: which records to show. `CP_STATE or port==1`, `not (ack or STATUS)`, `bad and from==mcu`.

    filter  = and-part { "or" and-part }
    and-part = test { "and" test }
    test    = "not" test | "(" filter ")" | WORD [ OPERATOR VALUE ]
    OPERATOR = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~"          ~ : contains, upper and lower case alike

A WORD alone: a message of the catalogue, a kind of frame, a mark, a reason, `bad gap note frame host mcu`.
Before an operator: a field of the catalogue, or one of `from kind message number ack session bytes text`.
A record that has no such field fits no comparison with it, `!=` included.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable
from typing import Any

from vsecc_link import frame
from vsecc_link import messages as catalogue
from vsecc_uart.naming import name_of_value
from vsecc_uart.show import describe
from vsecc_uart.values import MARKS, REASONS, SENDERS, BadRecord, FrameRecord, GapRecord, NoteRecord, Record

Predicate = Callable[[Record], bool]

# More is a mistake or an attack on the parser's stack.
LENGTH_MAX = 1000
_DEPTH_MAX = 40

_TOKEN = re.compile(
    r"\s*(?:(?P<op>==|!=|<=|>=|<|>|~|=)|(?P<paren>[()])|(?P<text>\"[^\"]*\"|'[^']*')|(?P<word>[\w.+-]+))"
)
_MESSAGES = {row[0] for row in catalogue.CATALOGUE.values()}
_FIELDS = {field[0] for row in catalogue.CATALOGUE.values() for field in row[3]}
_OWN_FIELDS = {"from", "kind", "message", "number", "ack", "session", "bytes", "text", "reason"}
_KINDS = set(frame.KIND_NAMES)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class BadFilter(ValueError):
    """The text is no filter; one line that shows where and what would fit."""


def compile_filter(text: str) -> Predicate:
    """The filter as a function; BadFilter names the place of a mistake."""
    if not text.strip():
        return lambda record: True
    if len(text) > LENGTH_MAX:
        raise BadFilter(f"filter: longer than {LENGTH_MAX} characters")
    parser = _Parser(text)
    found = parser.any_of()
    parser.end()
    return found


class _Parser:
    """Recursive descent over the tokens; each method returns the predicate of its rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise self._error(at, f"unexpected {text[at]!r}")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match.group(kind), match.start(kind)))
            at = match.end()
        self._next = 0
        self._depth = 0

    def any_of(self) -> Predicate:
        """Parts joined by `or`."""
        parts = [self._all_of()]
        while self._word_is("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def end(self) -> None:
        """Nothing may be left."""
        if self._next < len(self._tokens):
            _, token, at = self._tokens[self._next]
            raise self._error(at, f"expected `and`, `or` or the end, not {token}")

    def _all_of(self) -> Predicate:
        parts = [self._test()]
        while self._word_is("and"):
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _test(self) -> Predicate:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise BadFilter(f"filter: nested more than {_DEPTH_MAX} deep")
        try:
            if self._word_is("not"):
                part = self._test()
                return lambda record: not part(record)
            kind, token, at = self._take("a message, field or `(`")
            if token == "(" and kind == "paren":
                found = self.any_of()
                _, token, at = self._take("`)`")
                if token != ")":
                    raise self._error(at, f"expected `)`, not {token}")
                return found
            if kind != "word" or token in ("and", "or"):
                raise self._error(at, f"expected a message, field or `(`, not {token}")
            return self._word_test(token, at)
        finally:
            self._depth -= 1

    def _word_test(self, word: str, at: int) -> Predicate:
        if self._next < len(self._tokens) and self._tokens[self._next][0] == "op":
            _, sign, sign_at = self._take("an operator")
            if sign == "=":
                raise self._error(sign_at, "`=` is no comparison; use `==`")
            kind, token, value_at = self._take(f"a value after {sign}")
            if kind not in ("word", "text"):
                raise self._error(value_at, f"expected a value, not {token}")
            return self._comparison(word, at, sign, token, value_at)
        return self._alone(word, at)

    def _alone(self, word: str, at: int) -> Predicate:
        upper, lower = word.upper(), word.lower()
        if upper in _MESSAGES:
            return lambda record: isinstance(record, FrameRecord) and record.name == upper
        if lower in _KINDS:
            return lambda record: isinstance(record, FrameRecord) and record.kind == lower
        if lower in MARKS:
            return lambda record: isinstance(record, FrameRecord) and lower in record.marks
        if lower in REASONS:
            return lambda record: isinstance(record, BadRecord) and record.reason == lower
        if lower in SENDERS:
            return lambda record: record.sender == lower
        kinds: dict[str, type] = {
            "bad": BadRecord,
            "gap": GapRecord,
            "note": NoteRecord,
            "frame": FrameRecord,
        }
        if lower in kinds:
            wanted = kinds[lower]
            return lambda record: isinstance(record, wanted)
        if word in _FIELDS | _OWN_FIELDS:
            raise self._error(at, f"{word} is a field: compare it, as in {word}==1")
        known = _MESSAGES | _KINDS | set(MARKS) | set(REASONS) | set(SENDERS) | set(kinds)
        raise self._error(at, f"no message or word {word}{_nearest(word, known)}")

    def _comparison(self, field: str, at: int, sign: str, token: str, value_at: int) -> Predicate:
        if field not in _FIELDS | _OWN_FIELDS:
            raise self._error(at, f"no field {field}{_nearest(field, _FIELDS | _OWN_FIELDS)}")
        text = token[1:-1] if token[:1] in "\"'" else token
        if sign == "~":
            wanted = text.lower()
            return lambda record: any(wanted in str(value).lower() for value in _values(record, field))
        number = _number(text)
        if sign not in ("==", "!=") and number is None:
            raise self._error(value_at, f"{sign} compares numbers, not {token}")
        compare = _COMPARE[sign]

        def fits(record: Record) -> bool:
            values = _values(record, field)
            if not values:
                return False
            if sign in ("==", "!="):
                equal = any(_same(value, text, number) for value in values)
                return equal is (sign == "==")
            return any(not isinstance(value, (str, bytes)) and compare(value, number) for value in values)

        return fits

    def _word_is(self, word: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next][:2] == ("word", word):
            self._next += 1
            return True
        return False

    def _take(self, wanted: str) -> tuple[str, str, int]:
        if self._next == len(self._tokens):
            raise self._error(len(self._text), f"ends where {wanted} is expected")
        self._next += 1
        return self._tokens[self._next - 1]

    def _error(self, at: int, problem: str) -> BadFilter:
        return BadFilter(f"filter: {problem} (character {at + 1} of {self._text!r})")


def _nearest(word: str, known: set[str]) -> str:
    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1)
    return f"; is it {by_lower[near[0]]}?" if near else ""


def _number(text: str) -> float | int | None:
    if text.lower() in ("true", "yes", "false", "no"):
        return int(text.lower() in ("true", "yes"))
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _same(value: Any, text: str, number: float | None) -> bool:
    if isinstance(value, str):
        return value.lower() == text.lower()
    if isinstance(value, bytes):
        return value.hex() == text.lower()
    return number is not None and bool(value == number)


def _values(record: Record, field: str) -> list[Any]:
    """What a field holds, as it is and by name; empty when the record has no such field."""
    if isinstance(record, FrameRecord):
        values = record.fields()
        if field in values:
            name = name_of_value(record.name, field, values[field])
            return [values[field]] if name is None else [values[field], name]
    return _own(record, field)


def _own(record: Record, field: str) -> list[Any]:
    if field == "from":
        return [record.sender] if record.sender else []
    if field == "text":
        return [describe(record)]
    if isinstance(record, NoteRecord | GapRecord):
        return []
    if field == "bytes":
        return [len(record.raw)]
    if isinstance(record, BadRecord):
        return [record.reason] if field == "reason" else []
    own = {
        "kind": record.kind,
        "message": record.name,
        "number": record.number,
        "ack": record.ack,
        "session": record.session,
    }
    return [own[field]] if field in own else []
