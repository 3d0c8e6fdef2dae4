"""What a simulated car tells: progress while it charges, a result at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from vsecc_sim.ev.values import Answered, Ended, EvEnd, EvPhase


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


class Record:
    """What happened so far; the last session decides the end."""

    def __init__(self, profile: str, soc_start: float) -> None:
        self._profile = profile
        self._soc_start = soc_start
        self._spans: list[tuple[EvPhase, float]] = []
        self._answers: dict[str, list[float]] = {}
        self.phase = EvPhase.CONNECTED
        self.energised = False
        self.trouble: list[str] = []  # of paused sessions
        self.rounds = 0
        self.protocol = ""  # agreed on in the newest session
        self.tls = False

    def enter(self, phase: EvPhase, at: float) -> None:
        """The next phase begins."""
        self.phase = phase
        self.energised = self.energised or phase is EvPhase.CHARGING
        self._spans.append((phase, at))

    def answered(self, event: Answered) -> None:
        """The charger answered."""
        self._answers.setdefault(event.message, []).append(round(event.response_s * 1000.0, 4))

    def elapsed_s(self, at: float) -> float:
        """Since the start of the run."""
        return at - self._spans[0][1] if self._spans else 0.0

    def result(self, ended: Ended, soc_end: float, energy_wh: float, complaints: list[str]) -> EvResult:
        """The run is over."""
        stopped = ended.end is EvEnd.STOPPED_BY_DRIVER and self.energised
        reached = ended.end is EvEnd.CHARGED or stopped
        errors = [*complaints, *self.trouble, *ended.trouble]
        if not reached:
            errors.insert(0, f"{ended.end}: {ended.detail}" if ended.detail else str(ended.end))
        return EvResult(
            profile=self._profile,
            end=ended.end,
            detail=ended.detail,
            goal=reached and not errors,
            energy_wh=energy_wh,
            soc_start=self._soc_start,
            soc_end=soc_end,
            phases=self._phases(),
            answers=self._answers,
            errors=tuple(errors),
            rounds=self.rounds,
            protocol=self.protocol,
            tls=self.tls,
        )

    def _phases(self) -> tuple[PhaseSpan, ...]:
        ends = [at for _, at in self._spans[1:]] + [self._spans[-1][1]]
        return tuple(
            PhaseSpan(str(phase), self.elapsed_s(at), end - at)
            for (phase, at), end in zip(self._spans, ends, strict=True)
        )


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
