"""docs/v2g.md shows the tables of the code."""

from __future__ import annotations

from pathlib import Path

from vsecc_host.v2g.din70121.protocol import DIN
from vsecc_host.v2g.iso2.protocol import ISO2
from vsecc_host.v2g.tables_doc import timers, updated

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "v2g.md"


def test_the_document_is_current() -> None:
    text = DOCUMENT.read_text()
    assert updated(text) == text, "run: python -m vsecc_host.v2g.tables_doc docs/v2g.md"


def test_every_rule_and_every_time_is_shown() -> None:
    text = DOCUMENT.read_text()
    for protocol in (DIN, ISO2):
        for state, rules in protocol.table.items():
            assert all(f"| {state} | {protocol.names[kind]} |" in text for kind in rules)
    assert "| `CABLE_CHECK_S` | both | 38 |" in timers()
    assert "| `FIRST_MESSAGE_S` | both | 5 |" in timers()
    assert "| `POWER_SWITCH_S` | DIN | 1.2 |" in timers()
    assert "| `POWER_SWITCH_S` | -2 | 4 |" in timers()


def test_decisions_exist() -> None:
    numbers = {path.name[:4] for path in (DOCUMENT.parent / "adr").glob("00[14]?-*.md")}
    assert numbers >= {f"{number:04}" for number in (*range(10, 19), *range(40, 45))}
