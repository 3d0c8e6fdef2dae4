"""Runs cases: stage, stimuli, verdicts; the same for every way to execute the program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter

from vsecc_sim.mcu.campaign.case import Case
from vsecc_sim.mcu.campaign.judge import Verdict, judge
from vsecc_sim.mcu.campaign.stage import Stage
from vsecc_sim.mcu.interpreter import Interpreter
from vsecc_sim.mcu.trace import Entry


@dataclass(frozen=True, slots=True)
class Result:
    """What one case did; `entries` is the board's trace for the timeline."""

    case: Case
    chip: str
    verdicts: tuple[Verdict, ...]
    entries: tuple[Entry, ...]
    t0_us: int
    end_us: int
    checks: int
    took_s: float

    @property
    def ok(self) -> bool:
        """True when every demand was met."""
        return all(verdict.ok for verdict in self.verdicts)


def run_case(case: Case, chip: str | None = None, interpreter: Interpreter | None = None) -> Result:
    """One case in virtual time; `chip` overrides the case's own."""
    started = perf_counter()
    chip = chip or case.chip
    stage = Stage(case, chip, interpreter)
    try:
        stage.prepare()
        for step in case.steps:
            stage.run_until(stage.t0_us + step.at_us)
            stage.apply(step)
        last_us = case.steps[-1].at_us if case.steps else 0
        end_us = stage.t0_us + last_us + round(case.run_ms * 1000)
        stage.run_until(end_us)
        verdicts = tuple(judge(case, stage, end_us))
    finally:
        stage.close()
    name = chip if chip == "sim" else f"pico on {interpreter.describe() if interpreter else 'CPython'}"
    return Result(
        case, name, verdicts, tuple(stage.board.trace.entries()), stage.t0_us, end_us, stage.oracle.checks,
        perf_counter() - started,
    )  # fmt: skip


def run_cases(
    cases: Iterable[Case], chip: str | None = None, interpreter: Interpreter | None = None
) -> Iterator[Result]:
    """Each case in turn."""
    for case in cases:
        yield run_case(case, chip, interpreter)
