"""Draws the transition table for people; `python -m vsecc_host.station.diagram docs/station.md` renews it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from vsecc_host.station.faults import CAUSE_TEXT, asks_car_first, is_good_end, needs_replug, ramp_s
from vsecc_host.station.table import PHASES, TABLE, Input, Step
from vsecc_host.station.values import Cause, Phase

_LABELS = 4  # inputs named on one arrow; the table has them all


def mermaid() -> str:
    """The phases and what leads from one to the next."""
    arrows: dict[tuple[Phase, Phase], list[str]] = defaultdict(list)
    for (phase, seen), step in TABLE.items():
        if step.to is not None and step.to is not phase and not _ordinary(phase, seen, step):
            arrows[phase, step.to].append(seen.value)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {phase.name} : {phase.value}" for phase in PHASES]
    lines.append(f"    [*] --> {Phase.FAULTED.name}")
    for (phase, to), labels in arrows.items():
        shown = labels[:_LABELS] + (["..."] if len(labels) > _LABELS else [])
        text = ", ".join(shown).replace(":", "")
        lines.append(f"    {phase.name} --> {to.name} : {text}")
    return "\n".join([*lines, "```"])


def _ordinary(phase: Phase, seen: Input, step: Step) -> bool:
    """Unplugging and trips are the same from everywhere and would hide the rest."""
    return seen is Input.CP_A or (step.action == "trip" and phase is not Phase.CHARGING)


def table() -> str:
    """Every rule: what an input does in each phase."""
    head = ["Input", *(phase.value for phase in PHASES)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for seen in Input:
        cells = [_cell(phase, TABLE[phase, seen]) for phase in PHASES]
        lines.append(f"| {seen.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(phase: Phase, step: Step) -> str:
    if step.action == "skip":
        return ""
    if step.action == "note":
        return "."
    text = step.action
    if step.cause is not Cause.NONE:
        text += f" ({step.cause.value})"
    return text if step.to in (None, phase) else f"{text} **-> {step.to}**"


def causes() -> str:
    """What each cause means for people, for the output and for the next attempt."""
    lines = [
        "| Cause | For people | Contactors wait | Car asked first | Error | Unplug first |",
        "|---|---|---|---|---|---|",
    ]
    for cause, text in CAUSE_TEXT.items():
        wait = f"{ramp_s(cause):g} s" if ramp_s(cause) else "no"
        asked = "yes" if asks_car_first(cause) else ""
        error = "" if is_good_end(cause) else "yes"
        replug = "yes" if needs_replug(cause) else ""
        lines.append(f"| `{cause.value}` | {text} | {wait} | {asked} | {error} | {replug} |")
    return "\n".join(lines)


BLOCKS: dict[str, Callable[[], str]] = {"diagram": mermaid, "table": table, "causes": causes}


def replace_block(text: str, name: str, body: str) -> str:
    """The text with what stands between the two markers of this name replaced; ValueError without markers."""
    begin, end = f"<!-- {name} begin -->\n", f"\n<!-- {name} end -->"
    start, stop = text.index(begin) + len(begin), text.index(end)
    return text[:start] + body + text[stop:]


def main(path: str) -> None:
    """Renew every generated block of the document."""
    document = Path(path)
    text = document.read_text(encoding="utf-8")
    for name, draw in BLOCKS.items():
        text = replace_block(text, name, draw())
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
