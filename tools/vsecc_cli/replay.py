"""`vsecc replay`: the car of a recorded session against a station."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vsecc_cli.errors import CommandError

if TYPE_CHECKING:
    from vsecc_sim.replay.capture import Capture
    from vsecc_sim.replay.report import ReplayReport


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `replay`."""
    parser = subparsers.add_parser(
        "replay",
        help="play the car of a recorded session against a station",
        description="Sends the recorded requests of a car, compares the answers with the recorded ones and "
        "prints what differs. Exit 1 on a difference that matters: missing answer, other message type, "
        "FAILED where the record has OK, answer later than the car would wait.",
        epilog="example: vsecc replay ioniq-93-percent.json --speed 10",
    )
    parser.add_argument("capture", type=Path, metavar="CAPTURE", help="recorded session (JSON)")
    parser.add_argument(
        "--to",
        metavar="URL",
        help="running station: sdp://HOST[:PORT] (sdp://[ff02::1%%eth1] on an interface) or tcp://HOST:PORT; "
        "without it a simulated station is started",
    )
    parser.add_argument("--speed", type=_speed, default=1.0, help="divide the car's recorded pauses by this")
    parser.add_argument("--json", action="store_true", help="the report as one JSON line")
    parser.set_defaults(run=run)


def _speed(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Play and compare; 0 when nothing that matters differs."""
    from vsecc_sim.replay.capture import load

    capture = load(args.capture)
    report = asyncio.run(_to(capture, args.to, args.speed) if args.to else _alone(capture, args.speed))
    print(json.dumps(report.as_json()) if args.json else report.table())
    return 1 if report.differences else 0


async def _to(capture: Capture, url: str, speed: float) -> ReplayReport:
    from vsecc_sim.replay.channel import connector
    from vsecc_sim.replay.player import replay

    return await replay(capture, connector(url), speed=speed)


async def _alone(capture: Capture, speed: float) -> ReplayReport:
    """A station of our own: the pilot of its outlet follows the replayed session."""
    from vsecc_sim.replay.channel import connector
    from vsecc_sim.replay.player import replay
    from vsecc_sim.station.options import StationOptions
    from vsecc_sim.station.station import SimulatedStation

    try:
        async with SimulatedStation(StationOptions(evses=1)) as station:
            station.plug_external(1)
            host, port = station.app.evses[1].v2g.sdp_address
            return await replay(capture, connector(f"sdp://[{host}]:{port}"), speed=speed)
    except TimeoutError as error:
        raise CommandError(f"the simulated station does not start: {error}") from error
