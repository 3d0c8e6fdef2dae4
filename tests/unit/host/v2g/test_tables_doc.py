"""docs/v2g.md shows the tables of the code."""

from __future__ import annotations

from pathlib import Path

from vsecc_host.v2g.din70121.protocol import DIN
from vsecc_host.v2g.tables_doc import timers, updated

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "v2g.md"


def test_the_document_is_current() -> None:
    text = DOCUMENT.read_text()
    assert updated(text) == text, "run: python -m vsecc_host.v2g.tables_doc docs/v2g.md"


def test_every_rule_and_every_time_is_shown() -> None:
    text = DOCUMENT.read_text()
    rows = [f"| {state} | {DIN.names[kind]} |" for state, rules in DIN.table.items() for kind in rules]
    assert all(row in text for row in rows)
    assert "| `CABLE_CHECK_S` | 38 |" in timers()
    assert "| `FIRST_MESSAGE_S` | 5 |" in timers()


def test_decisions_exist() -> None:
    numbers = {path.name[:4] for path in (DOCUMENT.parent / "adr").glob("001[0-8]-*.md")}
    assert numbers == {f"{number:04}" for number in range(10, 19)}
