"""`vsecc bench session`: answers, memory and loop latency of the host, beside the EcoG SECC in one run."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from vsecc_bench import ecog
from vsecc_bench.peers import PeerUnavailable

Progress = Callable[[str], None]
HOST_UP_S = 15.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench session`."""
    parser = subparsers.add_parser(
        "session",
        help="whole sessions: answers, memory, loop latency",
        description="Two cars charge at once at the host (own process); then the EcoG EVCC meets both SECCs.",
        epilog="example: vsecc bench session --json",
    )
    parser.add_argument(
        "--profile", default="model-x-plaid", help="how the two cars behave (the Plaid asks fastest)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the two cars charge")
    parser.add_argument("--no-peer", action="store_true", help="only our own figures")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Figures:
    """What one SECC was measured at; times in ms, memory in MiB."""

    name: str
    answers_ms: list[float] = field(default_factory=list)
    memory_mib: float = 0.0
    longest_block_ms: float | None = None
    session_s: float | None = None
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Figures for the table and for --json."""
        times = self.answers_ms
        many = len(times) > 1
        return {
            "name": self.name,
            "answers": len(times),
            "median_ms": round(median(times), 3) if times else None,
            "p99_ms": round(quantiles(times, n=100, method="inclusive")[98], 3) if many else None,
            "max_ms": round(max(times), 3) if times else None,
            "memory_mib": round(self.memory_mib, 1),
            "longest_block_ms": None if self.longest_block_ms is None else round(self.longest_block_ms, 2),
            "session_s": None if self.session_s is None else round(self.session_s, 2),
            "note": self.note,
        }


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    rows = [asyncio.run(_two_cars(args.profile, args.seconds, progress))]
    if not args.no_peer:
        rows += _against_peer(progress)
    table = [figures.row() for figures in rows]
    if args.json:
        print(json.dumps({"bench": "session", "rows": table}))
    else:
        _print(table)
    return 0


def _print(table: list[dict[str, Any]]) -> None:
    print(f"{'':<44} {'n':>6} {'median':>8} {'p99':>8} {'max':>8} {'memory':>8} {'block':>8} {'session':>8}")
    for row in table:
        names = ("median_ms", "p99_ms", "max_ms", "memory_mib", "longest_block_ms", "session_s")
        figures = [row[name] for name in names]
        shown = " ".join(f"{'-' if value is None else value:>8}" for value in figures)
        print(f"{row['name']:<44} {row['answers']:>6} {shown}  {row['note']}")
    print("CurrentDemand answers in ms, memory resident in MiB, longest loop block in ms, session in s")


async def _two_cars(profile: str, seconds: float, progress: Progress) -> Figures:
    """Our host in its own process, the MCU emulator and two cars in this one."""
    from vsecc_sim.mcu.service import McuEmulator

    progress(f"two cars ({profile}) charge for {seconds:.0f} s at our host")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        async with McuEmulator(url="tcp://127.0.0.1:0", interpreter="auto") as mcu:
            config = Path(folder) / "vsecc.toml"
            config.write_text(f'[Mcu]\nUrl = "{mcu.url}"\n')
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "vsecc_cli.main", "run",
                "--config", str(config), "--report", str(report),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                addresses = await asyncio.wait_for(_sdp_addresses(process), HOST_UP_S)
                times = await _charge(mcu, addresses, profile, seconds)
                memory_mib = ecog.tree_memory_mib(process.pid)
            finally:
                process.send_signal(signal.SIGTERM)
                await process.wait()
        reported = json.loads(report.read_text())
    return Figures(
        "vsecc, two cars, seen by the cars", times, memory_mib, longest_block_ms=reported["longest_block_ms"]
    )


async def _sdp_addresses(process: asyncio.subprocess.Process) -> dict[int, str]:
    """SDP address per outlet, from what the host prints when it is up."""
    assert process.stdout is not None
    addresses: dict[int, str] = {}
    while True:
        line = (await process.stdout.readline()).decode()
        if not line:
            raise RuntimeError("the host ended before it was up")
        if "SDP on" in line:
            addresses[int(line.split()[1].rstrip(":"))] = line.split()[-1]
        if "is up" in line:
            return addresses


async def _charge(mcu: Any, addresses: dict[int, str], profile: str, seconds: float) -> list[float]:
    """Run one car per outlet for a while; answer times of CurrentDemand in ms."""
    from vsecc_sim.ev.profiles import load_profile
    from vsecc_sim.ev.simulator import EvSimulator
    from vsecc_sim.plant.battery import Battery
    from vsecc_sim.station.outlet import EmulatedPilot

    cars = []
    for evse, address in addresses.items():
        battery = Battery.of_profile(load_profile(profile), 30.0)
        pilot = EmulatedPilot(mcu, evse)
        pilot.set_state("B")
        cars.append(
            EvSimulator(
                profile,
                sdp=f"sdp://{address}",
                bus=None,
                battery=battery,
                pilot=pilot,
                target_soc_percent=100.0,
            )
        )
    tasks = [asyncio.create_task(car.run()) for car in cars]
    await asyncio.sleep(seconds)
    for car in cars:
        car.request_stop()
    results = await asyncio.gather(*tasks)
    return [time_ms for result in results for time_ms in result.answers.get("CurrentDemandRes", [])]


def _against_peer(progress: Progress) -> list[Figures]:
    """The same public EVCC against the EcoG SECC and against ours, over the same kind of veth pair."""
    try:
        python = ecog.installed(progress)
        with ecog.veth_pair() as pair:
            progress("EcoG EVCC at the EcoG SECC")
            theirs = _theirs(python, pair)
            progress("EcoG EVCC at our SECC")
            ours = _ours(python, pair)
        return [ours, theirs]
    except PeerUnavailable as error:
        return [Figures("EcoG SECC", note=f"not measured: {error}")]


def _theirs(python: Path, pair: ecog.VethPair) -> Figures:
    with ecog.secc(python, pair) as process:
        measured = ecog.run_evcc(python, pair)
        memory_mib = ecog.tree_memory_mib(process.pid)
    return _figures("EcoG SECC, seen by the EcoG EVCC", measured, memory_mib)


def _ours(python: Path, pair: ecog.VethPair) -> Figures:
    from vsecc_bench.own_station import station_in_namespace

    with station_in_namespace(pair) as station:
        measured = ecog.run_evcc(python, pair)
        memory_mib = ecog.tree_memory_mib(station.pid)
    return _figures("vsecc station with emulator, seen by the EcoG EVCC", measured, memory_mib)


def _figures(name: str, measured: ecog.EvccRun, memory_mib: float) -> Figures:
    return Figures(
        name,
        measured.answers_ms.get("CurrentDemandRes", []),
        memory_mib,
        session_s=measured.session_s,
        note="" if measured.finished else "session did not finish",
    )
