"""Fuzz target of what reads files from elsewhere: firmware ELFs and crash reports."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from mcu import crash
from vsecc_mcu.elf import BadElf, read

FILE = Path(tempfile.mkdtemp(prefix="vsecc-fuzz-")) / "firmware.elf"
COUNT = 2_000


def one_input(data: bytes) -> None:
    """Refusals are fine, anything else that escapes is not."""
    FILE.write_bytes(data)
    try:
        firmware = read(FILE)
    except BadElf:
        pass
    else:
        for symbol in firmware.symbols[:4]:
            firmware.place(symbol.address).describe()
    report = crash.parse(data[:2000].decode("latin-1"))
    assert report is None or len(report) == 3


def inputs() -> Iterator[bytes]:
    """A real ELF, damaged in its head or anywhere, some cut short."""
    content, chance = Path("/bin/true").read_bytes(), random.Random(1)
    for number in count():
        data = bytearray(content)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(64 if number % 2 else len(data))] = chance.randrange(256)
        yield bytes(data[: chance.randrange(len(data))] if number % 5 == 0 else data)
