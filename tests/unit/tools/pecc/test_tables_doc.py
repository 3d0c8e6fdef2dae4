"""The tables of docs/pecc-simulator.md are those of the code."""

from __future__ import annotations

from pathlib import Path

from vsecc_sim.pecc.faults import FAULTS
from vsecc_sim.pecc.rules import RULES
from vsecc_sim.pecc.tables_doc import faults, keys, rules, updated

ROOT = Path(__file__).parents[4]


def test_the_document_is_current():
    text = (ROOT / "docs" / "pecc-simulator.md").read_text("utf-8")
    assert updated(text, ROOT) == text, "run: python -m vsecc_sim.pecc.tables_doc docs/pecc-simulator.md"


def test_every_fault_rule_and_key_has_its_row():
    assert faults().count("\n") == len(FAULTS) + 2
    assert rules().count("\n") == len(RULES) + 2
    assert "| `power.max_power_w` | `150000` |" in keys()
    assert "`manners.ping_period_s`" in keys()
