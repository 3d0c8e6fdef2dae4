"""Fuzzing of what reads files from elsewhere: firmware ELFs and crash reports.

`python tests/fuzz/fuzz_mcu_tools.py`. Without atheris: a seeded random run of the same target on a real ELF.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), *(str(ROOT / name) for name in ("protocol", "host", "tools"))]

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports():
        from mcu import crash
        from vsecc_mcu.elf import BadElf, read
else:
    from mcu import crash
    from vsecc_mcu.elf import BadElf, read

FILE = Path(tempfile.mkdtemp(prefix="vsecc-fuzz-")) / "firmware.elf"
RUNS_WITHOUT_ATHERIS = 2_000


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


def main() -> int:
    """Run it."""
    if atheris is not None:
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
        return 0
    content, chance = Path("/bin/true").read_bytes(), random.Random(1)
    for number in range(RUNS_WITHOUT_ATHERIS):
        data = bytearray(content)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(64 if number % 2 else len(data))] = chance.randrange(256)
        one_input(bytes(data[: chance.randrange(len(data))] if number % 5 == 0 else data))
    print(f"{RUNS_WITHOUT_ATHERIS} inputs, nothing escaped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
