"""The unit tests of `protocol` and `mcu` once more, file by file, on a real MicroPython (unix port)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vsecc_sim.mcu.interpreter import Interpreter, find_micropython

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_file.py")
FILES = sorted(ROOT.glob("tests/unit/protocol/test_*.py")) + sorted(ROOT.glob("tests/unit/mcu/test_*.py"))
FILES.remove(ROOT / "tests/unit/mcu/test_soak.py")  # longer, in test_soak.py
PATHS = [str(ROOT / name) for name in ("", "protocol", "tests")]
# The files are compiled on the fly here, which the target never does; test_target.py holds the program to the
# target's heap.
HEAP = "heapsize=2m"
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def micropython() -> Interpreter:
    """The interpreter, or a skip that says how to get one."""
    found = find_micropython()
    if found is None:
        pytest.skip(
            "no MicroPython here: set MICROPYTHON, install `micropython`, or run `vsecc sim mcu` once"
        )
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_file_passes_on_micropython(micropython: Interpreter, path: Path) -> None:
    module = ".".join(path.relative_to(ROOT / "tests").with_suffix("").parts)
    argv = micropython.argv("-X", HEAP, str(RUNNER), module, *PATHS)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.startswith("ok ")
