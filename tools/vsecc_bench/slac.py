"""`vsecc bench slac`: answer times, lost sounds, cars in parallel; beside pyslac on the same powerline."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from vsecc_bench.peers import PeerUnavailable, peer_python
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_sim.plc import habits, namespaces
from vsecc_sim.plc.powerline import Powerline
from vsecc_sim.plc.shell import EvSlac, MediumShell
from vsecc_sim.plc.site import FAR_DB, NEAR_DB, outlet_interface

Progress = Callable[[str], None]
PACKAGES = ("pyslac==0.8.3", "marshmallow<4")  # its environs 9 does not import with marshmallow 4
CARS = 5  # C_EVSE_match_parallel
OUTLETS = 2
FAST = replace(habits.load(), start_after_ms=10, rsp_after_ms=3, match_after_ms=20, runs=1)
WAIT_S = 13.0  # the peer waits 10 s for a CM_SLAC_MATCH.REQ before it fails
_ANSWERS: dict[type[Any], type[Any]] = {m.SlacParmCnf: m.SlacParmReq, m.SlacMatchCnf: m.SlacMatchReq}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench slac`."""
    parser = subparsers.add_parser(
        "slac",
        help="SLAC matching beside pyslac",
        description="Answer times, lost sounds, five cars at once, two ports; real interfaces (root). P13.",
        epilog="example: vsecc bench slac --json",
    )
    parser.add_argument("--matches", type=int, default=60, help="matches to take answer times from")
    parser.add_argument("--no-peer", action="store_true", help="only our own figures")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Figures:
    """What one implementation was measured at; None: not measured."""

    name: str
    answers_ms: list[float] = field(default_factory=list)  # CM_SLAC_PARM and CM_SLAC_MATCH
    reports_ms: list[float] = field(default_factory=list)  # last profile to CM_ATTEN_CHAR.IND
    matched: str = ""
    lost_sounds: str = ""
    parallel_answered: str = ""
    parallel_matched: str = ""
    two_ports: str = ""
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Figures for the table and for --json."""
        return {
            "name": self.name,
            "answers": len(self.answers_ms),
            **{f"answer_{key}": value for key, value in _spread(self.answers_ms).items()},
            **{f"report_{key}": value for key, value in _spread(self.reports_ms).items()},
            "matched": self.matched,
            "three_of_ten_sounds_lost": self.lost_sounds,
            "five_cars_answered": self.parallel_answered,
            "five_cars_matched": self.parallel_matched,
            "two_ports_matched": self.two_ports,
            "note": self.note,
        }


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    try:
        rows = [_measure("vsecc", _own_command(), args.matches, progress)]
    except namespaces.NamespacesUnavailable as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    if not args.no_peer:
        try:
            python = peer_python("pyslac", PACKAGES, progress)
            script = Path(__file__).with_name("slac_peer.py")
            rows.append(_measure("pyslac 0.8.3", [str(python), str(script)], args.matches, progress))
        except PeerUnavailable as error:
            rows.append(Figures("pyslac", note=f"not measured: {error}"))
    table = [figures.row() for figures in rows]
    print(json.dumps({"bench": "slac", "rows": table}) if args.json else _text(table))
    return 0


def _measure(name: str, command: Sequence[str], matches: int, progress: Progress) -> Figures:
    with Powerline(outlets=OUTLETS, cars=CARS, join_s=0.05) as line:
        return asyncio.run(_all(name, command, line, matches, progress))


async def _all(
    name: str, command: Sequence[str], line: Powerline, matches: int, progress: Progress
) -> Figures:
    figures = Figures(name)
    async with _Bench.open(line, command) as bench:
        progress(f"{name}: {matches} matches")
        good = [await bench.match((1,), {1: 1}) for _ in range(matches)]
        figures.answers_ms = bench.answers_ms  # of every round, the crowded ones too
        figures.reports_ms = list(bench.reports_ms)  # no sound was lost so far
        figures.matched = f"{sum(good)} of {matches}"
        progress(f"{name}: lost sounds, {CARS} cars, {OUTLETS} ports")
        manners = line.medium.modems["outlet1"].manners
        manners.drop_sounds = frozenset({1, 5, 9})
        figures.lost_sounds = f"{sum([await bench.match((1,), {1: 1}) for _ in range(5)])} of 5"
        manners.drop_sounds = frozenset()
        everybody = tuple(range(1, CARS + 1))
        bench.answered = 0
        rounds = [await bench.match(everybody, {1: car}) for car in everybody]
        figures.parallel_matched = f"{sum(rounds)} of {CARS}"
        figures.parallel_answered = f"{bench.answered} of {CARS * CARS}"
        both = [await bench.match((1, 2), {1: 1, 2: 2}) for _ in range(5)]
        figures.two_ports = f"{sum(both)} of 10"
    return figures


class _Outlet:
    """One process under test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def say(self, verb: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb}\n".encode())

    async def heard(self, *words: str) -> str:
        """The next line that begins with one of these words; empty when none comes in time."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(WAIT_S):
                while line := (await self._process.stdout.readline()).decode():
                    if line.split()[0] in words:
                        return line.strip()
        except TimeoutError:
            pass
        return ""

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()


class _Bench:
    """Cars and modems here, outlets in processes; times are taken where frames leave and reach the modem."""

    def __init__(self, line: Powerline, shell: MediumShell, outlets: list[_Outlet]) -> None:
        self.answers_ms: list[float] = []
        self.reports_ms: list[float] = []
        self.answered = 0
        self._line = line
        self._outlets = outlets
        self._asked: dict[tuple[str, bytes, type[Any]], float] = {}
        shell.on_frame = self._frame

    @classmethod
    @asynccontextmanager
    async def open(cls, line: Powerline, command: Sequence[str]) -> AsyncIterator[_Bench]:
        """Start everything; PeerUnavailable when an outlet does not get ready."""
        async with AsyncExitStack() as stack:
            shell = line.shell()
            stack.callback(shell.close)
            outlets = []
            for number in range(1, OUTLETS + 1):
                process = await asyncio.create_subprocess_exec(
                    *("ip", "netns", "exec", line.station, *command, outlet_interface(number)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                outlets.append(_Outlet(process))
                stack.push_async_callback(outlets[-1].close)
            for outlet in outlets:
                if not await outlet.heard("ready"):
                    raise PeerUnavailable("an outlet did not set its key")
            yield cls(line, shell, outlets)

    async def match(self, cars: Sequence[int], plugged: dict[int, int]) -> int:
        """Cars sound at once; how many of `plugged` (outlet -> car) matched with their own outlet."""
        for car in cars:
            for outlet in range(1, OUTLETS + 1):
                level_db = NEAR_DB if plugged.get(outlet) == car else FAR_DB
                self._line.medium.connect(f"car{car}", f"outlet{outlet}", level_db)
        self._asked.clear()
        for outlet in plugged:
            self._outlets[outlet - 1].say("plug")
        await asyncio.sleep(0.05)  # the peer opens its socket anew and does not say when
        made = [EvSlac(self._line.ev_socket(car), FAST) for car in cars]
        for ev in made:
            ev.begin()
        by_outlet = {o: await self._outlets[o - 1].heard("matched", "failed") for o in plugged}
        good = 0
        for outlet, said in by_outlet.items():
            expected = f"matched 0200000003{plugged[outlet]:02X}"
            good += said == expected
        self.answered += sum(self._reported(ev) for ev in made)
        for ev in made:
            ev.close()
        for outlet in plugged:
            self._outlets[outlet - 1].say("unplug")
            await self._outlets[outlet - 1].heard("ready")
        return good

    @staticmethod
    def _reported(ev: EvSlac) -> bool:
        return any(outlet.average_db is not None for outlet in ev.machine.outlets.values())

    def _frame(self, name: str, sent: bool, raw: bytes, at: float) -> None:
        if not name.startswith("outlet") or raw[12:14] != codec.ETHERTYPE.to_bytes(2, "big"):
            return
        frame = codec.decode(raw)
        if frame is None:
            return
        message, kind = frame.message, type(frame.message)
        if not sent:
            ev_mac = message.ev_mac if isinstance(message, m.AttenProfileInd) else frame.source
            self._asked[name, ev_mac, kind] = at
        elif kind in _ANSWERS:
            asked = self._asked.get((name, frame.destination, _ANSWERS[kind]))
            if asked is not None:
                self.answers_ms.append(1000 * (at - asked))
        elif kind is m.AttenCharInd:
            asked = self._asked.get((name, frame.destination, m.AttenProfileInd))
            if asked is not None:
                self.reports_ms.append(1000 * (at - asked))


def _own_command() -> list[str]:
    """The same interpreter with the same paths, whether installed or run from a checkout."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return ["env", f"PYTHONPATH={paths}", sys.executable, "-m", "vsecc_bench.slac_host"]


def _spread(times_ms: list[float]) -> dict[str, float | None]:
    many = len(times_ms) > 1
    return {
        "median_ms": round(median(times_ms), 3) if times_ms else None,
        "p99_ms": round(quantiles(times_ms, n=100, method="inclusive")[98], 3) if many else None,
        "max_ms": round(max(times_ms), 3) if times_ms else None,
    }


def _text(table: list[dict[str, Any]]) -> str:
    keys = [key for key in table[0] if key != "name"]
    lines = [f"{'':28}" + "".join(f"{row['name']:>24}" for row in table)]
    lines += [f"{key:28}" + "".join(f"{_cell(row[key]):>24}" for row in table) for key in keys]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return "-" if value in (None, "") else str(value)


if __name__ == "__main__":
    _parser = argparse.ArgumentParser()
    add_parser(_parser.add_subparsers(required=True))
    _args = _parser.parse_args(["slac", *sys.argv[1:]])
    sys.exit(_args.run(_args))
