"""Fuzz target of the MCU's calibration file: only CalibrationError escapes, what is accepted packs again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from fuzz.runner import mutations

from mcu import calibration
from mcu.boards import reference

COUNT = 20_000
_TAIL = 4


def one_input(data: bytes) -> None:
    """The bytes as a file, and once more with a checksum that fits them."""
    for content in (data, data + struct.pack("<I", zlib.crc32(data))):
        try:
            values = calibration.unpack(content, "reference")
        except calibration.CalibrationError:
            continue
        assert calibration.unpack(calibration.pack(values, "reference"), "reference") == values


def inputs() -> Iterator[bytes]:
    """Mutations of a good file without its checksum."""
    return mutations([calibration.pack(calibration.defaults(reference), "reference")[:-_TAIL]])
