"""P8 in small: the simulated line of `vsecc bench link`."""

from __future__ import annotations

import pytest

from vsecc_bench.link import goodput
from vsecc_bench.link_line import Noise


def test_goodput_of_a_clean_line() -> None:
    row = goodput(0.0, 2.0)
    assert row["goodput_share"] >= 0.85
    assert (row["lost"], row["doubled"], row["out_of_order"], row["repeats"]) == (0, 0, 0, 0)


def test_nothing_is_lost_or_doubled_at_a_bit_error_rate_of_1e_4() -> None:
    row = goodput(1e-4, 4.0)
    assert row["repeats"] > 0
    assert row["delivered"] > 500
    assert (row["lost"], row["doubled"], row["out_of_order"], row["sessions_lost"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_noise_has_the_rate_it_is_told(rate: float) -> None:
    noise = Noise(rate, 7)
    sent = bytes(200)
    flipped = lost = 0
    for _ in range(500):
        arrived = noise.apply(sent)
        lost += len(sent) - len(arrived)
        flipped += sum(byte.bit_count() for byte in arrived)
    assert flipped / (500 * 200 * 8) == pytest.approx(rate, rel=0.15)
    assert lost / (500 * 200 * 2) == pytest.approx(rate, rel=0.15)
