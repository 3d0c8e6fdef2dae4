"""Numbers of a command line, as `type` of an argument: another text is refused in one line, exit status 2."""

from __future__ import annotations

from argparse import ArgumentTypeError

LARGEST = 1e9


def _between(text: str, low: float, high: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {what}") from None
    if not low <= value <= high:  # not a number compares false
        raise ArgumentTypeError(f"{text!r} is not {what}")
    return value


def seconds(text: str) -> float:
    """A time from 0 on."""
    return _between(text, 0.0, LARGEST, "a time in seconds")


def percent(text: str) -> float:
    """A state of charge."""
    return _between(text, 0.0, 100.0, "from 0 to 100 %")


def watt_hours(text: str) -> float:
    """The size of a battery that can hold anything."""
    return _between(text, 1.0, LARGEST, "a battery of at least 1 Wh")


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or not 1 <= int(text[:10]) <= LARGEST:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
