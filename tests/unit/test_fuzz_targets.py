"""Every fuzz target for a moment, without atheris; and proof that the engine reports what a target finds."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fuzz import engine, json_tree

ROOT = Path(__file__).parents[2]
SECONDS = 0.5


@pytest.mark.parametrize("name", engine.names())
def test_target_holds(name: str) -> None:
    target = engine.load(name)
    seeds = list(target.seeds())
    assert seeds
    assert all(len(seed) <= engine.max_len(target) for seed in seeds), "libFuzzer would cut them"
    assert engine.at_random(target, SECONDS, random.Random(7)) > len(seeds)


def target(one_input: Any, **more: Any) -> Any:
    return SimpleNamespace(one_input=one_input, seeds=lambda: [b"seed"], **more)


def test_an_input_that_fails_is_shown() -> None:
    def refuse(data: bytes) -> None:
        assert data == b"seed"

    with pytest.raises(AssertionError) as raised:
        engine.at_random(target(refuse), 5.0, random.Random(1))
    (note,) = raised.value.__notes__
    assert re.fullmatch(r"input: ([0-9a-f]{2})*", note)
    assert bytes.fromhex(note.removeprefix("input: ")) != b"seed"


def test_inputs_stay_within_the_longest() -> None:
    seen: list[int] = []
    engine.at_random(target(lambda data: seen.append(len(data)), MAX_LEN=6), 0.2, random.Random(1))
    assert max(seen) == 6 and min(seen) == 0


def test_a_tree_is_bent_behind_its_prefix() -> None:
    rng, seen = random.Random(1), set()
    for _ in range(500):
        data = json_tree.bent(b'\3{"evse": 1, "inputs": {"d1": true}}', rng)
        assert data is None or data[:1] == b"\3"
        seen.add(data)
    assert len(seen) > 150
    assert json_tree.bent(b"no tree", rng) is None


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tests/fuzz", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_command_runs_targets_in_processes_of_their_own(tmp_path: Path) -> None:
    done = run("urls", "calibration", "--seconds", "1", "--corpus", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(\w+): .*\d+ .*inputs", done.stdout, re.MULTILINE) in (
        ["urls", "calibration"],
        ["calibration", "urls"],
    )


def test_command_names_the_targets_there_are() -> None:
    assert run("--list").stdout.split() == engine.names()
    done = run("nothing")
    assert done.returncode == 2
    assert "no target nothing" in done.stderr


def test_every_target_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "fuzzing.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE)) == engine.names()
