"""A case of the campaign as data: where it starts, what happens when, what must follow."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[4] / "tests" / "campaign"
STARTS = ("power-on", "linked", "plugged", "ready", "charging", "charging-both")
CHIPS = ("sim", "pico")
RULES = tuple(f"S{number}" for number in range(1, 11))

# What a step may do, and which further keys go with it.
ACTIONS: dict[str, frozenset[str]] = {
    "ev": frozenset({"port"}),
    "ohm": frozenset({"port"}),
    "fault": frozenset({"port", "active", "value"}),
    "inputs": frozenset(),
    "grant": frozenset({"valid_ms"}),
    "host": frozenset(),
    "send": frozenset(),
    "forge": frozenset({"session", "number", "crc", "layout", "handshake"}),
    "raw": frozenset(),
    "garbage": frozenset({"per_ms", "for_ms", "kind"}),
    "flood": frozenset({"per_ms", "for_ms"}),
    "replay": frozenset({"kind"}),
}
# What may be expected, and which further keys go with it.
EXPECTATIONS: dict[str, frozenset[str]] = {
    "entry": frozenset({"value", "within_ms", "not_before_ms"}),
    "never": frozenset({"value", "until_ms"}),
    "fault": frozenset({"port", "within_ms", "latched"}),
    "no_fault": frozenset({"port"}),
    "device_fault": frozenset({"within_ms"}),
    "reason": frozenset({"port", "within_ms"}),
    "final": frozenset(),
    "counter": frozenset({"at_least", "at_most"}),
    "refused": frozenset({"at_least"}),
    "sessions": frozenset(),
    "foreign": frozenset(),
    "reset_cause": frozenset(),
}
_CASE_KEYS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "title", "start", "chip"), str),
    **dict.fromkeys(("rules", "steps", "expect"), list),
    **dict.fromkeys(("port", "seed", "dip"), int),
    **dict.fromkeys(("micropython", "long"), bool),
    **dict.fromkeys(("wrap_at_ms", "run_ms"), (int, float)),
}
_LONGEST_MS = 1e9


class CaseError(ValueError):
    """A case file that cannot be understood; the text names file, case and mistake."""


@dataclass(frozen=True, slots=True)
class Step:
    """One stimulus: `at_us` after the start of the case."""

    at_us: int
    action: str
    value: Any
    options: dict[str, Any]

    def __str__(self) -> str:
        rest = "".join(f" {name}={value}" for name, value in self.options.items())
        return f"{self.action} {self.value}{rest}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One demand; times count from the step `after` (default: the last one)."""

    kind: str
    value: Any
    options: dict[str, Any]
    after: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """`chip`: sim runs over hal/sim.py, pico over hal/pico.py on the emulated chip. `group`: its file."""

    id: str
    title: str
    rules: tuple[str, ...]
    group: str
    start: str = "charging"
    port: int = 1
    chip: str = "sim"
    micropython: bool = False
    wrap_at_ms: float | None = None
    run_ms: float = 100.0
    seed: int = 1
    dip: int = 0b1100
    long: bool = False
    steps: tuple[Step, ...] = ()
    expect: tuple[Expectation, ...] = field(default=())

    def reference_us(self, expectation: Expectation) -> int:
        """The time from which an expectation counts."""
        if not self.steps:
            return 0
        index = len(self.steps) - 1 if expectation.after is None else expectation.after
        return self.steps[index].at_us


def load(folder: Path = FOLDER) -> list[Case]:
    """All cases of a folder's TOML files in order; CaseError."""
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise CaseError(f"{folder}: no case files")
    cases = [case for path in paths for case in load_file(path)]
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise CaseError(f"{case.group}.toml: two cases are called {case.id}")
        seen.add(case.id)
    return cases


def load_file(path: Path) -> list[Case]:
    """The cases of one file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CaseError(f"{path}: {error}") from error
    rows = data.get("case")
    if not isinstance(rows, list) or set(data) != {"case"}:
        raise CaseError(f"{path}: not a list of [[case]]")
    return [_case(row, path) for row in rows]


def _case(row: dict[str, Any], path: Path) -> Case:
    if not isinstance(row, dict):
        raise CaseError(f"{path.name}: a case is a table, not {row!r}")
    where = f"{path.name}: {row.get('id', '?')}"
    _check_keys(row, where)
    if not all(isinstance(row.get(key), str) and row[key] for key in ("id", "title")):
        raise CaseError(f"{where}: needs `id` and `title`")
    if not row.get("expect"):
        raise CaseError(f"{where}: expects nothing")
    if row.get("start", STARTS[0]) not in STARTS or row.get("chip", CHIPS[0]) not in CHIPS:
        raise CaseError(f"{where}: start is one of {', '.join(STARTS)}, chip one of {', '.join(CHIPS)}")
    if not row.get("rules") or not all(rule in RULES for rule in row["rules"]):
        raise CaseError(f"{where}: rules are S1 to S10")
    steps = tuple(_step(step, where) for step in row.get("steps", []))
    if list(steps) != sorted(steps, key=lambda step: step.at_us):
        raise CaseError(f"{where}: steps are not in order of time")
    expect = tuple(_expectation(one, where, len(steps)) for one in row["expect"])
    rest = {key: value for key, value in row.items() if key not in ("steps", "expect", "rules")}
    return Case(group=path.stem, rules=tuple(row["rules"]), steps=steps, expect=expect, **rest)


def _check_keys(row: dict[str, Any], where: str) -> None:
    unknown = set(row) - set(_CASE_KEYS)
    if unknown:
        raise CaseError(f"{where}: unknown key {sorted(unknown)[0]}")
    for key, value in row.items():
        kinds = _CASE_KEYS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise CaseError(f"{where}: {key} cannot be {value!r}")
    for one in (*row.get("steps", ()), *row.get("expect", ())):
        if not isinstance(one, dict):
            raise CaseError(f"{where}: a step or an expectation is a table, not {one!r}")


def _step(row: dict[str, Any], where: str) -> Step:
    at_ms = row.get("at_ms")
    if not isinstance(at_ms, (int, float)) or not 0 <= at_ms <= _LONGEST_MS:
        raise CaseError(f"{where}: a step needs `at_ms`")
    action = _only(row, ACTIONS, where)
    options = {key: value for key, value in row.items() if key not in ("at_ms", action)}
    _check_options(options, ACTIONS[action], f"{where}: {action}")
    return Step(round(at_ms * 1000), action, row[action], options)


def _expectation(row: dict[str, Any], where: str, steps: int) -> Expectation:
    kind = _only(row, EXPECTATIONS, where)
    options = {key: value for key, value in row.items() if key not in (kind, "after")}
    _check_options(options, EXPECTATIONS[kind], f"{where}: {kind}")
    after = row.get("after")
    if after is not None and (not isinstance(after, int) or not 0 <= after < steps):
        raise CaseError(f"{where}: {kind}: there is no step {after}")
    return Expectation(kind, row[kind], options, after)


def _only(row: dict[str, Any], known: dict[str, frozenset[str]], where: str) -> str:
    """The one key of the row that says what it is; `fault` may also be an option of none of them."""
    found = [key for key in row if key in known]
    if len(found) != 1:
        raise CaseError(f"{where}: {row} needs exactly one of {', '.join(known)}")
    return found[0]


def _check_options(options: dict[str, Any], allowed: frozenset[str], where: str) -> None:
    unknown = set(options) - allowed
    if unknown:
        raise CaseError(f"{where}: unknown key {sorted(unknown)[0]}")
