"""PEP messages of a recorded session as a sequence diagram: `python -m vsecc_sim.pep_flow session.json`.

Statuses appear where contactors, isolation or operation changed; a run of targets of one phase is one arrow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_WATCHED = ("contactorsStatus", "isolationStatus", "operationalStatus")


def mermaid(rows: Iterable[Json]) -> str:
    """The diagram; `rows` is the part `pep` of the recorded-session form."""
    lines = [f"    {line}" for line in _merged(_arrows(rows))]
    return "\n".join(["sequenceDiagram", "    participant S as SECC", "    participant P as PECC", *lines])


def _arrows(rows: Iterable[Json]) -> Iterator[tuple[str, str, str]]:
    """Arrow, what runs of equals are recognised by, text."""
    seen: Json = {}
    for row in rows:
        message = row["message"]
        if message is None or message["type"] == "response":
            continue
        arrow = "S->>P" if row["dir"] == "secc->pecc" else "P->>S"
        kind, payload = message["kind"], message["payload"]
        if kind == "status":
            now = {name: payload[name] for name in _WATCHED}
            news = {name: value for name, value in now.items() if seen.get(name) != value}
            seen = now
            if news:
                yield "P-->>S", "", f"status: {', '.join(news.values())}"
        elif kind == "targetValues":
            phase = payload["chargingState"]
            target = f"{payload['targetVoltage']:g} V, {payload['targetCurrent']:g} A"
            yield arrow, phase, f"{kind} {phase} {target}"
        else:
            yield arrow, "", _text(message, kind, payload)


def _text(message: Json, kind: str, payload: Json) -> str:
    if message["type"] == "error":
        return f"error {kind}: {payload['errorCategory']}"
    plain = {name: value for name, value in payload.items() if not isinstance(value, dict | list)}
    shown = [str(value) if name == kind else f"{name} {value}" for name, value in plain.items()]
    return f"{kind} {', '.join(shown)}".strip()


def _merged(arrows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    run: list[str] = []
    before = ""
    for arrow, group, text in arrows:
        line = f"{arrow}: {text}"
        if group and group == before:
            run.append(line)
            continue
        yield from _run(run)
        run, before = [line], group
    yield from _run(run)


def _run(run: list[str]) -> Iterator[str]:
    if len(run) > 2:
        yield run[0]
        yield f"Note over S,P: {len(run) - 2} more"
        yield run[-1]
    else:
        yield from run


def main() -> None:
    """Print the diagram of the file named on the command line."""
    print(mermaid(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["pep"]))


if __name__ == "__main__":
    main()
