"""The terminals of the device as power electronics see them: identifiers, values, who wrote an output last.

Written, `d1`..`d16` are outputs; read, `d1`..`d8`, `a1`, `a2`, `t1`..`t9` and `tr1`..`tr9` are inputs.
Pure: readings come in with `heard`, what the outputs shall be goes out with `take`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from math import sqrt
from typing import Literal

OUTPUT_COUNT, DIGITAL_COUNT, ANALOG_COUNT, TEMPERATURE_COUNT = 16, 8, 2, 9
ALL_OUTPUTS = (1 << OUTPUT_COUNT) - 1
READING_OLD_S = 1.0  # telemetry comes every 200 ms
OFF_AFTER_S = 5.0  # without the power electronics that wrote an output
DECIMALS = 2
MAX_SHOWN = 40  # characters of a foreign identifier in our answer

R0_OHM = 1000.0  # PT1000, IEC 60751
PT_A, PT_B, PT_C = 3.9083e-3, -5.775e-7, -4.183e-12
PT_RANGE_C = (-200.0, 850.0)


class TerminalError(Exception):
    """Why nothing was read or written; `category` is that of the PEP answer."""

    def __init__(self, category: Literal["value", "internal"], text: str) -> None:
        super().__init__(text)
        self.category = category


class Conversion(StrEnum):
    """How a PT1000's resistance becomes a temperature."""

    ORIGINAL = "Original"  # 0.29 R - 295, as vSECC 1.2.0: -5 degrees at 0, 107 at 100
    IEC60751 = "IEC60751"  # Callendar-Van Dusen


class Terminals:
    """One device: shared by all outlets, the last writer wins."""

    def __init__(self, conversion: Conversion = Conversion.ORIGINAL, *, hold: bool = False) -> None:
        self._celsius = _CONVERSIONS[conversion]
        self._hold = hold
        self._readings: Mapping[str, int] = {}
        self._heard_at: float | None = None
        self._mcu_up = False
        self._values = 0
        self._writer: dict[int, int] = {}  # output bit -> outlet that wrote it last
        self._off_at: dict[int, float] = {}  # outlet whose power electronics are gone -> when
        self._out: list[tuple[int, int]] = []

    @property
    def outputs(self) -> int:
        """What the outputs shall be, bit 0 is d1."""
        return self._values

    # --- the MCU ----------------------------------------------------------------------------------------

    def mcu_up(self) -> None:
        """A new session with the MCU, whose outputs are 0: they are told again."""
        self._mcu_up = True
        self._out.append((ALL_OUTPUTS, self._values))

    def mcu_lost(self) -> None:
        """Nothing can be read or written."""
        self._mcu_up, self._heard_at = False, None

    def heard(self, readings: Mapping[str, int], now: float) -> None:
        """Newest telemetry by catalogue name."""
        self._readings, self._heard_at = readings, now

    def take(self) -> list[tuple[int, int]]:
        """Changes of the outputs as (mask, values) since the last call."""
        out, self._out = self._out, []
        return out

    # --- the power electronics --------------------------------------------------------------------------

    def connected(self, outlet: int) -> None:
        """The power electronics of an outlet are there."""
        self._off_at.pop(outlet, None)

    def disconnected(self, outlet: int, now: float) -> None:
        """They are gone: what they wrote goes to 0 after OFF_AFTER_S, unless outputs are held."""
        if not self._hold and outlet in self._writer.values():
            self._off_at.setdefault(outlet, now + OFF_AFTER_S)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        return min(self._off_at.values(), default=None)

    def tick(self, now: float) -> None:
        """Outputs whose writer is gone for long enough go to 0."""
        for outlet in [outlet for outlet, at in self._off_at.items() if at <= now]:
            del self._off_at[outlet]
            mask = sum(1 << bit for bit, writer in self._writer.items() if writer == outlet)
            self._writer = {bit: writer for bit, writer in self._writer.items() if writer != outlet}
            self._set(mask, 0)

    def read(self, identifiers: Iterable[str], now: float) -> dict[str, float]:
        """Values by identifier, all of them or TerminalError."""
        wanted = list(dict.fromkeys(identifiers))
        for identifier in wanted:
            if identifier not in _INPUTS:
                raise TerminalError("value", f"no input {identifier[:MAX_SHOWN]!r}")
        if self._heard_at is None or now > self._heard_at + READING_OLD_S:
            raise TerminalError("internal", "inputs cannot be read")
        return {identifier: self._value(identifier) for identifier in wanted}

    def _value(self, identifier: str) -> float:
        name, convert = _INPUTS[identifier]
        if name not in self._readings or not self._was_read(identifier):
            raise TerminalError("internal", f"input {identifier} cannot be read")
        raw = self._readings[name]
        return self._celsius(raw / 1000) if convert is None else convert(raw)

    def _was_read(self, identifier: str) -> bool:
        """False for a temperature channel nobody has read since the start; open and shorted ones were."""
        if not identifier.startswith("t"):
            return True
        masks = ("sensors_valid", "sensors_open", "sensors_short")
        return any(self._readings.get(mask, 0) >> int(identifier[-1]) - 1 & 1 for mask in masks)

    def write(self, outlet: int, values: Mapping[str, object]) -> None:
        """Set outputs on behalf of an outlet's power electronics, all of them or TerminalError."""
        mask = bits = 0
        for identifier, value in values.items():
            if identifier not in _OUTPUTS:
                raise TerminalError("value", f"no output {identifier[:MAX_SHOWN]!r}")
            if isinstance(value, bool) or not isinstance(value, int | float) or value not in (0, 1):
                raise TerminalError("value", f"{identifier} can be 0 or 1")
            mask |= _OUTPUTS[identifier]
            bits |= _OUTPUTS[identifier] if value == 1 else 0
        if mask and not self._mcu_up:
            raise TerminalError("internal", "outputs cannot be written")
        self._writer |= {bit: outlet for bit in range(OUTPUT_COUNT) if mask >> bit & 1}
        self._set(mask, bits)

    def _set(self, mask: int, bits: int) -> None:
        if mask:
            self._values = self._values & ~mask | bits
            self._out.append((mask, bits))


