"""Every fault of the PECC in every phase of a session: pep_matrix.toml says what must become of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from integration.pep_rig import PHASES, Cell, run_fault

from vsecc_host.station.values import Cause
from vsecc_sim import virtual_time
from vsecc_sim.pecc.faults import FAULTS

DATA = tomllib.loads(Path(__file__).with_name("pep_matrix.toml").read_text("utf-8"))
OPENING_A = 5.0  # more wears contactors


def test_the_matrix_knows_every_fault_phase_and_cause():
    assert tuple(DATA["phases"]) == PHASES
    assert set(DATA["outcomes"]) == set(FAULTS)
    known = {"charged", "goes on", *Cause, *(f"blocked: {cause}" for cause in Cause)}
    for name, outcomes in DATA["outcomes"].items():
        assert len(outcomes) == len(PHASES), name
        assert set(outcomes) <= known, name
    assert set(DATA["under_load"]) <= set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_s9_every_fault_in_every_phase(fault):
    cells = virtual_time.run(run_fault(fault))
    for phase, expected in zip(PHASES, DATA["outcomes"][fault], strict=True):
        cell = cells[phase]
        where = f"{fault}, {phase}"
        assert cell.outcome == expected, where
        assert_safe(fault, cell, where)
    assert cells["the next car"].outcome == "charged"
    worst_a = max(cell.opening_a for cell in cells.values())
    assert (worst_a >= OPENING_A) is (fault in DATA["under_load"]), "a reason that holds no more, or none"


@pytest.mark.parametrize("car", ["default", "model-x-plaid"])
@pytest.mark.parametrize("fault", ["over-temperature", "reply-dropped", "status-stopped", "silent"])
def test_s9_a_quick_car_is_asked_to_stop_before_it_hears_of_the_emergency(fault, car):
    """Told of an emergency a car leaves state C with its next request, whatever still flows."""
    cells = virtual_time.run(run_fault(fault, ("charging",), car=car))
    assert cells["charging"].outcome == DATA["outcomes"][fault][PHASES.index("charging")]
    assert_safe(fault, cells["charging"], f"{fault}, {car}")


def assert_safe(fault: str, cell: Cell, where: str) -> None:
    """Whatever the fault: relay open, no current, the SECC kept the rules, the neighbour charged on."""
    assert cell.relay_open and cell.dead, where
    assert cell.broken == (), where
    assert cell.neighbour_a > 50.0, where  # S10
    if fault not in DATA["under_load"]:
        assert cell.opening_a < OPENING_A, where


@pytest.mark.parametrize("fault", ["inoperative", "isolation-fault", "silent", "tcp-reset", "reply-late"])
def test_s9_the_same_for_iso_15118_2(fault):
    phases = ("cable check", "charging")
    cells = virtual_time.run(run_fault(fault, phases, protocol="iso2"))
    for phase in phases:
        where = f"{fault}, {phase}, iso2"
        assert cells[phase].outcome == DATA["outcomes"][fault][PHASES.index(phase)], where
        assert_safe(fault, cells[phase], where)
    assert cells["the next car"].outcome == "charged"
