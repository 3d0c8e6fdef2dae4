"""What a simulated car tells: progress while it charges, a result at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from vsecc_sim.ev.values import EvEnd, EvPhase


class Progress(NamedTuple):
    """Newest figures, at every phase and every answer of the loop; `at_s` since the start of the run."""

    at_s: float
    phase: EvPhase
    voltage_v: float
    current_a: float
    soc_percent: float
    energy_wh: float


class PhaseSpan(NamedTuple):
    """One phase; `start_s` since the start of the run."""

    name: str
    start_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvResult:
    """One plug-in from the car's side."""

    profile: str
    end: EvEnd
    detail: str
    goal: bool  # charged, or stopped by its driver while charging, without complaint
    energy_wh: float
    soc_start: float
    soc_end: float
    phases: tuple[PhaseSpan, ...]
    answers: dict[str, list[float]]  # response times in ms by response
    errors: tuple[str, ...]
    rounds: int  # sessions tried
    protocol: str = ""  # of the last session; empty: none agreed on
    tls: bool = False

    def as_json(self) -> dict[str, Any]:
        """For `--json`, answers as figures."""
        table = asdict(self)
        times = sorted(time for one in self.answers.values() for time in one)
        for key in ("energy_wh", "soc_start", "soc_end"):
            table[key] = round(table[key], 1)
        table["phases"] = [
            {"name": span.name, "start_s": round(span.start_s, 3), "duration_s": round(span.duration_s, 3)}
            for span in self.phases
        ]
        table["answers"] = summary_of(times)
        return table


def summary_of(times_ms: list[float]) -> dict[str, float]:
    """Count, median, p99 and maximum of sorted response times."""
    if not times_ms:
        return {"count": 0, "median_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
    last = len(times_ms) - 1
    return {
        "count": len(times_ms),
        "median_ms": round(times_ms[last // 2], 3),
        "p99_ms": round(times_ms[min(last, int(len(times_ms) * 0.99))], 3),
        "max_ms": round(times_ms[-1], 3),
    }
