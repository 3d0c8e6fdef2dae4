"""How a field reads to a person: the catalogue's names for its numbers, its unit, bits by name.

The catalogue says which numbers are allowed; which of its name lists belongs to which field is said here.
A field without a row is shown as its number, so that a newer catalogue is still readable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from vsecc_link import messages as catalogue

PATTERN_NAMES = ("off", "green flashing", "green", "red flashing", "red")
_RELAYS = ("REL1", "REL2", "REL3")
_SENSORS = tuple(f"T{number}" for number in range(1, 10))
_OUTPUTS = tuple(f"OUT{number}" for number in range(1, 17))
_INPUTS = tuple(f"IN{number}" for number in range(1, 9))
_SWITCHES = tuple(f"DIP{number}" for number in range(1, 5))

# (message or "*", field as a pattern) -> names of its values
VALUES: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("*", r"cp\d_state", catalogue.CP_NAMES),
    ("CP_STATE", r"state|previous", catalogue.CP_NAMES),
    ("SET_PILOT", r"mode", catalogue.PILOT_NAMES),
    ("RELAY_STATE", r"reason", catalogue.OPEN_NAMES),
    ("FAULT", r"fault", catalogue.FAULT_NAMES),
    ("DEVICE_FAULT", r"device_fault", catalogue.DEVICE_FAULT_NAMES),
    ("*", r"reset_cause", catalogue.RESET_NAMES),
    ("*", r"lock\d?_state", catalogue.LOCK_NAMES),
    ("LOG", r"level", catalogue.LOG_NAMES),
    ("SET_LED", r"pattern", PATTERN_NAMES),
)
# ... of its bits, bit 0 first
BITS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("*", r"cp\d_faults", catalogue.FAULT_NAMES),
    ("STATUS", r"relays_closed|relays_driven", _RELAYS),
    ("GRANT", r"relays", _RELAYS),
    ("*", r"device_faults", catalogue.DEVICE_FAULT_NAMES),
    ("TEMPERATURES", r"sensors_\w+", _SENSORS),
    ("*", r"outputs|output_overloads|overloads", _OUTPUTS),
    ("TELEMETRY", r"digital_inputs", _INPUTS),
    ("TELEMETRY", r"dip_switches", _SWITCHES),
)
HEX_FIELDS = frozenset({"catalogue_crc", "boot_id", "mask", "values", "confirm", "image_sha256"})
UNITS = {
    "mv": "mV",
    "us": "µs",
    "ms": "ms",
    "hz": "Hz",
    "kib": "KiB",
    "permille": "‰",
    "percent": "%",
    "mohm": "mΩ",
    "ohm": "Ω",
    "ma": "mA",
    "s": "s",
    "c": "°C",
}


def unit_of(field: str) -> str:
    """Unit of a field by the suffix of its name; empty when it has none."""
    head, _, suffix = field.rpartition("_")
    return UNITS.get(suffix, "") if head else ""


def _row(table: tuple[tuple[str, str, Sequence[str]], ...], message: str, field: str) -> Sequence[str] | None:
    for whose, pattern, names in table:
        if whose in ("*", message) and re.fullmatch(pattern, field):
            return names
    return None


_found: dict[tuple[str, str], tuple[Sequence[str] | None, Sequence[str] | None]] = {}


def names_of(message: str, field: str) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """(names of values, names of bits) of a field."""
    key = (message, field)
    if key not in _found:
        _found[key] = (_row(VALUES, message, field), _row(BITS, message, field))
    return _found[key]


def name_of_value(message: str, field: str, value: Any) -> str | None:
    """What the number stands for; None where it stands for itself."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    if field == "message_id":
        return str(catalogue.name_of(value))
    values, bits = names_of(message, field)
    if values is not None and 0 <= value < len(values):
        return values[value]
    if bits is not None:
        return bit_names(value, bits)
    return None


def bit_names(value: int, names: Sequence[str]) -> str:
    """Names of the bits that are set, `-` for none."""
    found = [names[bit] if bit < len(names) else f"bit{bit}" for bit in range(16) if value >> bit & 1]
    return "+".join(found) or "-"


def text_of(message: str, field: str, value: Any) -> str:
    """A value as it stands in a line."""
    name = name_of_value(message, field, value)
    if name is not None:
        return f'"{name}"' if " " in name else name
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return value.hex() or "-"
    if isinstance(value, str):
        return '"' + printable(value) + '"'
    return f"{value:#x}" if field in HEX_FIELDS else str(value)


def printable(text: str) -> str:
    """Text from the line that cannot move the cursor or colour the screen."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