def _original_c(ohm: float) -> float:
    return round(0.29 * ohm - 295.0, DECIMALS)


def _iec60751_c(ohm: float) -> float:
    """Inverse of the Callendar-Van Dusen equation; a short or open sensor reads as the end of its range."""
    ratio = ohm / R0_OHM
    root = PT_A * PT_A - 4 * PT_B * (1 - ratio)
    celsius = (sqrt(root) - PT_A) / (2 * PT_B) if root >= 0 else PT_RANGE_C[1]
    if celsius < 0:
        for _ in range(4):  # Newton; the cubic term matters below 0 degrees only
            wrong = 1 + celsius * (PT_A + celsius * (PT_B + PT_C * (celsius - 100) * celsius)) - ratio
            slope = PT_A + celsius * (2 * PT_B + PT_C * celsius * (4 * celsius - 300))
            celsius -= wrong / slope
    return round(min(max(celsius, PT_RANGE_C[0]), PT_RANGE_C[1]), DECIMALS)


_CONVERSIONS: dict[Conversion, Callable[[float], float]] = {
    Conversion.ORIGINAL: _original_c,
    Conversion.IEC60751: _iec60751_c,
}

_Convert = Callable[[int], float]


def _bit(index: int) -> _Convert:
    return lambda raw: raw >> index & 1


def _thousandth(raw: int) -> float:
    return round(raw / 1000, DECIMALS)


def _inputs() -> dict[str, tuple[str, _Convert | None]]:
    """Identifier -> catalogue name and conversion; None: by the chosen Conversion."""
    table: dict[str, tuple[str, _Convert | None]] = {}
    table |= {f"d{n + 1}": ("digital_inputs", _bit(n)) for n in range(DIGITAL_COUNT)}
    table |= {f"a{n}": (f"analog{n}_mv", _thousandth) for n in range(1, ANALOG_COUNT + 1)}
    table |= {f"t{n}": (f"resistance{n}_mohm", None) for n in range(1, TEMPERATURE_COUNT + 1)}
    table |= {f"tr{n}": (f"resistance{n}_mohm", _thousandth) for n in range(1, TEMPERATURE_COUNT + 1)}
    return table


_INPUTS = _inputs()
_OUTPUTS = {f"d{n + 1}": 1 << n for n in range(OUTPUT_COUNT)}
