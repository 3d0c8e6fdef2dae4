"""The DC bus between power electronics and battery."""

from __future__ import annotations

import pytest

from vsecc_sim.plant.battery import Battery, BatteryData
from vsecc_sim.plant.dc_bus import DcBus

DATA = BatteryData(
    capacity_wh=50_000,
    voltage_curve=((0, 360.0), (100, 360.0)),
    current_curve=((0, 200.0), (100, 200.0)),
    resistance_ohm=0.1,
    max_voltage_v=420.0,
    max_power_w=100_000,
)


def plugged() -> DcBus:
    bus = DcBus()
    bus.connect(Battery(DATA, 50))
    bus.apply(0, 0, False, 0.0)
    return bus


def test_open_cable_follows_the_charger_without_current() -> None:
    bus = plugged()
    assert bus.apply(360, 2, True, 0.01) == (360.0, 0.0)
    assert bus.inlet_voltage_v == 360.0


def test_open_cable_stays_dead_behind_open_output_contactors_or_without_current_limit() -> None:
    bus = plugged()
    assert bus.apply(360, 2, False, 0.1) == (0.0, 0.0)
    assert bus.apply(360, 0, True, 0.2) == (0.0, 0.0)


def test_open_cable_falls_below_60_v_within_a_quarter_second() -> None:
    bus = plugged()
    bus.apply(500, 2, True, 0.1)
    voltage_v, _ = bus.apply(0, 0, False, 0.35)
    assert voltage_v < 60


def test_closed_contactor_shows_the_battery_even_without_charger() -> None:
    bus = plugged()
    bus.apply(350, 2, True, 0.1)
    bus.close_contactor()
    assert bus.apply(0, 0, False, 0.2) == (360.0, 0.0)
    assert bus.facts.worst_closing_step_v == pytest.approx(10.0)


def test_constant_current_then_constant_voltage() -> None:
    bus = plugged()
    bus.close_contactor()
    assert bus.apply(420, 100, True, 0.1) == pytest.approx((370.0, 100.0))
    assert bus.apply(365, 100, True, 0.2) == pytest.approx((365.0, 50.0))
    assert bus.apply(350, 100, True, 0.3)[1] == 0.0


def test_energy_is_integrated_with_the_current_that_flowed() -> None:
    bus = plugged()
    bus.close_contactor()
    battery = bus.battery
    assert battery is not None
    bus.apply(420, 100, True, 0.0)
    bus.apply(420, 0, True, 3600.0)
    bus.apply(420, 0, True, 7200.0)
    assert battery.energy_wh == pytest.approx(370 * 100, rel=1e-6)


def test_opening_and_pulling_under_load_is_noted() -> None:
    bus = plugged()
    bus.close_contactor()
    bus.apply(420, 80, True, 0.1)
    bus.disconnect()
    assert bus.facts.worst_opening_a == 80
    assert bus.apply(420, 80, True, 0.11)[1] == 0.0
    assert bus.battery is None


def test_a_new_car_starts_with_open_contactor_and_clean_facts() -> None:
    bus = plugged()
    bus.close_contactor()
    bus.connect(Battery(DATA, 10))
    assert not bus.contactor_closed
    assert bus.facts.closings == 0


def test_closing_without_a_car_does_nothing() -> None:
    bus = DcBus()
    bus.close_contactor()
    assert not bus.contactor_closed


def test_an_external_car_takes_current_above_pre_charge_until_it_is_gone() -> None:
    bus = DcBus()
    bus.connect_external()
    bus.apply(0, 0, True, 0.0)
    assert bus.apply(400, 2, True, 0.1) == (400.0, 0.0)
    assert bus.apply(400, 80, True, 0.2) == (400.0, 80.0)
    assert bus.apply(400, 80, False, 0.21)[1] == 0.0
    bus.disconnect()
    assert bus.apply(400, 80, True, 0.3)[1] == 0.0
