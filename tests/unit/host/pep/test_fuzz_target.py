"""The fuzz target itself, for a moment."""

from __future__ import annotations

import random

from fuzz import fuzz_pep
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_input_raises(data: bytes) -> None:
    fuzz_pep.one_input(data)


def test_long_scripts_raise_nothing() -> None:
    source = random.Random(7)
    for _ in range(100):
        fuzz_pep.one_input(source.randbytes(2000))
