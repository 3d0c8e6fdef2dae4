"""The fuzz runner: every target holds for a moment, and what escapes one is told with its input."""

from __future__ import annotations

import importlib
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from fuzz import runner

FOLDER = Path(__file__).parents[1] / "fuzz"
TARGETS = sorted(path.stem for path in FOLDER.glob("fuzz_*.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_holds_on_its_first_inputs(name: str) -> None:
    target = importlib.import_module(f"fuzz.{name}")
    assert runner.holds(target.one_input, islice(target.inputs(), min(10, target.COUNT)))


def test_what_escapes_is_told_with_its_input(capsys: pytest.CaptureFixture[str]) -> None:
    def one_input(data: bytes) -> None:
        if b"\x07" in data:
            raise KeyError("seven")

    assert not runner.holds(one_input, [b"\x01", b"\x06\x07", b"\x08"])
    assert "KeyError: 'seven'\ninput: 0607" in capsys.readouterr().err


def test_mutations_differ_from_their_seeds_and_repeat_themselves() -> None:
    first = list(islice(runner.mutations([bytes(30), b"abc"]), 50))
    assert first == list(islice(runner.mutations([bytes(30), b"abc"]), 50))
    assert len(set(first)) > 45
    assert max(map(len, first)) == 30


def test_the_command_names_its_targets() -> None:
    done = subprocess.run([sys.executable, str(FOLDER), "no"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name.removeprefix("fuzz_") in done.stderr for name in TARGETS)
