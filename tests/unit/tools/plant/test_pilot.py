"""Levels, edges, faults and noise of the pilot line against the standard's table."""

from itertools import pairwise

import pytest

from vsecc_sim.plant.pilot import LINE_FAULTS, PilotLine, ProximityLine, unit_noise


@pytest.mark.parametrize(
    ("state", "low_mv", "high_mv"),
    [("A", 11_400, 12_600), ("B", 8_370, 9_590), ("C", 5_470, 6_530), ("D", 2_580, 3_280)],
)
@pytest.mark.clause("IEC61851-1 Table A.2")
def test_positive_plateau_of_each_state(state, low_mv, high_mv):
    line = PilotLine()
    line.set_state(state)
    assert low_mv <= line.plateau_mv(True) <= high_mv
    assert line.plateau_mv(False) == -12_000


def test_missing_diode_pulls_the_negative_side_up():
    line = PilotLine()
    line.set_state("B")
    line.set_fault("diode", True)
    assert line.plateau_mv(False) == pytest.approx(-line.plateau_mv(True))
    assert line.plateau_mv(False) > -11_000


@pytest.mark.parametrize(
    ("fault", "high_mv", "low_mv"),
    [
        ("short", (-1000, 1000), (-1000, 1000)),
        ("open", (12_000, 12_000), (-12_000, -12_000)),
        ("stuck_positive", (12_000, 12_000), (12_000, 12_000)),
        ("stuck_negative", (-12_000, -12_000), (-12_000, -12_000)),
    ],
)
def test_line_faults_override_the_car(fault, high_mv, low_mv):
    line = PilotLine()
    line.set_state("C")
    line.set_fault(fault, True)
    assert high_mv[0] <= line.plateau_mv(True) <= high_mv[1]
    assert low_mv[0] <= line.plateau_mv(False) <= low_mv[1]
    line.set_fault(fault, False)
    assert 5_000 < line.plateau_mv(True) < 7_000


def test_unknown_names_are_refused_with_the_choice():
    line = PilotLine()
    with pytest.raises(ValueError, match="A, B, C, D"):
        line.set_state("Z")
    with pytest.raises(ValueError, match=LINE_FAULTS[0]):
        line.set_fault("nothing", True)


@pytest.mark.clause("IEC61851-1 Table A.1")
def test_five_percent_pulse_has_a_plateau_between_exponential_edges():
    line = PilotLine()
    line.set_state("B")
    wave = [line.voltage_mv(at_us, 50) for at_us in range(1000)]
    assert wave[0] == pytest.approx(-12_000)
    assert all(earlier <= later for earlier, later in pairwise(wave[:50]))
    assert wave[49] == pytest.approx(line.plateau_mv(True), abs=1)
    assert wave[999] == pytest.approx(-12_000, abs=1)
    settled = [at_us for at_us, value in enumerate(wave[:50]) if abs(value - line.plateau_mv(True)) < 100]
    assert 2 <= settled[0] <= 10


def test_edge_is_slower_with_more_capacitance():
    slow, fast = PilotLine(capacitance_pf=10_000), PilotLine(capacitance_pf=300)
    assert slow.voltage_mv(5, 50) < fast.voltage_mv(5, 50)


@pytest.mark.parametrize(("duty", "expected"), [(0, -12_000), (1000, 12_000)])
def test_steady_drive_has_no_edges(duty, expected):
    assert {PilotLine().voltage_mv(at_us, duty) for at_us in range(0, 1000, 7)} == {expected}


def test_noise_repeats_by_seed_and_has_its_size():
    first, second, other = (PilotLine(seed=seed, noise_mv=100) for seed in (1, 1, 2))
    samples = [first.sample_mv(at_us, at_us, 1000) for at_us in range(4000)]
    assert samples == [second.sample_mv(at_us, at_us, 1000) for at_us in range(4000)]
    assert samples != [other.sample_mv(at_us, at_us, 1000) for at_us in range(4000)]
    mean = sum(samples) / len(samples)
    deviation = (sum((value - mean) ** 2 for value in samples) / len(samples)) ** 0.5
    assert mean == pytest.approx(12_000, abs=10)
    assert deviation == pytest.approx(100, rel=0.1)


def test_unit_noise_does_not_depend_on_the_order_of_questions():
    assert [unit_noise(3, at) for at in (5, 1, 5)] == [unit_noise(3, 5), unit_noise(3, 1), unit_noise(3, 5)]


@pytest.mark.parametrize(
    ("ohm", "low_mv", "high_mv"),
    [(1500, 3300, 4100), (150, 1000, 2200), (480, 2500, 3000), (None, 4300, 4700), (0, 0, 50)],
)
def test_proximity_levels(ohm, low_mv, high_mv):
    line = ProximityLine()
    line.resistance_ohm = ohm
    assert low_mv <= line.voltage_mv() <= high_mv
