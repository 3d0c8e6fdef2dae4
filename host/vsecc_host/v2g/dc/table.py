"""A sequence table as the documentation shows it."""

from __future__ import annotations

from collections.abc import Mapping

from vsecc_host.v2g.dc.kinds import Kind, State
from vsecc_host.v2g.dc.session import Rule

Table = Mapping[State, Mapping[Kind, Rule]]


def markdown(table: Table, names: Mapping[Kind, str]) -> str:
    """One line per state and request; `names` are those of the protocol."""
    lines = ["| state: waiting for | request | handler | then |", "| --- | --- | --- | --- |"]
    for state, rules in table.items():
        for kind, rule in rules.items():
            name = f"{rule.handler.__module__.rpartition('.')[2]}.{rule.handler.__name__}"
            lines.append(f"| {state} | {names[kind]} | `{name}` | {rule.then} |")
        if not rules:
            lines.append(f"| {state} | nothing | | connection closes |")
    return "\n".join(lines) + "\n"
