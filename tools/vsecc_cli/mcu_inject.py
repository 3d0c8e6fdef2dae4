"""`vsecc mcu inject`: single messages, raw frames and faults of the line against an MCU."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

from vsecc_cli.errors import UsageError
from vsecc_cli.examples import ExamplesFormatter

if TYPE_CHECKING:
    from vsecc_uart.inject import Action, Report
    from vsecc_uart.values import Message

EPILOG = """examples:
  vsecc mcu inject --port /dev/ttyACM0 SET_LED led=1 pattern=green
  vsecc mcu inject --port tcp://127.0.0.1:5700 SET_LED led=9 pattern=4 --raw
  vsecc mcu inject --port tcp://127.0.0.1:5700 --fault flip --ppm 2000 --seconds 5
  vsecc mcu inject --via /run/vsecc/proxy.ctl --fault cut --from mcu --seconds 1
"""
_SESSIONLESS = ("garbage", "long-length", "wrong-version", "wrong-catalogue", "second-host")
_NOISES = {"flip": "flip_ppm", "drop": "drop_ppm", "double": "double_ppm"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu inject`."""
    parser = subparsers.add_parser(
        "inject",
        help="single messages, raw bytes and faults of the line",
        description="Holds a session as a host that permits nothing, sends what is asked for and tells what "
        "the MCU answered and counted. Exit 1 when a message was refused or not acknowledged.",
        epilog=EPILOG,
        formatter_class=ExamplesFormatter,
    )
    parser.add_argument("message", nargs="*", metavar="MESSAGE field=value", help="by catalogue name")
    parser.add_argument("--port", metavar="PORT", help="/dev/ttyACM0, serial://, pty:// or tcp://")
    parser.add_argument(
        "--via", metavar="PATH", help="control socket of `monitor --through ... --control PATH`"
    )
    parser.add_argument("--from", dest="sender", choices=["host", "mcu"], default="host", help="with --via")
    parser.add_argument(
        "--raw", action="store_true", help="send the message although the catalogue forbids it"
    )
    parser.add_argument("--hex", metavar="BYTES", help="these bytes as they are, hexadecimal")
    parser.add_argument("--fault", metavar="NAME", help="a fault of the line; `--fault list` names them")
    parser.add_argument("--ppm", type=int, default=1000, help="bytes hit by flip, drop, double; default 1000")
    parser.add_argument("--bytes", type=int, default=512, help="size of a burst, default 512")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a fault lasts, default 2")
    parser.add_argument("--wait", metavar="S", type=float, default=0.5, help="for answers, default 0.5 s")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same noise")
    parser.add_argument("--allow-energy", action="store_true", help="a GRANT may name relays; they may close")
    parser.add_argument("--json", action="store_true", help="the report as one JSON line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send and report."""
    from vsecc_uart.faults import FAULTS

    if args.fault == "list":
        print("\n".join(f"{name:<16} {fault.text}" for name, fault in FAULTS.items()))
        return 0
    if sum(bool(what) for what in (args.message, args.hex, args.fault)) != 1:
        raise UsageError("name one thing to send: MESSAGE field=value ..., --hex or --fault")
    if bool(args.port) is bool(args.via):
        raise UsageError("name one way: --port or --via")
    if args.fault and args.fault not in FAULTS:
        raise UsageError(f"no fault {args.fault}; there are {', '.join(FAULTS)}")
    _check_numbers(args)
    if args.via:
        return _via(args)
    report = asyncio.run(_at_port(args))
    print(json.dumps(report.as_json()) if args.json else report.text())
    if not args.message:
        return 0
    return 1 if report.refusals or report.acknowledged is False else 0


def _check_numbers(args: argparse.Namespace) -> None:
    if not 0 <= args.ppm <= 1_000_000:
        raise UsageError("--ppm takes 0 to 1000000")
    if not 0 < args.bytes <= 65_536:
        raise UsageError("--bytes takes 1 to 65536")
    if not 0 <= args.seconds <= 3600 or not 0 <= args.wait <= 60:
        raise UsageError("--seconds takes 0 to 3600, --wait 0 to 60")


async def _at_port(args: argparse.Namespace) -> Report:
    from vsecc_uart.endpoint import parse_line
    from vsecc_uart.inject import Bench
    from vsecc_uart.request import travels_cyclic

    action = _action(args)
    async with Bench(parse_line(args.port), seed=args.seed) as bench:
        report = await bench.perform(action, lasts_s=args.seconds if args.fault else 0.0, wait_s=args.wait)
    if not args.message or travels_cyclic(args.message[0]):
        report.acknowledged = None  # nothing of it is acknowledged
    return report


def _action(args: argparse.Namespace) -> Action:
    from vsecc_uart.faults import FAULTS

    if args.fault:
        fault = FAULTS[args.fault]
        return lambda injector, now: injector.begin(fault, now, ppm=args.ppm, size=args.bytes)
    if args.hex:
        data = _bytes(args.hex)
        return lambda injector, now: injector.send_bytes(data, now)
    return _message_action(args)


def _message_action(args: argparse.Namespace) -> Action:
    from vsecc_link import messages as catalogue
    from vsecc_uart.request import message_of, payload_of, permits_relays

    try:
        message: Message = message_of(args.message[0], args.message[1:])
    except ValueError as error:
        raise UsageError(str(error)) from error
    if permits_relays(message) and not args.allow_energy:
        raise UsageError("this GRANT may close relays: --allow-energy sends it")
    payload = payload_of(message, raw=args.raw)
    travel = catalogue.CATALOGUE[message[0]][2]
    return lambda injector, now: injector.send_payload(payload, travel, now)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise UsageError(f"--hex {text}: {error}") from error


def _via(args: argparse.Namespace) -> int:
    from vsecc_uart.inject import via_proxy

    if args.message:
        raise UsageError("a message needs a session of its own: --port; through a proxy go --fault and --hex")
    request: dict[str, Any] = {"from": args.sender, "seconds": args.seconds}
    if args.hex:
        request |= {"hex": _bytes(args.hex).hex()}
    elif args.fault in _NOISES:
        request |= {_NOISES[args.fault]: args.ppm}
    elif args.fault == "cut":
        request |= {"cut": True}
    elif args.fault in _SESSIONLESS:
        request |= {"hex": _burst(args).hex()}
    else:
        raise UsageError(f"{args.fault} needs a session of its own: --port")
    asyncio.run(via_proxy(args.via, request))
    print(json.dumps({"ok": True}) if args.json else "done; watch the monitor for what follows")
    return 0


def _burst(args: argparse.Namespace) -> bytes:
    from vsecc_uart.faults import FAULTS, Line

    burst = FAULTS[args.fault].burst
    assert burst is not None
    # One request is one line: longer bursts are repeated requests.
    return burst(Line(0, 1, 1), random.Random(args.seed), min(args.bytes, 1024))
