"""`vsecc demo`: the whole station simulated, a car charges from plug-in to unplug."""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vsecc_cli import numbers
from vsecc_cli.errors import CommandError
from vsecc_cli.progress import Progress

if TYPE_CHECKING:
    from vsecc_sim.plc.powerline import Powerline
    from vsecc_sim.station.census import Census
    from vsecc_sim.station.station import SimulatedStation

BATTERY_WH = 400.0  # from 20 to 80 % in about 20 s at fast-charging power
NEXT_CAR_S = 5.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="a whole simulated station charges a simulated car",
        description="Runs the real firmware in the MCU emulator, the real host and a simulated car.",
        epilog="example: vsecc demo --once --profile polestar-2 --json",
    )
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "--once", action="store_true", help="one session, then a summary; exit 0 only if it reached its goal"
    )
    how_many.add_argument(
        "--sessions",
        type=numbers.count,
        metavar="N",
        help="N sessions in a row, then the last one's summary with what the process held (`growth`)",
    )
    parser.add_argument(
        "--battery", type=numbers.watt_hours, metavar="WH", default=BATTERY_WH, help="size of every battery"
    )
    parser.add_argument("--json", action="store_true", help="the summary as one JSON line at the end")
    parser.add_argument(
        "--protocol", choices=["din", "iso2"], help="offer this one, whatever the profile offers"
    )
    parser.add_argument(
        "--tls", action="store_true", help="ISO 15118-2 over TLS, with a PKI made for this run"
    )
    parser.add_argument(
        "--profile",
        default="default",
        help="which real car to behave like (vsecc sim ev --list); NAME,NAME: one per outlet",
    )
    parser.add_argument("--evses", type=int, choices=[1, 2], default=1, help="outlets that charge at once")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same random choices")
    parser.add_argument("--interpreter", choices=["auto", "micropython", "cpython"], default="auto")
    parser.add_argument(
        "--powerline",
        action="store_true",
        help="the cars come over simulated powerlines, SLAC included (root)",
    )
    parser.add_argument(
        "--pecc",
        nargs="?",
        const="auto",
        metavar="VERSION",
        help="power electronics over a WebSocket, PEP of this version (default: the newest both know)",
    )
    parser.add_argument("--no-ui", action="store_true", help="terminal only (there is no page yet)")
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help="write the trace: .pcapng, .json (for replay), .svg (picture) or .txt (every hop by its cause)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every session reached its goal."""
    try:
        return _over_powerline(args) if args.powerline else asyncio.run(_demo(args))
    except KeyboardInterrupt:
        return 0


def _over_powerline(args: argparse.Namespace) -> int:
    """The whole demo inside the station's network namespace; cars in theirs, modems in between."""
    from vsecc_sim.plc import namespaces
    from vsecc_sim.plc.powerline import Powerline

    try:
        with Powerline(outlets=args.evses, cars=args.evses) as line:
            namespaces.enter(line.station)
            return asyncio.run(_demo(args, line))
    except namespaces.NamespacesUnavailable as error:
        raise CommandError(f"--powerline: {error}") from error


async def _demo(args: argparse.Namespace, line: Powerline | None = None) -> int:
    from vsecc_sim.ev.profiles import profile_names
    from vsecc_sim.station import report
    from vsecc_sim.station.census import growth
    from vsecc_sim.station.options import PECC_SIMULATOR, StationOptions, outlet_urls
    from vsecc_sim.station.station import SimulatedStation

    unknown = sorted(set(args.profile.split(",")) - set(profile_names(None)))
    if unknown:
        raise CommandError(f"no profile {', '.join(unknown)}; there are {', '.join(profile_names(None))}")
    if args.trace:
        report.check_trace_file(args.trace)
    progress = Progress(to_stderr=args.json)
    options = StationOptions(
        evses=args.evses,
        seed=args.seed,
        interpreter=args.interpreter,
        capacity_wh=args.battery,
        tls=args.tls,
        plc=() if line is None else outlet_urls(args.evses),
        pecc=() if args.pecc is None else (PECC_SIMULATOR,),
        pep_version=args.pecc,
    )
    progress.say("starting: MCU emulator, host, power electronics, car")
    async with SimulatedStation(options, line=line) as station:
        progress.say(f"the firmware runs on {station.mcu.interpreter.describe()}")
        progress.say(f"the battery is scaled to {args.battery:.0f} Wh, so that a session is short")
        progress.watch(lambda: report.state(station)["evses"])
        done = await _sessions(station, args, progress)
        if args.trace:
            report.write_trace(station, args.trace)
    if args.sessions:
        done.newest |= {"sessions": done.count, "failed": done.failed, "growth": growth(done.counts)}
    if args.json:
        print(json.dumps(done.newest), flush=True)
    return 1 if done.failed else 0


@dataclass(slots=True)
class _Done:
    """The sessions so far; only the newest summary is kept, the others would look like a leak."""

    newest: dict[str, Any] = field(default_factory=dict)
    count: int = 0
    failed: int = 0
    counts: list[Census] = field(default_factory=list)


async def _sessions(station: SimulatedStation, args: argparse.Namespace, progress: Progress) -> _Done:
    """One session, as many as asked for, or one after the other until Ctrl-C."""
    from vsecc_sim.station.census import shorten_rings, take

    wanted = 1 if args.once else args.sessions
    done = _Done()
    if not await station.free():
        progress.say("an outlet is faulted: the car finds it so")
    if args.sessions and not args.trace:
        shorten_rings(station)
    while True:
        done.newest = await _session(station, args)
        done.count += 1
        done.failed += not done.newest["goal"]
        progress.finish(done.newest)
        if args.sessions:
            done.counts.append(take())
        if done.count == wanted:
            return done
        if not args.sessions:
            progress.say(f"next car in {NEXT_CAR_S:.0f} s (Ctrl-C ends)")
            await asyncio.sleep(NEXT_CAR_S)


async def _session(station: SimulatedStation, args: argparse.Namespace) -> dict[str, Any]:
    from vsecc_sim.station import report

    numbers = range(1, args.evses + 1)
    profiles = args.profile.split(",")
    for number in numbers:
        station.plug(number, profile=profiles[(number - 1) % len(profiles)], protocol=args.protocol)
    for number in numbers:
        await station.session_over(number)
    for number in numbers:
        await station.unplug(number)
    return report.summary(station)
