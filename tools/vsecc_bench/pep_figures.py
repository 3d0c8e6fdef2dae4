"""What `vsecc bench pep` measured at one SECC."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any


@dataclass(slots=True)
class Figures:
    """One measurement; times in ms."""

    name: str
    answers_ms: list[float] = field(default_factory=list)  # CurrentDemandRes, seen by the car
    wire_ms: list[float] = field(default_factory=list)  # request to targetValues, both on the wire
    targets_ms: list[float] = field(default_factory=list)  # the same from the car's write to the PECC's read
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Figures for the table and for --json."""
        return {
            "name": self.name,
            "answers": _figures(self.answers_ms),
            "wire": _figures(self.wire_ms),
            "targets": _figures(self.targets_ms),
            "note": self.note,
        }


def _figures(times: list[float]) -> dict[str, Any] | None:
    if len(times) < 2:
        return None
    return {
        "count": len(times),
        "median_ms": round(median(times), 3),
        "p99_ms": round(quantiles(times, n=100, method="inclusive")[98], 3),
        "max_ms": round(max(times), 3),
    }
