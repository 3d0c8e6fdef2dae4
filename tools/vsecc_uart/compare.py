"""What came back against what was recorded: series by series, values exact, times within a tolerance.

A series is what belongs together: a reliable message and whom it concerns (port, relay, LED), or one discrete
field of a cyclic message, of which only changes count. Left out are measured values, ticks, stamps, counters
and text for people.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vsecc_link import messages as catalogue
from vsecc_uart.naming import text_of
from vsecc_uart.script import Step

TOLERANCE_S = 0.25
# What a session begins with is reported at once and corrected soon: only what it settles to counts.
SETTLE_S = 0.3

_WHOSE = ("port", "relay", "led", "message_id", "device_fault", "fault", "part")
# Fields of cyclic messages whose changes are events; a field matches by its end.
_DISCRETE = ("_state", "_faults", "_duty_permille", "relays_closed", "relays", "digital_inputs",
             "dip_switches", "outputs", "output_overloads", "sensors_open", "sensors_short")  # fmt: skip
_FOR_PEOPLE = (catalogue.LOG, catalogue.CRASH)
_MEASURED = ("_us", "_mv", "_mohm", "_ohm")

Point = tuple[float, tuple[Any, ...], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: missing, extra, late; times in seconds of the recording."""

    series: str
    what: str
    expected: str
    got: str
    expected_s: float | None
    got_s: float | None

    def as_json(self) -> dict[str, Any]:
        """In plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(
    expected: Iterable[Step],
    got: Iterable[Step],
    *,
    tolerance_s: float = TOLERANCE_S,
    settle_s: float = SETTLE_S,
) -> list[Difference]:
    """All differences, in the order of the recording."""
    wanted, came = series_of(expected, settle_s), series_of(got, settle_s)
    found: list[Difference] = []
    for name in sorted(wanted.keys() | came.keys()):
        found += _series(name, wanted.get(name, []), came.get(name, []), tolerance_s)
    return sorted(found, key=lambda one: one.expected_s if one.expected_s is not None else one.got_s or 0.0)


def series_of(steps: Iterable[Step], settle_s: float = SETTLE_S) -> dict[str, list[Point]]:
    """Points (time, value, text) of each series, equal neighbours once."""
    found: dict[str, list[Point]] = {}
    for step in steps:
        for name, value, text in _points(step):
            points = found.setdefault(name, [])
            if points and points[-1][0] <= settle_s and step.at_s <= settle_s:
                points.pop()
            if not points or points[-1][1] != value:
                points.append((step.at_s, value, text))
    return found


def _points(step: Step) -> Iterable[tuple[str, tuple[Any, ...], str]]:
    if step.message[0] in _FOR_PEOPLE:
        return
    name, _, travel, rows = catalogue.CATALOGUE[step.message[0]]
    fields = {row[0]: value for row, value in zip(rows, step.message[1:], strict=True)}
    if travel == catalogue.CYCLIC:
        for key, value in fields.items():
            if key.endswith(_DISCRETE):
                yield f"{name}.{key}", (value,), text_of(name, key, value)
        return
    whose = " ".join(f"{key}={fields[key]}" for key in _WHOSE if key in fields)
    values = {key: value for key, value in fields.items() if not key.endswith(_MEASURED) and key not in _WHOSE
              and key not in ("previous", "mask")}  # fmt: skip
    text = " ".join(f"{key}={text_of(name, key, value)}" for key, value in values.items()) or name
    yield f"{name} {whose}".rstrip(), tuple(values.values()), text


def _series(name: str, wanted: list[Point], came: list[Point], tolerance_s: float) -> list[Difference]:
    found = []
    matcher = difflib.SequenceMatcher(
        None, [one[1] for one in wanted], [one[1] for one in came], autojunk=False
    )
    for what, first, last, came_first, came_last in matcher.get_opcodes():
        if what == "equal":
            for before, after in zip(wanted[first:last], came[came_first:came_last], strict=True):
                # What was there from the start has no time of its own.
                if min(before[0], after[0]) > SETTLE_S and abs(before[0] - after[0]) > tolerance_s:
                    found.append(Difference(name, "late", before[2], after[2], before[0], after[0]))
            continue
        found += [Difference(name, "missing", one[2], "", one[0], None) for one in wanted[first:last]]
        found += [Difference(name, "extra", "", one[2], None, one[0]) for one in came[came_first:came_last]]
    return found


def table(differences: list[Difference]) -> str:
    """The differences as text."""
    if not differences:
        return "no difference"
    lines = [f"{'recorded':>10} {'now':>10}  {'':<8} series: value"]
    for one in differences:
        times = f"{_time(one.expected_s):>10} {_time(one.got_s):>10}"
        lines.append(f"{times}  {one.what:<8} {one.series}: {one.expected or one.got}")
    return "\n".join(lines)


def _time(at_s: float | None) -> str:
    return "-" if at_s is None else f"{at_s:.3f} s"
