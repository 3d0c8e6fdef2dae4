"""The same public EVCC at the EcoG SECC and at ours, DIN and ISO 15118-2: who takes how long (P3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from vsecc_bench import ecog, wire
from vsecc_bench.own_station import station_in_namespace
from vsecc_bench.wire_tcp import watching

Progress = Callable[[str], None]
OURS, THEIRS = "vsecc", "EcoG SECC"
GOAL_PERCENT = 5.0
LOOPS = 30  # CurrentDemand rounds the EVCC makes
ATTEMPTS = 3  # per session: on a busy machine the EVCC gives up on its own maker's SECC after 250 ms


@dataclass(frozen=True, slots=True)
class Whole:
    """Sessions of one protocol at one SECC."""

    secc: str
    protocol: str
    sessions: tuple[wire.SessionTimes, ...]
    memory_mib: float
    failed: int  # sessions that did not come to their end

    def row(self) -> dict[str, Any]:
        """Medians over the sessions; times in s, answers in ms, memory in MiB."""
        answers = sorted(ms for one in self.sessions for ms in one.answers_ms("CurrentDemandRes"))
        return {
            "secc": self.secc,
            "protocol": self.protocol,
            "sessions": len(self.sessions),
            "failed": self.failed,
            "session_s": self._median("session_s"),
            "car_s": self._median("car_s"),
            "ongoing_s": self._median("ongoing_s"),
            "secc_s": self._median("charger_s"),
            "secc_percent": self._median("share_percent"),
            "current_demand_ms": round(median(answers), 3) if answers else None,
            "current_demand_max_ms": round(answers[-1], 3) if answers else None,
            "memory_mib": round(self.memory_mib, 1),
        }

    def _median(self, name: str) -> float | None:
        values = [getattr(session, name) for session in self.sessions]
        return round(median(values), 3) if values else None


def measure(python: Path, rounds: int, progress: Progress) -> list[Whole]:
    """Every combination, `rounds` sessions each; PeerUnavailable without root, Java or the package."""
    found = []
    with ecog.veth_pair() as pair:
        for protocol in ecog.PROTOCOLS:
            for secc in (THEIRS, OURS):
                progress(f"EcoG EVCC at {secc}, {protocol}, {rounds} sessions")
                found.append(_several(python, pair, secc, protocol, rounds))
    return found


def _several(python: Path, pair: ecog.VethPair, secc: str, protocol: str, rounds: int) -> Whole:
    sessions: list[wire.SessionTimes] = []
    memory_mib, failed = 0.0, 0
    while len(sessions) < rounds and len(sessions) + failed < ATTEMPTS * rounds:
        with _serving(secc, python, pair, protocol) as pid:
            with watching(pair.station_interface, pair.station_namespace) as tap:
                run = ecog.run_evcc(python, pair, LOOPS, protocol=protocol)
            memory_mib = max(memory_mib, ecog.tree_memory_mib(pid))
        times = wire.session_times(tap.segments, protocol)
        if times is None or not run.finished:
            failed += 1
        else:
            sessions.append(times)
    return Whole(secc, protocol, tuple(sessions), memory_mib, failed)


@contextmanager
def _serving(secc: str, python: Path, pair: ecog.VethPair, protocol: str) -> Iterator[int]:
    """The SECC on the station's end; a fresh one, so that each has a fresh plug-in. Its process id."""
    if secc == OURS:
        with station_in_namespace(pair) as station:
            yield station.pid
    else:
        with ecog.secc(python, pair, protocol) as process:
            yield process.pid


def show(rows: list[dict[str, Any]]) -> None:
    """The table and, per protocol, what it says."""
    print(
        f"\n{'whole session, the same EVCC':<24} {'n':>3} {'session':>9} {'EVCC':>9} {'(ongoing)':>10} ",
        end="",
    )
    print(f"{'SECC':>9} {'share':>8} {'CurrentDemand':>14}")
    for row in rows:
        name = f"{row['secc']}, {row['protocol']}"
        if row["session_s"] is None:
            print(f"{name:<24} {0:>3} {row['failed']} attempts, none came to its end")
            continue
        print(
            f"{name:<24} {row['sessions']:>3} {row['session_s']:>7.2f} s {row['car_s']:>7.2f} s "
            f"{row['ongoing_s']:>8.2f} s {row['secc_s']:>7.3f} s {row['secc_percent']:>6.2f} % "
            f"{row['current_demand_ms']:>11.2f} ms" + (f"  {row['failed']} failed" if row["failed"] else "")
        )
    for line in verdicts(rows):
        print(line)
    print(
        "SECC: from the last byte of a request to the last byte of its answer, on the wire; EVCC: the rest,"
    )
    print("(ongoing) of it because an answer said Ongoing. Medians over the sessions.")


def verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """Ours against theirs, one line per protocol that both came through."""
    return [
        f"{protocol}: our share {found['secc_percent']:.2f} %, goal {GOAL_PERCENT:g} %: "
        f"{'met' if found['met'] else 'missed'}; the EcoG SECC takes "
        f"{found['peer_times']:.0f} times as long to answer"
        for protocol, found in ratios(rows).items()
    ]


def ratios(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By protocol: our share, whether it meets the goal, how many times longer the peer takes to answer."""
    found = {}
    for protocol in ecog.PROTOCOLS:
        of = {row["secc"]: row for row in rows if row["protocol"] == protocol and row["secc_s"]}
        if OURS in of and THEIRS in of:
            ours, theirs = of[OURS], of[THEIRS]
            found[protocol] = {
                "secc_percent": ours["secc_percent"],
                "goal_percent": GOAL_PERCENT,
                "met": ours["secc_percent"] < GOAL_PERCENT,
                "peer_times": round(theirs["secc_s"] / ours["secc_s"], 1),
            }
    return found
