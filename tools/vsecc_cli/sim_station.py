"""`vsecc sim station`: host, MCU emulator and neighbours in one process, scripted over the control API."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path
from urllib.parse import urlsplit

from vsecc_cli.errors import CommandError
from vsecc_sim.station.options import PECC_INSIDE, PECC_SIMULATOR


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `sim station`."""
    parser = subparsers.add_parser(
        "station",
        help="host, MCU emulator and neighbours, with a control API",
        description="Simulated station; GET /sim/state and POST /sim/<verb> on the control address.",
        epilog="example: vsecc sim station --control 127.0.0.1:8090; "
        "curl -d '{\"evse\": 1}' http://127.0.0.1:8090/sim/plug",
    )
    parser.add_argument("--state", metavar="DIR", type=Path, help="where settings survive a restart")
    parser.add_argument("--factory", metavar="FILE", type=Path, help="factory defaults, JSON list")
    parser.add_argument(
        "--control", metavar="HOST:PORT", default="127.0.0.1:8090", help="control API address"
    )
    parser.add_argument(
        "--plc",
        metavar="URL",
        action="append",
        default=[],
        help="once per outlet: sim:// or iface://eth1?slac=off",
    )
    parser.add_argument(
        "--powerline",
        action="store_true",
        help="cars come over simulated powerline modems in this process, SLAC and its faults included",
    )
    parser.add_argument(
        "--pecc",
        metavar="URL",
        action="append",
        default=[],
        help="once per outlet, or one for all: sim:// (inside the host), sim://pep (the PECC simulator over "
        "a WebSocket) or ws://HOST:PORT/PATH with {evse} for the number",
    )
    parser.add_argument(
        "--pep-version", metavar="V", help="1.2 to 1.8 or auto (default: as the settings say, 1.2)"
    )
    parser.add_argument("--pecc-scenario", metavar="FILE", type=Path, help="of the PECC simulator")
    parser.add_argument("--evses", type=int, choices=[1, 2], default=2)
    parser.add_argument("--interpreter", choices=["auto", "micropython", "cpython"], default="auto")
    parser.add_argument(
        "--tls", action="store_true", help="offer TLS with a test PKI made for this run; its root is printed"
    )
    parser.add_argument("--csms", metavar="URL", help="not yet: there is no OCPP")
    parser.add_argument("--identity", metavar="ID", help="not yet: at the CSMS")
    parser.add_argument("--virtual-time", action="store_true", help="time passes only by the `clock` verb")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    _check(args)
    if args.virtual_time:
        from vsecc_sim.virtual_time import run as run_virtual

        return run_virtual(_serve(args), paced=True)
    return asyncio.run(_serve(args))


def _check(args: argparse.Namespace) -> None:
    """CommandError for what would be left out in silence."""
    if args.csms is not None or args.identity is not None:
        raise CommandError("--csms, --identity: the station speaks no OCPP yet")
    if args.powerline and args.plc:
        raise CommandError("--powerline and --plc exclude each other")
    if len(args.plc) > args.evses:
        raise CommandError(f"--plc: {len(args.plc)} URLs for {args.evses} outlets")
    if args.pecc_scenario is not None and PECC_SIMULATOR not in args.pecc:
        raise CommandError(f"--pecc-scenario is for the PECC simulator: --pecc {PECC_SIMULATOR}")
    if args.pep_version is not None and set(args.pecc) <= {PECC_INSIDE}:
        raise CommandError("--pep-version is for power electronics over a WebSocket: --pecc")
    if args.virtual_time and args.interpreter == "micropython":
        raise CommandError("MicroPython runs in real time only: no --virtual-time")


async def _serve(args: argparse.Namespace) -> int:
    from vsecc_sim.plc.loopback_line import LoopbackLine
    from vsecc_sim.station import report
    from vsecc_sim.station.control import ControlApi
    from vsecc_sim.station.options import StationOptions
    from vsecc_sim.station.station import SimulatedStation
    from vsecc_sim.station.verbs import Verbs

    address = urlsplit(f"//{args.control}")
    if address.hostname is None or address.port is None:
        raise CommandError(f"--control takes HOST:PORT, not {args.control}")
    line = LoopbackLine(outlets=args.evses) if args.powerline else None
    options = StationOptions(
        evses=args.evses,
        seed=args.seed,
        interpreter="cpython" if args.virtual_time else args.interpreter,
        state_dir=args.state,
        factory=args.factory,
        plc=tuple(args.plc),
        pecc=tuple(args.pecc),
        pecc_scenario=args.pecc_scenario,
        pep_version=args.pep_version,
        tls=args.tls,
        virtual_time=args.virtual_time,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with SimulatedStation(options, line=line) as station:
        control = ControlApi(Verbs(station).table, lambda: report.state(station))
        await control.start(address.hostname, address.port)
        print(f"station is up; MCU runs on {station.mcu.interpreter.describe()}", flush=True)
        for evse in station.outlets:
            print(f"EVSE {evse}: cars from outside --connect {station.car_url(evse)}", flush=True)
        if station.v2g_root is not None:
            print(f"cars that ask for TLS trust {station.v2g_root}", flush=True)
        print(f"control API: http://{address.hostname}:{control.port}/sim/state", flush=True)
        await stopped.wait()
        await control.stop()
    return 0
