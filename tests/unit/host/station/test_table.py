"""The transition table is complete, printable, and what the documentation shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsecc_host.station.actions import ACTIONS
from vsecc_host.station.diagram import BLOCKS, replace_block
from vsecc_host.station.faults import CAUSE_TEXT
from vsecc_host.station.table import PHYSICAL, TABLE, TIMER_PHASES, Input, UnexpectedInput, step_for
from vsecc_host.station.values import Cause, Phase

DOCS = Path(__file__).parents[4] / "docs" / "station.md"


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_rule_for_every_input(phase):
    assert [seen for seen in Input if (phase, seen) not in TABLE] == []


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("seen", PHYSICAL)
def test_no_phase_skips_a_physical_input_that_can_occur_in_it(phase, seen):
    derived = (Input.CURRENT_LOW, Input.ISOLATION_LOST)  # only looked for while energy may flow
    assert TABLE[phase, seen].action != "skip" or seen in derived


def test_physical_inputs_are_the_ones_of_the_plant():
    assert Input.CP_A in PHYSICAL
    assert Input.POWER_LOST in PHYSICAL
    assert Input.SESSION not in PHYSICAL


def test_a_missing_pair_is_refused_by_name(monkeypatch):
    monkeypatch.delitem(TABLE, (Phase.IDLE, Input.CP_A))
    with pytest.raises(UnexpectedInput, match="idle: car unplugged"):
        step_for(Phase.IDLE, Input.CP_A)


def test_every_action_exists_and_is_used():
    assert {step.action for step in TABLE.values()} == set(ACTIONS)


def test_every_phase_can_be_reached_and_left():
    edges = {(phase, step.to) for (phase, _), step in TABLE.items() if step.to not in (None, phase)}
    assert {to for _, to in edges} == set(Phase)
    assert {phase for phase, _ in edges} == set(Phase)


def test_timers_live_where_the_table_gives_them_a_meaning():
    for timer, phases in TIMER_PHASES.items():
        meaningful = {phase for phase in Phase if TABLE[phase, timer].action not in ("skip", "note")}
        assert meaningful == set(phases), timer


def test_unplugging_leads_to_idle_from_every_phase_with_a_sound_station():
    for phase in set(Phase) - {Phase.IDLE, Phase.FAULTED}:
        assert TABLE[phase, Input.CP_A].to is Phase.IDLE


def test_every_cause_has_one_sentence():
    assert set(CAUSE_TEXT) == set(Cause)
    assert all(text.endswith(".") and "\n" not in text for text in CAUSE_TEXT.values())


@pytest.mark.parametrize("name", BLOCKS)
def test_documentation_is_current(name):
    text = DOCS.read_text(encoding="utf-8")
    assert replace_block(text, name, BLOCKS[name]()) == text, (
        "run: python -m vsecc_host.station.diagram docs/station.md"
    )
