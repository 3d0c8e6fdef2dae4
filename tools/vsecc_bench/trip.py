"""`vsecc bench trip`: the pilot leaves C until the relay's drive pin stands still (P6), over all phases."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from vsecc_bench.histogram import histogram_svg
from vsecc_link import messages
from vsecc_sim.mcu.board import PORTS
from vsecc_sim.mcu.campaign.case import Case
from vsecc_sim.mcu.campaign.stage import Stage
from vsecc_sim.mcu.interpreter import Interpreter, find_micropython
from vsecc_sim.mcu.relay import PUMP_HOLD_US

LIMIT_MS = 10.0
TYPICAL_MS = 3.0
MS = 1000
# The longest collection the program allows itself under power (mcu/control.py), and what it computes until
# both ports are decided by the estimate of docs/mcu.md; the emulated chip itself computes in no time.
COLLECT_US = 5500
RP2350_US = 225
RP2040_US = 450
# Cycles before and after the change of the pilot in which the collection may begin.
PLACES = tuple(range(-7, 6))
# A cycle that came late by anything up to a period leaves the grid at any place of the pilot, shortly before.
LATE_AT = min(PLACES) - 2
LATE_US = 300
LETTERS = ("A", "B", "E", "broken wire", "stuck at -12 V")
_E_OHM = 5.0
_SETTLE_MS = 60
# A pilot that stood still is a fault of its duty, too; two averages of the read-back take it back.
_DUTY_SETTLE_MS = 400


@dataclass(frozen=True, slots=True)
class Way:
    """One distribution: whether a collection falls in, and what is computed until the decision."""

    name: str
    collects: bool
    compute_us: int


WAYS = (
    Way("RP2350, no collection", False, RP2350_US),
    Way("RP2040, no collection", False, RP2040_US),
    Way("RP2040, 5.5 ms collection, grid anywhere", True, RP2040_US),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench trip`."""
    parser = subparsers.add_parser(
        "trip",
        help="pilot leaves C to relay output low",
        description="The program over hal/pico.py on the emulated chip (PIO pump, converter ring) in exact "
        "virtual time; both ports, every phase of the pilot, a collection at every place, also while the "
        "cycle has lost its place in the pilot's period (P6).",
        epilog="example: vsecc bench trip --svg docs/trip-times.svg",
    )
    parser.add_argument("--step-us", type=int, default=50, help="distance of the phases, 1000 us of them")
    parser.add_argument("--cpython", action="store_true", help="not on MicroPython even where there is one")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the distributions as a picture")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; exit status 1 when a relay was driven for longer than 10 ms."""
    interpreter = None if args.cpython else find_micropython()
    times = {}
    for way in WAYS:
        print(f"{way.name} ...", file=sys.stderr, flush=True)
        times[way.name] = sorted(sweep(way, args.step_us, interpreter))
    rows = [row(name, values) for name, values in times.items()]
    on = interpreter.describe() if interpreter else "CPython"
    met = all(one["max_ms"] <= LIMIT_MS for one in rows)
    typical = rows[0]["median_ms"] <= TYPICAL_MS
    goals = {"P6 worst case": met, "P6 typical": typical}
    report: dict[str, Any] = {"bench": "trip", "interpreter": on, "rows": rows, "goals_met": goals}
    print(json.dumps(report)) if args.json else _print(report)
    if args.svg:
        title = "CP leaves C: until the relay's drive pin stands still"
        args.svg.write_text(histogram_svg(title, times, limit=LIMIT_MS), encoding="utf-8")
    return 0 if met else 1


def row(name: str, values: list[float]) -> dict[str, Any]:
    """Figures of one distribution in ms."""
    cuts = quantiles(values, n=100)
    return {
        "way": name,
        "samples": len(values),
        "min_ms": values[0],
        "median_ms": round(median(values), 3),
        "p99_ms": round(cuts[98], 3),
        "max_ms": values[-1],
    }


def sweep(way: Way, step_us: int, interpreter: Interpreter | None) -> Iterator[float]:
    """Trip times in ms: each phase with each way to leave, the place of the collection going round."""
    trips = Trips(way, interpreter)
    try:
        turn = 0
        for letter in LETTERS:
            for phase_us in range(0, MS, step_us):
                for _ in range(len(PLACES) if way.collects else len(PORTS)):
                    trips.port = PORTS[turn % len(PORTS)]
                    yield trips.measure(letter, phase_us, turn)
                    turn += 1
    finally:
        trips.close()


