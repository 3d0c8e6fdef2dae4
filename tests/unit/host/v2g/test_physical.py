"""Physical values: smallest multiplier, rounded down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_host.v2g.physical import amount, scaled


@pytest.mark.parametrize(
    ("value", "multiplier", "number"),
    [
        (0.0, -3, 0),
        (0.3, -3, 300),  # 0.3 * 1000 is a hair below 300 in binary
        (32.767, -3, 32767),
        (32.768, -2, 3276),
        (398.5, -1, 3985),
        (327.67, -2, 32767),
        (150_000.0, 1, 15000),
        (32_767_000.0, 3, 32767),
        (1e12, 3, 32767),
        (-1e12, 3, -32768),
        (1.8e305, 3, 32767),
        (-0.019, -3, -19),
        (float("nan"), -3, 0),
        (float("inf"), -3, 0),
    ],
)
def test_scaled(value: float, multiplier: int, number: int) -> None:
    assert scaled(value) == (multiplier, number)


@given(st.floats(-3e7, 3e7))
def test_never_reports_more_than_there_is_and_never_a_step_less(value: float) -> None:
    multiplier, number = scaled(value)
    step = 10.0**multiplier
    shown = amount(multiplier, number)
    assert shown <= value + 1e-5 * step
    assert shown > value - step * 1.00001


@given(st.integers(-3, 3), st.integers(-32768, 32767))
def test_every_value_of_the_wire_has_a_number(multiplier: int, value: int) -> None:
    assert amount(multiplier, value) == pytest.approx(value * 10.0**multiplier)
