"""The MCU's calibration file: only CalibrationError escapes, what is accepted packs again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from mcu import calibration
from mcu.boards import reference

MAX_LEN = 512
_TAIL = 4


def seeds() -> Iterator[bytes]:
    """A good file without its checksum, and with it."""
    content = calibration.pack(calibration.defaults(reference), "reference")
    yield content[:-_TAIL]
    yield content


def one_input(data: bytes) -> None:
    """The bytes as a file, and once more with a checksum that fits them."""
    for content in (data, data + struct.pack("<I", zlib.crc32(data))):
        try:
            values = calibration.unpack(content, "reference")
        except calibration.CalibrationError:
            continue
        assert calibration.unpack(calibration.pack(values, "reference"), "reference") == values
