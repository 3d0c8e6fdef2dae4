"""Files of the controller that come from elsewhere: firmware ELFs and crash reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuzz import engine

from mcu import crash
from vsecc_mcu.elf import BadElf, read

MAX_LEN = 1 << 16
FILE = engine.scratch() / "firmware.elf"


def seeds() -> Iterator[bytes]:
    """A real ELF, its head, a report."""
    content = Path("/bin/true").read_bytes()
    yield content
    yield content[:1024]
    yield b'3 7200000\nTraceback (most recent call last):\n  File "x.py", line 1\nlast messages: GRANT'


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
