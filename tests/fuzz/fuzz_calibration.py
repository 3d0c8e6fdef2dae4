"""Fuzz target of the MCU's calibration file: only CalibrationError escapes, what is accepted packs again.

Coverage-guided with atheris where it is installed, else random mutations of a good file:
python tests/fuzz/fuzz_calibration.py
"""

from __future__ import annotations

import random
import struct
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "protocol")]

try:
    import atheris
except ImportError:
    atheris = None

from mcu import calibration  # noqa: E402
from mcu.boards import reference  # noqa: E402

RUNS_WITHOUT_ATHERIS = 20_000
_TAIL = 4


def one_input(data: bytes) -> None:
    """The bytes as a file, and once more with a checksum that fits them."""
    for content in (data, data + struct.pack("<I", zlib.crc32(data))):
        try:
            values = calibration.unpack(content, "reference")
        except calibration.CalibrationError:
            continue
        assert calibration.unpack(calibration.pack(values, "reference"), "reference") == values


def run_without_atheris(runs: int) -> int:
    """Mutations of a good file without its checksum."""
    rng = random.Random(1)
    seed = calibration.pack(calibration.defaults(reference), "reference")[:-_TAIL]
    for _ in range(runs):
        data = bytearray(seed)
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data) + 1)]
        try:
            one_input(bytes(data))
        except Exception as error:
            print(f"{type(error).__name__}: {error}\ninput: {data.hex()}", file=sys.stderr)
            return 1
    print(f"{runs} inputs, nothing escaped")
    return 0


def main() -> int:
    """Run under atheris when it is there."""
    if atheris is None:
        return run_without_atheris(RUNS_WITHOUT_ATHERIS)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
