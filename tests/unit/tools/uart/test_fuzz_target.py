"""The fuzz target itself, for a moment."""

from __future__ import annotations

import random
from itertools import islice

from fuzz import fuzz_uart, runner
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_no_input_raises(data: bytes) -> None:
    fuzz_uart.one_input(data)


def test_mutations_of_good_lines_raise_nothing() -> None:
    assert runner.holds(fuzz_uart.one_input, islice(fuzz_uart.inputs(), 300))


def test_long_random_lines_raise_nothing() -> None:
    source = random.Random(7)
    for _ in range(20):
        fuzz_uart.one_input(source.randbytes(4000))
