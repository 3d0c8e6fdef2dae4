"""Physical values of DIN 70121 and ISO 15118-2: 16-bit value x 10^multiplier, multiplier -3..3."""

from __future__ import annotations

from math import floor, isfinite

SHORT_MAX = 32767
SHORT_MIN = -32768
_LOWEST, _HIGHEST = -3, 3
_POWERS = {m: 10.0**m for m in range(_LOWEST, _HIGHEST + 1)}
_LEAST, _MOST = SHORT_MIN * _POWERS[_HIGHEST], SHORT_MAX * _POWERS[_HIGHEST]
_EPSILON = 1e-6  # of one step: 0.3 * 1000 is 299.99999999999994 and means 300


def scaled(value: float) -> tuple[int, int]:
    """(multiplier, value): smallest multiplier that fits, rounded down, clamped; 0 if not finite."""
    if not isfinite(value):
        return _LOWEST, 0
    value = min(max(value, _LEAST), _MOST)
    for multiplier in range(_LOWEST, _HIGHEST + 1):
        number = floor(value * _POWERS[-multiplier] + _EPSILON)
        if SHORT_MIN <= number <= SHORT_MAX:
            return multiplier, number
    raise AssertionError("clamped values fit the highest multiplier")


def amount(multiplier: int, value: int) -> float:
    """The number a physical value stands for; exact for whole steps, so that 3985 x 10^-1 is 398.5."""
    if multiplier < 0:
        return value / _POWERS[-multiplier]
    return value * _POWERS[multiplier]
