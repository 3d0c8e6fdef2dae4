"""What a setting is: an OCPP component/variable with type, bounds, default and when a change acts. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

Value = str | int | float | bool

MAX_TEXT = 2500  # OCPP 2.0.1: ValueSize of an attribute
MAX_INTEGER = 2**53  # beyond it a JSON reader elsewhere may round


class Kind(Enum):
    """Data types of OCPP 2.0.1 that occur here."""

    TEXT = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    OPTION = "OptionList"
    MEMBERS = "MemberList"  # comma separated, each one of `allowed`


class Mutability(Enum):
    """Who may write; read-only ones still take a value from the factory file."""

    READ_ONLY = "ReadOnly"
    READ_WRITE = "ReadWrite"
    WRITE_ONLY = "WriteOnly"


class Acts(Enum):
    """When a changed value takes effect."""

    NOW = "now"
    NEXT_SESSION = "next session"
    RESTART = "restart"


class Scope(Enum):
    """How many copies there are."""

    STATION = "station"
    EVSE = "evse"
    CONNECTOR = "connector"


class Key(NamedTuple):
    """Full address of one value; `evse` and `connector` count from 1."""

    component: str
    instance: str | None
    evse: int | None
    connector: int | None
    variable: str
    variable_instance: str | None

    def __str__(self) -> str:
        component = f"{self.component}.{self.instance}" if self.instance else self.component
        variable = f"{self.variable}#{self.variable_instance}" if self.variable_instance else self.variable
        place = f"evse.{self.evse}." if self.evse is not None else ""
        return f"{place}{component}/{variable}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One declaration; `default` may contain {serial} and {evse}."""

    component: str
    variable: str
    kind: Kind
    default: Value
    description: str
    acts: Acts
    scope: Scope = Scope.STATION
    instance: str | None = None
    variable_instance: str | None = None
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str = ""  # of a text, as a whole
    form: str = ""  # the pattern in words
    mutability: Mutability = Mutability.READ_WRITE
    secret: bool = False

    def keys(self, evses: int) -> list[Key]:
        """Addresses of every copy of this variable at a station with so many outlets, one connector each."""
        numbers: list[int | None] = [None] if self.scope is Scope.STATION else list(range(1, evses + 1))
        connector = 1 if self.scope is Scope.CONNECTOR else None
        return [
            Key(self.component, self.instance, evse, connector, self.variable, self.variable_instance)
            for evse in numbers
        ]

    def parse(self, raw: object) -> Value:
        """The value in its type, from JSON, TOML or OCPP text; ValueError says in one line what is wrong."""
        value = _READERS[self.kind](raw)
        if isinstance(value, str):
            self._check_text(value)
        elif not isinstance(value, bool):
            self._check_range(value)
        return value

    def _check_text(self, value: str) -> None:
        if len(value) > MAX_TEXT:
            raise ValueError(f"longer than {MAX_TEXT} characters")
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError(f"{value!r} holds half a character")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} is not {self.form}")
        words = value.split(",") if self.kind is Kind.MEMBERS else [value]
        for word in words if self.allowed else ():
            if word not in self.allowed:
                raise ValueError(f"{word!r} is not one of {', '.join(self.allowed)}")

    def _check_range(self, value: float) -> None:
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"{value:g} is below {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"{value:g} is above {self.maximum:g}")


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"{raw!r} is not a text")
    return raw


def _members(raw: object) -> str:
    parts = raw if isinstance(raw, list) else _text(raw).split(",")
    return ",".join(_text(part).strip() for part in parts)


def _integer(raw: object) -> int:
    if isinstance(raw, str):
        raw = int(raw) if raw.strip().lstrip("+-").isdigit() else raw
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(f"{raw!r} is not a whole number")
    if abs(raw) > MAX_INTEGER:
        raise ValueError("too large a number")
    return raw


def _decimal(raw: object) -> float:
    try:
        value = math.nan if isinstance(raw, bool) else float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{raw!r} is not a number")
    return value


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    raise ValueError(f"{raw!r} is neither true nor false")


_READERS: dict[Kind, Callable[[object], Value]] = {
    Kind.TEXT: _text,
    Kind.OPTION: _text,
    Kind.MEMBERS: _members,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
}
