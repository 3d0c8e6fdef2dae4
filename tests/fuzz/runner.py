"""How every fuzz target is run: by atheris where it is installed, else on the target's own seeded inputs.

A target is a module `fuzz_NAME` with `one_input(data)`, which lets nothing escape, `inputs()`, an endless
generator, and `COUNT` of them where there is no atheris.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

try:
    import atheris
except ImportError:
    atheris = None


def random_bytes(longest: int, seed: int = 1) -> Iterator[bytes]:
    """Endless inputs without any form."""
    source = random.Random(seed)
    while True:
        yield source.randbytes(source.randrange(longest))


def mutations(seeds: Sequence[bytes], seed: int = 1) -> Iterator[bytes]:
    """Endless good inputs with up to five bytes of each written over, some cut short."""
    source = random.Random(seed)
    while True:
        data = bytearray(source.choice(seeds))
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        yield bytes(data[: source.randrange(len(data) + 1)] if source.random() < 0.3 else data)


def holds(one_input: Callable[[bytes], None], inputs: Iterable[bytes]) -> bool:
    """False, with error and input on stderr, as soon as something escapes."""
    count = 0
    for data in inputs:
        try:
            one_input(data)
        except Exception as error:
            print(f"{type(error).__name__}: {error}\ninput: {data.hex()}", file=sys.stderr)
            return False
        count += 1
    print(f"{count} inputs, nothing escaped")
    return True


def fuzz(name: str, options: Sequence[str]) -> int:
    """Runs one target, guided by coverage where that can be had; exit status 1 when something escapes."""
    seconds = float(options[1]) if options[:1] == ["--random"] else None
    if seconds is not None or atheris is None:
        if seconds is None:
            print("atheris is not installed: seeded inputs instead of guided ones", file=sys.stderr)
        target = importlib.import_module(f"fuzz.fuzz_{name}")
        inputs = (
            islice(target.inputs(), target.RUNS) if seconds is None else _lasting(target.inputs(), seconds)
        )
        return 0 if holds(target.one_input, inputs) else 1
    with atheris.instrument_imports():
        target = importlib.import_module(f"fuzz.fuzz_{name}")
    atheris.Setup([name, *options], target.one_input)
    atheris.Fuzz()
    return 0


def _lasting(inputs: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(inputs)
