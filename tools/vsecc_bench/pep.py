"""`vsecc bench pep`: EV request to PEP targetValues, and what slow power electronics do to answers."""

from __future__ import annotations

import argparse
import asyncio
import bisect
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from vsecc_bench import ecog
from vsecc_bench.peers import PeerUnavailable
from vsecc_bench.session import HOST_UP_S, sdp_addresses
from vsecc_sim.ev import values as ev
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.pecc.config import PeccConfig
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.service import PeccServer

Progress = Callable[[str], None]
SLOW_S = 0.1  # power electronics that take their time; PEP allows 500 ms
QUICK_S = 0.002
_CHARGE = b'"chargingState":"charge"'


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench pep`."""
    parser = subparsers.add_parser(
        "pep",
        help="EV request to PEP targetValues, beside the EcoG SECC",
        description="Two cars at our host (own process), the PECC answers at once and after 100 ms; "
        "then the EcoG EVCC at both SECCs with power electronics of both kinds.",
        epilog="example: vsecc bench pep --json",
    )
    parser.add_argument("--profile", default="model-x-plaid", help="how the cars behave")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the two cars charge")
    parser.add_argument("--no-peer", action="store_true", help="only our own figures")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Figures:
    """One measurement; times in ms."""

    name: str
    answers_ms: list[float] = field(default_factory=list)  # CurrentDemandRes, seen by the car
    targets_ms: list[float] = field(default_factory=list)  # request sent by the car to targetValues received
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Figures for the table and for --json."""
        return {
            "name": self.name,
            "answers": _figures(self.answers_ms),
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


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    rows = [asyncio.run(_two_cars(args, reply_s, progress)) for reply_s in (QUICK_S, SLOW_S)]
    if not args.no_peer:
        rows += _against_peer(progress)
    table = [figures.row() for figures in rows]
    if args.json:
        print(json.dumps({"bench": "pep", "rows": table}))
    else:
        _print(table)
    return 0


def _print(table: list[dict[str, Any]]) -> None:
    print(f"{'':<52} {'CurrentDemand answer, ms':^34} {'request to targetValues, ms':^34}")
    print(f"{'':<52} " + f"{'n':>7} {'median':>8} {'p99':>8} {'max':>8} " * 2)
    for row in table:
        cells = []
        for name in ("answers", "targets"):
            one = row[name] or {}
            cells += [f"{one.get('count', '-'):>7}"]
            cells += [f"{one.get(figure, '-'):>8}" for figure in ("median_ms", "p99_ms", "max_ms")]
        print(f"{row['name']:<52} {' '.join(cells)}  {row['note']}")


# --- our host, two cars ------------------------------------------------------------------------------


class Watched(ChargePoint):
    """Notes when targets of the charge loop arrive."""

    def __init__(self, number: int, config: PeccConfig) -> None:
        super().__init__(number, config)
        self.targets_at: list[float] = []

    def receive(self, data: str | bytes, now: float) -> None:
        """As the charge point."""
        if _CHARGE in (data.encode() if isinstance(data, str) else data):
            self.targets_at.append(now)
        super().receive(data, now)


class Asking(EvSimulator):
    """A car that remembers when it sent its requests of the charge loop."""

    asked_at: list[float]

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.Answered) and event.message == "CurrentDemandRes":
            self.asked_at.append(event.at - event.response_s)
        super()._event(event)


async def _two_cars(args: argparse.Namespace, reply_s: float, progress: Progress) -> Figures:
    progress(
        f"two cars ({args.profile}) for {args.seconds:.0f} s, the PECC answers after {reply_s * 1000:.0f} ms"
    )
    config = PeccConfig(manners=replace(PeccConfig().manners, reply_delay_s=reply_s))
    points = [Watched(number, config) for number in (1, 2)]
    server = PeccServer(points)
    await server.start()
    for number in server.links:
        server.links[number].supervise(True)  # the relay's wire ends in another process
    name = f"vsecc, two cars, PECC answers after {reply_s * 1000:.0f} ms"
    try:
        async with McuEmulator(url="tcp://127.0.0.1:0", interpreter="auto") as mcu:
            return await _with_host(args, name, mcu, server, points)
    finally:
        await server.stop()


async def _with_host(
    args: argparse.Namespace, name: str, mcu: McuEmulator, server: PeccServer, points: list[Watched]
) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "factory.json"
        entries: list[dict[str, Any]] = [{"component": "Mcu", "variable": "Url", "value": mcu.url}]
        for point in points:
            for variable, value in (
                ("Type", "Websocket"),
                ("Uri", server.url(point.number)),
                ("PepVersion", "auto"),
            ):
                entries.append(
                    {
                        "component": "PowerElectronics",
                        "variable": variable,
                        "evse": point.number,
                        "value": value,
                    }
                )
        config.write_text(json.dumps(entries))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vsecc_cli.main", "run", "--factory", str(config),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            addresses = await asyncio.wait_for(sdp_addresses(process), HOST_UP_S)
            await asyncio.wait_for(_linked(points), HOST_UP_S)
            cars, results = await _charge(args, mcu, addresses)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    figures = Figures(name)
    for car, result, point in zip(cars, results, points, strict=True):
        figures.answers_ms += result.answers.get("CurrentDemandRes", [])
        figures.targets_ms += delays_ms(car.asked_at, point.targets_at)
    broken = {rule for point in points for rule in point.conduct.counts}
    figures.note = f"the PECC noted {', '.join(sorted(broken))}" if broken else ""
    return figures


async def _linked(points: list[Watched]) -> None:
    while not all(point.linked for point in points):
        await asyncio.sleep(0.05)


async def _charge(
    args: argparse.Namespace, mcu: McuEmulator, addresses: dict[int, str]
) -> tuple[list[Asking], list[Any]]:
    from vsecc_sim.ev.profiles import load_profile
    from vsecc_sim.plant.battery import Battery
    from vsecc_sim.station.outlet import EmulatedPilot

    cars = []
    for evse, address in addresses.items():
        pilot = EmulatedPilot(mcu, evse)
        pilot.set_state("B")
        car = Asking(
            args.profile,
            sdp=f"sdp://{address}",
            bus=None,
            battery=Battery.of_profile(load_profile(args.profile), 30.0),
            pilot=pilot,
            target_soc_percent=100.0,
        )
        car.asked_at = []
        cars.append(car)
    tasks = [asyncio.create_task(car.run()) for car in cars]
    await asyncio.sleep(args.seconds)
    for car in cars:
        car.request_stop()
    return cars, list(await asyncio.gather(*tasks))


def delays_ms(asked_at: list[float], targets_at: list[float]) -> list[float]:
    """Each target from the newest request before it; of several for one request the first counts."""
    delays: dict[int, float] = {}
    for at in targets_at:
        index = bisect.bisect_right(asked_at, at) - 1
        if index >= 0:
            delays.setdefault(index, (at - asked_at[index]) * 1000)
    return list(delays.values())


# --- the public EVCC at both --------------------------------------------------------------------------------


def _against_peer(progress: Progress) -> list[Figures]:
    try:
        python = ecog.installed(progress)
        rows = []
        with ecog.veth_pair() as pair:
            for power_s in (None, SLOW_S):
                progress(f"EcoG EVCC at our station, PECC answers after {(power_s or QUICK_S) * 1000:.0f} ms")
                rows.append(_ours(python, pair, power_s or QUICK_S))
            for power_s in (None, SLOW_S):
                progress(f"EcoG EVCC at the EcoG SECC, power electronics take {(power_s or 0) * 1000:.0f} ms")
                rows.append(_theirs(python, pair, power_s))
        return rows
    except PeerUnavailable as error:
        return [Figures("EcoG SECC", note=f"not measured: {error}")]


def _ours(python: Path, pair: ecog.VethPair, reply_s: float) -> Figures:
    from vsecc_bench.own_station import station_in_namespace

    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "pecc.json"
        scenario.write_text(json.dumps({"manners": {"reply_delay_s": reply_s}}))
        with station_in_namespace(pair, "--pecc", "sim://pep", "--pecc-scenario", str(scenario)):
            measured = ecog.run_evcc(python, pair)
    return _seen(f"EcoG EVCC at vsecc, PECC answers after {reply_s * 1000:.0f} ms", measured)


def _theirs(python: Path, pair: ecog.VethPair, power_s: float | None) -> Figures:
    with ecog.secc(python, pair, power_s=power_s):
        measured = ecog.run_evcc(python, pair)
    shown = "at once" if power_s is None else f"after {power_s * 1000:.0f} ms"
    return _seen(f"EcoG EVCC at EcoG SECC, power answers {shown}", measured)


def _seen(name: str, measured: ecog.EvccRun) -> Figures:
    note = "" if measured.finished else "session did not finish"
    return Figures(name, measured.answers_ms.get("CurrentDemandRes", []), note=note)
