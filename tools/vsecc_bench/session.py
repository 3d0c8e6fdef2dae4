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

from vsecc_bench import ecog, session_whole
from vsecc_bench.peers import PeerUnavailable

Progress = Callable[[str], None]
HOST_UP_S = 15.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench session`."""
    parser = subparsers.add_parser(
        "session",
        help="whole sessions: answers, memory, loop latency",
        description="Two cars charge at once at the host (own process); then the EcoG EVCC meets the EcoG "
        "SECC and ours, in DIN and ISO 15118-2, and the wire shows whose time a whole session takes.",
        epilog="example: vsecc bench session --json",
    )
    parser.add_argument(
        "--profile", default="model-x-plaid", help="how the two cars behave (the Plaid asks fastest)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the two cars charge")
    parser.add_argument("--rounds", type=int, default=1, help="whole sessions per SECC and protocol")
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
        }


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    table = [asyncio.run(_two_cars(args.profile, args.seconds, progress)).row()]
    whole, note = ([], "") if args.no_peer else _whole_sessions(args.rounds, progress)
    if args.json:
        ratios = session_whole.ratios(whole)
        print(json.dumps({"bench": "session", "rows": table, "whole": whole, "ratios": ratios, "note": note}))
        return 0
    _print(table)
    if whole:
        session_whole.show(whole)
    if note:
        print(f"EcoG SECC and EVCC not measured: {note}")
    return 0


def _whole_sessions(rounds: int, progress: Progress) -> tuple[list[dict[str, Any]], str]:
    """Rows of both SECCs, or why there are none."""
    try:
        found = session_whole.measure(ecog.installed(progress), rounds, progress)
    except PeerUnavailable as error:
        return [], str(error)
    return [whole.row() for whole in found], ""


def _print(table: list[dict[str, Any]]) -> None:
    print(f"{'':<44} {'n':>6} {'median':>8} {'p99':>8} {'max':>8} {'memory':>8} {'block':>8}")
    for row in table:
        names = ("median_ms", "p99_ms", "max_ms", "memory_mib", "longest_block_ms")
        figures = [row[name] for name in names]
        shown = " ".join(f"{'-' if value is None else value:>8}" for value in figures)
        print(f"{row['name']:<44} {row['answers']:>6} {shown}")
    print("CurrentDemand answers in ms, memory resident in MiB, longest loop block in ms")


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
                addresses = await asyncio.wait_for(sdp_addresses(process), HOST_UP_S)
                times = await _charge(mcu, addresses, profile, seconds)
                memory_mib = ecog.tree_memory_mib(process.pid)
            finally:
                process.send_signal(signal.SIGTERM)
                await process.wait()
        reported = json.loads(report.read_text())
    return Figures(
        "vsecc, two cars, seen by the cars", times, memory_mib, longest_block_ms=reported["longest_block_ms"]
    )


async def sdp_addresses(process: asyncio.subprocess.Process) -> dict[int, str]:
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
