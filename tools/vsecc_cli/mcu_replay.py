"""`vsecc mcu replay`: one side of a recording against a real peer."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsecc_cli.errors import UsageError
from vsecc_cli.examples import ExamplesFormatter

if TYPE_CHECKING:
    from vsecc_uart.compare import Difference
    from vsecc_uart.player import Player

EPILOG = """examples:
  vsecc mcu replay line.pcapng --as host --port tcp://127.0.0.1:5700
  vsecc mcu replay line.pcapng --as mcu --listen tcp://127.0.0.1:5700 --speed 2
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu replay`."""
    parser = subparsers.add_parser(
        "replay",
        help="one side of a recording against a real peer",
        description="Plays the messages of one side in a session of its own and compares what comes back "
        "with the recording. Exit 1 on a difference. As host every grant is sent EMPTY, so that no relay "
        "closes, unless --allow-energy is given; commands (pilot, outputs, locks, LEDs, reset) are sent as "
        "recorded.",
        epilog=EPILOG,
        formatter_class=ExamplesFormatter,
    )
    parser.add_argument("recording", metavar="FILE", type=Path)
    parser.add_argument("--as", dest="role", choices=["host", "mcu"], required=True, help="the side to play")
    parser.add_argument("--port", metavar="PORT", help="as host: /dev/ttyACM0, serial://, pty://, tcp://")
    parser.add_argument("--listen", metavar="URL", help="as MCU: tcp://HOST:PORT or pty:///PATH for the host")
    parser.add_argument("--speed", type=_positive, default=1.0, help="divide the recorded times by this")
    parser.add_argument("--tolerance", metavar="S", type=_positive, default=0.25, help="default 0.25 s")
    parser.add_argument(
        "--allow-energy", action="store_true", help="as host: grants name relays as recorded; they may close"
    )
    parser.add_argument("--json", action="store_true", help="the report as one JSON line")
    parser.set_defaults(run=run)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Play and compare; 0 when nothing differs."""
    from vsecc_uart.compare import compare
    from vsecc_uart.endpoint import parse_line
    from vsecc_uart.player import Player
    from vsecc_uart.recording import read_chunks
    from vsecc_uart.script import script_of

    if (args.port is None) is (args.role == "host") or (args.listen is None) is (args.role == "mcu"):
        raise UsageError("--as host takes --port, --as mcu takes --listen")
    script = script_of(read_chunks(args.recording), args.role)
    line = parse_line(args.port) if args.port else None
    player = Player(
        script,
        secrets.randbelow(0xFFFF) + 1,
        speed=args.speed,
        allow_energy=args.allow_energy,
        baud=line.baud if line else 921_600,
    )
    granting = script.grants_of_relays() if args.role == "host" else 0
    if granting and not args.allow_energy:
        print(
            f"{granting} grants of relays are sent empty: no relay closes (--allow-energy sends them whole)",
            file=sys.stderr,
        )
    asyncio.run(_play(args, player, line.url if line else ""))
    differences = compare(script.expected, player.answers, tolerance_s=args.tolerance)
    _report(args, player, differences)
    return 1 if differences else 0


async def _play(args: argparse.Namespace, player: Player, url: str) -> None:
    from vsecc_uart.play import play_as_host, play_as_mcu

    if args.role == "host":
        await play_as_host(player, url)
        return
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ready.add_done_callback(lambda done: print(f"waiting for a host at {done.result()}", file=sys.stderr))
    await play_as_mcu(player, args.listen, ready)


def _report(args: argparse.Namespace, player: Player, differences: list[Difference]) -> None:
    from vsecc_uart.compare import table

    figures: dict[str, Any] = {
        "played": len(player.script.played),
        "recorded": len(player.script.expected),
        "answers": len(player.answers),
        "sessions": player.sessions,
        "grants_emptied": player.emptied,
    }
    if args.json:
        shown = [one.as_json() for one in differences]
        print(json.dumps(figures | {"trouble": player.trouble, "differences": shown}))
        return
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
    for line in player.trouble:
        print(line)
    print(table(differences))
