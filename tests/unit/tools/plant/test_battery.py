"""Battery physics: sane voltages, CC then CV, energy accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_sim.plant.battery import Battery, BatteryData, interpolate

DATA = BatteryData(
    capacity_wh=50_000,
    voltage_curve=((0, 320.0), (20, 350.0), (80, 385.0), (100, 400.0)),
    current_curve=((0, 200.0), (60, 200.0), (90, 50.0), (100, 5.0)),
    resistance_ohm=0.05,
    max_voltage_v=405.0,
    max_power_w=60_000,
)


@pytest.mark.parametrize(("x", "y"), [(-5, 320.0), (0, 320.0), (10, 335.0), (20, 350.0), (120, 400.0)])
def test_interpolation_holds_the_ends(x: float, y: float) -> None:
    assert interpolate(DATA.voltage_curve, x) == pytest.approx(y)


def test_state_of_charge_outside_0_to_100_is_refused() -> None:
    with pytest.raises(ValueError, match=r"100\.1"):
        Battery(DATA, 100.1)


def test_constant_current_is_bounded_by_power() -> None:
    battery = Battery(DATA, 20)
    wanted = battery.wanted()
    assert wanted.voltage_v == 405.0
    assert wanted.current_a == pytest.approx(60_000 / 350.0)


def test_constant_voltage_current_falls_to_nothing() -> None:
    nearly_full = Battery(replace(DATA, max_voltage_v=395.0), 90)
    assert nearly_full.wanted().current_a == pytest.approx((395.0 - 392.5) / 0.05)
    assert Battery(replace(DATA, max_voltage_v=395.0), 100).wanted().current_a == 0.0


def test_terminal_voltage_rises_with_current_and_charger_cannot_discharge() -> None:
    battery = Battery(DATA, 50)
    assert battery.voltage_at(100) == pytest.approx(battery.open_voltage_v + 5)
    assert battery.current_at(battery.voltage_at(100)) == pytest.approx(100)
    assert battery.current_at(300) == 0.0


def test_an_hour_at_100_a_stores_less_than_it_takes() -> None:
    battery = Battery(DATA, 20)
    for _ in range(3600):
        battery.take(100, 1)
    stored_wh = (battery.soc_percent - 20) / 100 * DATA.capacity_wh
    assert 36_000 < battery.energy_wh < 40_000
    assert 0.93 < stored_wh / battery.energy_wh < 0.97
    assert battery.energy_to_wh(100) == pytest.approx(DATA.capacity_wh * (100 - battery.soc_percent) / 100)


@given(soc=st.floats(0, 100), current_a=st.floats(0, 500), seconds=st.floats(0, 3600))
def test_state_of_charge_never_falls_nor_leaves_its_range(
    soc: float, current_a: float, seconds: float
) -> None:
    battery = Battery(DATA, soc)
    battery.take(current_a, seconds)
    assert soc - 1e-9 <= battery.soc_percent <= 100.0 + 1e-9
