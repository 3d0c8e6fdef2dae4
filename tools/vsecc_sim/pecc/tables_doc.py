"""Writes the tables of its document: `python -m vsecc_sim.pecc.tables_doc docs/pecc-simulator.md`."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from vsecc_host import generated_parts
from vsecc_host.power.config import PowerConfig
from vsecc_sim.pecc.config import Discharge, PeccManners
from vsecc_sim.pecc.faults import FAULTS
from vsecc_sim.pecc.rules import RULES
from vsecc_sim.pecc.scenario import LoadData
from vsecc_sim.pecc.states import STATES, TABLE, Input, Step

MATRIX = Path("tests/integration/pep_matrix.toml")
_COMMENT = re.compile(r"^    (\w+): .*?(?:  # (.*))?$", re.M)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def keys() -> str:
    """Every key of a scenario's tables with its default."""
    rows = []
    for name, kind in (
        ("power", PowerConfig),
        ("manners", PeccManners),
        ("discharge", Discharge),
        ("load", LoadData),
    ):
        notes = dict(_COMMENT.findall(inspect.getsource(kind)))
        default = kind()
        for one in fields(default):
            value = getattr(default, one.name)
            rows.append((f"`{name}.{one.name}`", f"`{_shown(value)}`", notes.get(one.name, "")))
    return _table(("key", "default", "meaning"), rows)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def faults() -> str:
    """The catalogue of faults."""
    return _table(
        ("fault", "touches", "what happens", "`value`"),
        (
            (
                f"`{name}`",
                kind.where.value,
                kind.what + ("; at once, nothing to heal" if kind.once else ""),
                "" if kind.value is None else f"{kind.value:g}",
            )
            for name, kind in FAULTS.items()
        ),
    )


def rules() -> str:
    """Every rule of conduct."""
    return _table(
        ("rule", "weight", "what the SECC does", "source"),
        ((f"`{name}`", rule.weight.value, rule.text, rule.clause) for name, rule in RULES.items()),
    )


def states() -> str:
    """The state machine: input by state."""
    return _table(
        ("", *(state.value for state in STATES)),
        ((seen.value, *(_cell(TABLE[state, seen]) for state in STATES)) for seen in Input),
    )


def _cell(step: Step) -> str:
    if step.error is not None:
        return f"error {step.error.value}"
    if step.to is not None:
        return f"**{step.to.value}**"
    return step.action or "-"


def matrix(data: dict[str, Any]) -> str:
    """Faults by phases, and what becomes of the session."""
    under_load = data.get("under_load", {})
    return _table(
        ("fault", *data["phases"], "opens under current"),
        (
            (f"`{name}`", *(text.replace("_", " ") for text in outcomes), under_load.get(name, ""))
            for name, outcomes in data["outcomes"].items()
        ),
    )


def updated(text: str, root: Path) -> str:
    """The document with its generated parts brought up to date."""
    parts = {
        "keys": keys(),
        "faults": faults(),
        "rules": rules(),
        "states": states(),
        "matrix": matrix(tomllib.loads((root / MATRIX).read_text("utf-8"))),
    }
    return generated_parts.updated(text, parts)


def main() -> None:
    """Rewrite the file named on the command line."""
    path = Path(sys.argv[1]).resolve()
    path.write_text(updated(path.read_text("utf-8"), path.parent.parent), "utf-8")


if __name__ == "__main__":
    main()
