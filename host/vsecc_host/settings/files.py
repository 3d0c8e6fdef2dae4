"""Settings on disk: JSON lists, configuration TOML, and a write that a power cut cannot split."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

OVERRIDES = "settings.json"
CORRUPT_SUFFIX = ".corrupt"


class Entry(NamedTuple):
    """One value as a file names it, not yet checked; without `evse` it counts for every outlet."""

    component: str
    variable: str
    value: object
    instance: str | None = None
    evse: int | None = None
    connector: int | None = None
    variable_instance: str | None = None

    def __str__(self) -> str:
        place = f"evse.{self.evse}." if self.evse is not None else ""
        component = f"{self.component}.{self.instance}" if self.instance else self.component
        variable = f"{self.variable}#{self.variable_instance}" if self.variable_instance else self.variable
        return f"{place}{component}/{variable}"


_FIELDS = {
    "component": str,
    "instance": str,
    "evse": int,
    "connector": int,
    "variable": str,
    "variableInstance": str,
}


def read_json(text: str) -> list[Entry]:
    """Entries of a factory or overrides file; ValueError says what is wrong with which entries."""
    try:
        rows = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(rows, list):
        raise ValueError("not a JSON list")
    entries: list[Entry] = []
    problems: list[str] = []
    for index, row in enumerate(rows):
        try:
            entries.append(_entry(row, index))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return entries


def _entry(row: object, index: int) -> Entry:
    where = f"entry {index + 1}"
    if not isinstance(row, dict):
        raise ValueError(f"{where} is not an object")
    unknown = sorted(row.keys() - _FIELDS.keys() - {"value"})
    if unknown:
        raise ValueError(f"{where} has unknown keys: {', '.join(unknown)}")
    for name, kind in _FIELDS.items():
        value = row.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ValueError(f"{where}: {name} has the wrong type")
    missing = [name for name in ("component", "variable", "value") if row.get(name) is None]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return Entry(
        component=row["component"],
        variable=row["variable"],
        value=row["value"],
        instance=row.get("instance"),
        evse=row.get("evse"),
        connector=row.get("connector"),
        variable_instance=row.get("variableInstance"),
    )


def read_toml(text: str) -> list[Entry]:
    """Entries of a configuration file: [Component], [Component.Instance], [evse.1.Component]."""
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    entries: list[Entry] = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} stands outside a table")
        if name != "evse":
            entries += _component(name, table, None)
            continue
        for number, components in table.items():
            if not number.isdigit() or not isinstance(components, dict):
                raise ValueError(f"[evse.{number}]: an outlet is a number")
            for component, values in components.items():
                if not isinstance(values, dict):
                    raise ValueError(f"evse.{number}.{component} stands outside a component")
                entries += _component(component, values, int(number))
    return entries


def _component(
    name: str, table: Mapping[str, object], evse: int | None, instance: str | None = None
) -> list[Entry]:
    entries: list[Entry] = []
    for key, value in table.items():
        if isinstance(value, dict) and instance is None:
            entries += _component(name, value, evse, key)
            continue
        variable, _, variable_instance = key.partition("#")
        entries.append(
            Entry(name, variable, value, instance, evse, variable_instance=variable_instance or None)
        )
    return entries


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that after a power cut it holds either the old or the new text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)  # one a power cut left may be anybody's to read
        with open(temporary, "w", encoding="utf-8", opener=_owner_only) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)  # on a full disk it would take the last room
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _owner_only(path: str, flags: int) -> int:
    """Settings hold passwords."""
    return os.open(path, flags, 0o600)


def set_aside(path: Path) -> Path:
    """Keep an unreadable file for a person to look at; the newest one wins."""
    aside = path.with_name(path.name + CORRUPT_SUFFIX)
    os.replace(path, aside)
    return aside


def forget_aside(path: Path) -> None:
    """Remove what `set_aside` kept of this file."""
    path.with_name(path.name + CORRUPT_SUFFIX).unlink(missing_ok=True)
