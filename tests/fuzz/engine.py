"""Runs one fuzz target: under atheris, guided by coverage, or with random mutations of its seeds.

A target is a module `fuzz_NAME.py` with `one_input(data)`, which raises when something is wrong, `seeds()`,
good inputs to begin with, and where the default does not fit `MAX_LEN`, the longest input in bytes.
`JSON = True`: inputs are JSON, perhaps behind a prefix, and are also bent as trees; bytes changed at random
hardly ever leave a document that parses.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from fuzz import json_tree

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
OWN_PACKAGES = ("vsecc_link", "mcu", "vsecc_host", "vsecc_sim", "vsecc_uart", "vsecc_mcu", "vsecc_cli")
MAX_LEN = 4096
SLOWEST_INPUT_S = 30  # with room for a busy machine; a loop that never ends is found all the same
MEMORY_MIB = 2048
_scratch: list[tempfile.TemporaryDirectory[str]] = []


def names() -> list[str]:
    """Every target."""
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


def load(name: str) -> ModuleType:
    """The module of a target."""
    return importlib.import_module(f"fuzz.fuzz_{name}")


def scratch() -> Path:
    """A folder for what a target has to hand over as a file; gone when the process ends in good order."""
    folder = tempfile.TemporaryDirectory(prefix="vsecc-fuzz-")
    _scratch.append(folder)
    return Path(folder.name)


def max_len(target: ModuleType) -> int:
    """Longest input worth trying, in bytes."""
    return getattr(target, "MAX_LEN", MAX_LEN)


def guided(name: str, corpus: Path, seconds: int, options: Sequence[str]) -> None:
    """Coverage-guided by atheris, which ends the process: 0 when nothing was found.

    Inputs that reached something new are kept in `corpus`/NAME, one that failed beside them as crash-*.
    """
    import atheris

    tempfile.tempdir = str(emptied(corpus / name / "scratch"))  # atheris ends without tidying up
    with atheris.instrument_imports(include=list(OWN_PACKAGES)):
        target = load(name)
    found = corpus / name / "found"
    found.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={max_len(target)}",
        f"-timeout={SLOWEST_INPUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={corpus / name}/",
        "-print_final_stats=1",
        *options,
        str(found),
        str(write_seeds(target, corpus / name / "seeds")),
    ]
    more = {"custom_mutator": _bend_or_mutate} if is_json(target) else {}
    atheris.Setup([name, *arguments], target.one_input, **more)
    atheris.Fuzz()


def is_json(target: ModuleType) -> bool:
    """Its inputs are worth bending as trees."""
    return getattr(target, "JSON", False)


def _bend_or_mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Mutator for atheris; its own, atheris.Mutate, does not work inside another (3.0.0)."""
    rng = random.Random(seed)
    bent = json_tree.bent(data, rng) if rng.random() < 0.7 else None
    return mutated([data], rng, longest) if bent is None else bent[:longest]


def emptied(folder: Path) -> Path:
    """The folder, there and with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_seeds(target: ModuleType, folder: Path) -> Path:
    """The seeds of a target as files, those of an older version removed."""
    emptied(folder)
    for seed in target.seeds():
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    return folder


def at_random(target: ModuleType, seconds: float, rng: random.Random) -> int:
    """Seeds, then mutations of them; how many. Raises what the target raised, the input in a note."""
    seeds = list(target.seeds())
    for seed in seeds:
        tried(target.one_input, seed)
    end, count = time.monotonic() + seconds, len(seeds)
    while time.monotonic() < end:
        data = mutated(seeds, rng, max_len(target))
        if is_json(target) and rng.random() < 0.7:
            data = json_tree.bent(rng.choice(seeds), rng) or data
        tried(target.one_input, data)
        count += 1
    return count


def tried(one_input: Callable[[bytes], None], data: bytes) -> None:
    """One input; what it raises says which one it was."""
    try:
        one_input(data)
    except Exception as error:
        error.add_note(f"input: {data.hex()}")
        raise


def mutated(seeds: Sequence[bytes], rng: random.Random, longest: int) -> bytes:
    """A seed with some of it flipped, replaced, cut, doubled or spliced with another; or noise."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(longest))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        at, kind = rng.randrange(len(data) + 1), rng.randrange(8)
        if kind < 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind < 4 and at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 4:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 5:
            del data[at : at + rng.randint(1, 16)]
        elif kind == 6:
            data[at:at] = data[at : at + rng.randint(1, 64)]
        elif rng.random() < 0.5:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other) + 1) :]
        else:
            del data[at:]
    return bytes(data[:longest])


def arrange_path() -> None:
    """A bare checkout will do."""
    for folder in reversed(("tests", ".", "protocol", "host", "tools")):
        sys.path.insert(0, str(ROOT / folder))
