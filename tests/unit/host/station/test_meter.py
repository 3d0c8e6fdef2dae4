"""The energy register of an outlet: trapezoids between measurements, nothing invented, nothing taken off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.host.station.rig import Rig

from vsecc_host.station.meter import LONGEST_GAP_S, EnergyMeter
from vsecc_host.station.state import NEVER_MEASURED
from vsecc_host.station.values import CpState, Phase


def metered(*samples: tuple[float, float, float]) -> float:
    """Wh of (s, V, A) samples."""
    meter = EnergyMeter()
    for at, voltage_v, current_a in samples:
        meter.measure(replace(NEVER_MEASURED, at=at, voltage_v=voltage_v, current_a=current_a))
    return meter.wh


def test_an_hour_of_a_kilowatt() -> None:
    assert metered(*((0.2 * n, 400.0, 2.5) for n in range(18_001))) == pytest.approx(1000.0)


def test_a_ramp_counts_as_its_mean() -> None:
    assert metered((0.0, 360.0, 0.0), (1.0, 360.0, 100.0)) == pytest.approx(360.0 * 50.0 / 3600.0)


@pytest.mark.parametrize(
    "samples",
    [
        [(0.0, 400.0, 100.0)],  # one measurement is no time
        [(0.0, 400.0, 100.0), (LONGEST_GAP_S + 0.1, 400.0, 100.0)],  # nobody knows what flowed
        [(5.0, 400.0, 100.0), (5.0, 400.0, 100.0), (4.0, 400.0, 100.0)],  # no time, or backwards
        [(0.0, 400.0, -50.0), (1.0, 400.0, -50.0)],  # out of the car
    ],
)
def test_what_is_not_counted(samples: list[tuple[float, float, float]]) -> None:
    assert metered(*samples) == 0.0


SAMPLE = st.tuples(st.floats(0, 1e6), st.floats(-10, 1000), st.floats(-500, 500))


@given(st.lists(SAMPLE, max_size=30))
def test_it_only_rises(samples: list[tuple[float, float, float]]) -> None:
    readings = [metered(*samples[:count]) for count in range(len(samples) + 1)]
    assert readings == sorted(readings)


def test_the_view_tells_it_and_the_next_session_goes_on_from_it() -> None:
    rig = Rig().to(Phase.CHARGING)
    rig.target(400.0, 100.0)
    rig.measure(voltage_v=400.0, current_a=100.0)
    before = rig.view.meter_wh
    rig.wait(9.0)
    after = rig.view.meter_wh
    assert after - before == pytest.approx(400.0 * 100.0 * 9.0 / 3600.0, rel=0.03)
    rig.measure(voltage_v=0.0, current_a=0.0, contactors_closed=False)
    rig.cp(CpState.A)
    assert rig.view.meter_wh >= after
