"""docs/pep.md shows the declarations; sequence diagrams come from recorded messages."""

from __future__ import annotations

import json
import re
from pathlib import Path

from unit.host.pep.given import STATUS, TARGET

from vsecc_host.pep import messages as m
from vsecc_host.pep.tables_doc import overview, payloads, timers, updated, versions
from vsecc_sim.pep_flow import mermaid

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "pep.md"


def test_the_document_is_current() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert updated(text) == text, "run: python -m vsecc_host.pep.tables_doc docs/pep.md"


def test_every_declaration_is_shown() -> None:
    for layout in m.LAYOUTS:
        assert f"| {layout.type} `{layout.kind}` |" in overview()
        for member in layout.fields:
            assert f"| {layout.type} `{layout.kind}` | `{member.name}` |" in payloads()
    assert "noImd` (to 1.6)" in payloads()
    assert "| `REQUEST_TIMEOUT_S` | 0.5 | PEP_REQUEST_TIMEOUT, both ends |" in timers()
    assert "| stopCharging |  |  |  |  | x | x | x | x |" in versions()


def test_every_ambiguity_is_decided_and_every_decision_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [int(x) for x in re.findall(r"^\| A(\d+) \|", text, re.MULTILINE)] == list(range(1, 34))
    for link in re.findall(r"\]\((adr/[^)]+)\)", text):
        assert (DOCUMENT.parent / link).is_file()


def row(direction: str, type_: str, kind: str, payload: object) -> dict[str, object]:
    message = {"type": type_, "kind": kind, "payload": payload}
    return json.loads(json.dumps({"t": 0.0, "dir": direction, "message": message}))


def test_a_diagram_shows_changes_and_runs() -> None:
    rows = [row("pecc->secc", "info", "status", STATUS)] * 3
    rows += [row("secc->pecc", "request", "targetValues", {**TARGET, "targetCurrent": x}) for x in range(5)]
    rows += [
        {"t": 0.0, "dir": "pecc->secc", "message": None},
        row("pecc->secc", "response", "targetValues", {}),
    ]
    rows += [row("secc->pecc", "request", "contactorsStatus", {"contactorsStatus": "open"})]
    refusal = {"errorCategory": "internal", "errorDetails": "x"}
    rows += [row("pecc->secc", "error", "contactorsStatus", refusal)]
    assert [line.strip() for line in mermaid(rows).splitlines()[3:]] == [
        "P-->>S: status: closed, valid, operative",
        "S->>P: targetValues preCharge 388.4 V, 0 A",
        "Note over S,P: 3 more",
        "S->>P: targetValues preCharge 388.4 V, 4 A",
        "S->>P: contactorsStatus open",
        "P->>S: error contactorsStatus: internal",
    ]