class Trips:
    """A station that charges on both ports and is tripped on `port` over and over."""

    def __init__(self, way: Way, interpreter: Interpreter | None) -> None:
        """Both charging."""
        self.port = PORTS[0]
        case = Case(id=way.name, title="", rules=(), group="bench", start="charging-both")
        self._way = way
        self._stage = Stage(case, "pico", interpreter)
        self._stage.prepare()
        self._stage.board.cycle_cost_us = way.compute_us
        self._next_us = self._stage.board.now_us

    def close(self) -> None:
        """Ends the chip."""
        self._stage.close()

    def measure(self, letter: str, phase_us: int, turn: int) -> float:
        """ms from the pilot's change, `phase_us` into a millisecond, to the still pin."""
        stage = self._stage
        changed_us = 0
        pauses = {}
        if self._way.collects:
            pauses = {LATE_AT: LATE_US + turn * 137 % MS, PLACES[turn % len(PLACES)]: COLLECT_US}
        for cycle in range(LATE_AT, 40):
            if cycle == 0:
                stage.run_until(self._next_us + phase_us)
                changed_us = stage.board.now_us
                self._leave(letter)
            self._cycle(pauses.get(cycle, 0))
        entry = stage.board.trace.first_after(changed_us, f"relay{self.port}.drive", False)
        if entry is None:
            raise RuntimeError(f"{letter} at {phase_us} us: the relay was never opened")
        if not stage.board.relays[3 - self.port].driven:
            raise RuntimeError(f"{letter} at {phase_us} us: the other port's relay opened, too")
        self._recover(letter)
        return (entry.at_us - PUMP_HOLD_US - changed_us) / MS

    def _cycle(self, extra_us: int = 0) -> None:
        """A millisecond, with a collection at its beginning or without."""
        self._next_us += MS
        self._stage.board.stall_us += extra_us
        self._stage.run_until(self._next_us)

    def _leave(self, letter: str) -> None:
        stage = self._stage
        if letter == "E":
            stage.board.ports[self.port].touch(stage.board.now_us)
            stage.board.ports[self.port].line.resistance_ohm = _E_OHM
        elif letter in ("A", "B"):
            stage.ev(self.port, letter)
        else:
            self._fault(letter, True)

    def _fault(self, letter: str, active: bool) -> None:
        port = self._stage.board.ports[self.port]
        port.touch(self._stage.board.now_us)
        port.line.set_fault("open" if letter == "broken wire" else "stuck_negative", active)

    def _recover(self, letter: str) -> None:
        """Back to charging; a latched short is cleared on the way."""
        stage = self._stage
        if letter not in ("A", "B", "E"):
            self._fault(letter, False)
        stage.ev(self.port, "B")
        self._pass(_DUTY_SETTLE_MS if letter == LETTERS[-1] else _SETTLE_MS)
        stage.host.send((messages.CLEAR_FAULTS, self.port), stage.now_ms)
        self._pass(_SETTLE_MS)
        stage.ev(self.port, "C")
        for _ in range(1000):
            self._cycle()
            if stage.board.relays[self.port].closed:
                break
        else:
            raise RuntimeError(f"not charging again after {letter}: {stage.host.heard[-8:]}")
        stage.host.heard.clear()
        stage.host.wire.clear()
        del stage.host.grants[:-20]

    def _pass(self, span_ms: int) -> None:
        for _ in range(span_ms):
            self._cycle()


def _print(report: dict[str, Any]) -> None:
    print(f"P6, pilot leaves C to relay drive pin still, on {report['interpreter']}")
    print(f"{'':42}{'samples':>8}{'min':>9}{'median':>9}{'p99':>9}{'max':>9}  ms")
    for one in report["rows"]:
        print(
            f"{one['way']:42}{one['samples']:8d}{one['min_ms']:9.3f}{one['median_ms']:9.3f}"
            f"{one['p99_ms']:9.3f}{one['max_ms']:9.3f}"
        )
    for goal, met in report["goals_met"].items():
        bound = LIMIT_MS if "worst" in goal else TYPICAL_MS
        print(f"{goal}: goal {bound:g} ms {'met' if met else 'missed'}")
