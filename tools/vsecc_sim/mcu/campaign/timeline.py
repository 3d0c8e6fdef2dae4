"""A run drawn as text: a lane per signal, a column per slice of time, then each event with its time."""

from __future__ import annotations

from vsecc_sim.mcu.campaign.run import Result
from vsecc_sim.mcu.trace import Entry

COLUMNS = 96
_LABEL = 14
_LANES = ("ev", "pilot", "relay", "lock")
_LINES = 40
# Before the first stimulus, as a share of the window.
_LEAD = 0.08


def timeline(result: Result) -> str:
    """The part of the run from shortly before its first step to the last thing that happened."""
    first, last = _window(result)
    span = max(last - first, 1)
    step = max(1, -(-span // COLUMNS))
    names = sorted({entry.name for entry in result.entries if entry.name.startswith(_LANES)})
    lines = [_ruler(first - result.t0_us, step)]
    lines += [_lane(name, result.entries, first, step) for name in names]
    marks = [step_.at_us + result.t0_us for step_ in result.case.steps]
    lines.append(_marks("step", marks, first, step))
    lines.append("")
    inside = [entry for entry in result.entries if first <= entry.at_us <= last]
    happened = [(entry.at_us, f"{entry.name} {entry.value}") for entry in inside]
    happened += [(step_.at_us + result.t0_us, f"<< {step_}") for step_ in result.case.steps]
    for at_us, text in sorted(happened, key=lambda one: one[0])[:_LINES]:
        lines.append(f"{(at_us - result.t0_us) / 1000:12.3f} ms  {text}")
    return "\n".join(lines)


def _window(result: Result) -> tuple[int, int]:
    begin = result.t0_us + (result.case.steps[0].at_us if result.case.steps else 0)
    after = [entry.at_us for entry in result.entries if entry.at_us >= begin and not _is_noise(entry)]
    last = max([begin, *after, *(step.at_us + result.t0_us for step in result.case.steps)])
    margin = max(1000, int((last - begin) * _LEAD))
    return max(0, begin - margin), min(last + margin, result.end_us)


def _is_noise(entry: Entry) -> bool:
    return entry.name.startswith("led")


def _ruler(first_us: int, step_us: int) -> str:
    cells = "".join(f"{(first_us + column * step_us) / 1000:<12.1f}"[:12] for column in range(0, COLUMNS, 12))
    return f"{'ms':<{_LABEL}}{cells}"


def _lane(name: str, entries: tuple[Entry, ...], first_us: int, step_us: int) -> str:
    own = [entry for entry in entries if entry.name == name]
    cells = []
    for column in range(COLUMNS):
        end = first_us + (column + 1) * step_us
        value: object = None
        changed = False
        for entry in own:
            if entry.at_us >= end:
                break
            value = entry.value
            changed = entry.at_us >= end - step_us
        cells.append("|" if changed else _cell(value))
    return f"{name:<{_LABEL}}{''.join(cells)}"


def _cell(value: object) -> str:
    """One column: on `#`, off `.`, PWM `=`, steady +12 V `^`, -12 V `v`, a car's state its letter."""
    if value is True:
        return "#"
    if value is False:
        return "."
    if isinstance(value, int):
        return "v" if value <= 0 else "^" if value >= 1000 else "="
    return str(value)[0] if value is not None else " "


def _marks(name: str, times: list[int], first_us: int, step_us: int) -> str:
    cells = [" "] * COLUMNS
    for at in times:
        column = (at - first_us) // step_us
        if 0 <= column < COLUMNS:
            cells[column] = "!"
    return f"{name:<{_LABEL}}{''.join(cells)}".rstrip()
