"""Writes the table of all settings: `python -m vsecc_host.settings.markdown docs/settings.md` renews it."""

from __future__ import annotations

import sys
from pathlib import Path

from vsecc_host.settings.declarations import VARIABLES
from vsecc_host.settings.variable import Kind, Mutability, Scope, Variable

_BEGIN, _END = "<!-- table begin -->\n", "\n<!-- table end -->"
_SCOPES = {Scope.STATION: "", Scope.EVSE: "outlet", Scope.CONNECTOR: "connector"}


def table() -> str:
    """One row per declared variable."""
    head = ["Component / variable", "Per", "Type", "Default", "Allowed", "Acts", "Meaning"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(_cells(variable))} |" for variable in VARIABLES]
    return "\n".join(lines)


def _cells(variable: Variable) -> list[str]:
    kind = variable.kind.value + (f", {variable.unit}" if variable.unit else "")
    notes = {Mutability.READ_ONLY: " (read-only)", Mutability.WRITE_ONLY: " (never shown)"}
    return [
        f"`{variable.component}/{variable.variable}`",
        _SCOPES[variable.scope],
        kind,
        _default(variable),
        _allowed(variable),
        "" if variable.mutability is Mutability.READ_ONLY else variable.acts.value,
        variable.description + notes.get(variable.mutability, ""),
    ]


def _default(variable: Variable) -> str:
    value = variable.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"`{value:g}`" if abs(value) < 100_000 else f"`{value:.0f}`"


def _allowed(variable: Variable) -> str:
    if variable.kind is Kind.BOOLEAN:
        return "true, false"
    if variable.allowed:
        return ", ".join(variable.allowed)
    if variable.form:
        return variable.form
    low = "" if variable.minimum is None else f"{variable.minimum:g}"
    high = "" if variable.maximum is None else f"{variable.maximum:g}"
    return f"{low} .. {high}".strip() if low or high else ""


def replace_block(text: str, body: str) -> str:
    """The document with its table replaced; ValueError when the markers are missing."""
    start, stop = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    return text[:start] + body + text[stop:]


def main(path: str) -> None:
    """Renew the table of the document."""
    document = Path(path)
    document.write_text(replace_block(document.read_text(encoding="utf-8"), table()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
