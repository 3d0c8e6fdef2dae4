"""`vsecc mcu monitor`: the line between MCU and host, decoded, live or from a recording."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vsecc_cli.errors import CommandError, UsageError
from vsecc_cli.examples import ExamplesFormatter

if TYPE_CHECKING:
    from vsecc_uart.sources import Source
    from vsecc_uart.values import Record

EPILOG = """examples:
  vsecc mcu monitor --port /dev/ttyACM0
  vsecc mcu monitor --follow /var/lib/vsecc --filter 'RELAY_STATE or FAULT or bad'
  vsecc mcu monitor line.pcapng --filter 'port==1 and not cyclic' --stats
"""


def add_source(parser: argparse.ArgumentParser) -> None:
    """The options that say which line to watch."""
    parser.add_argument("source", nargs="?", metavar="PORT", help="the same as --port")
    parser.add_argument(
        "--port",
        metavar="PORT",
        help="/dev/ttyACM0, serial:///DEVICE?baud=N, pty:///PATH, tcp://HOST:PORT, tap:///PATH, a recording",
    )
    parser.add_argument("--follow", metavar="DIR", help="the host service whose state folder this is")
    parser.add_argument(
        "--through",
        metavar="URL",
        help="stand between: offer pty:///PATH or tcp://HOST:PORT to a host and pass everything to --port",
    )
    parser.add_argument(
        "--control",
        metavar="PATH",
        type=Path,
        help="with --through: Unix socket for `vsecc mcu inject --via`",
    )
    parser.add_argument(
        "--listen-only", action="store_true", help="send nothing; an MCU without host is silent"
    )
    parser.add_argument("--duration", metavar="S", type=float, help="end after so many seconds")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu monitor`."""
    parser = subparsers.add_parser(
        "monitor",
        help="the line decoded, live or from a recording",
        description="Shows every frame of both directions. On a port of its own it is the host: it permits "
        "no relay and commands nothing. On a terminal it fills the screen, into a pipe it writes lines.",
        epilog=EPILOG,
        formatter_class=ExamplesFormatter,
    )
    add_source(parser)
    parser.add_argument(
        "--filter", metavar="EXPR", default="", help="show only these, e.g. 'FAULT or port==1'"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--plain", action="store_true", help="lines, also on a terminal")
    parser.add_argument("--clock", action="store_true", help="time of day instead of seconds since the start")
    parser.add_argument("--stats", action="store_true", help="figures at the end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show until the source ends, the time is over or Ctrl-C."""
    from vsecc_uart.filters import BadFilter, compile_filter

    try:
        compile_filter(args.filter)
    except BadFilter as error:
        raise UsageError(str(error)) from error
    source, baud, live = open_source(args)
    # The screen is drawn on standard error, as its library does.
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if terminal and not (args.json or args.plain):
        from vsecc_uart.screen import run_screen

        return run_screen(source, baud=baud, live=live, filter_text=args.filter, title=title_of(args))
    return asyncio.run(_lines(args, source, baud, live))


def title_of(args: argparse.Namespace) -> str:
    """The source in the words of the command line."""
    return str(args.follow or args.port or args.source)


def open_source(args: argparse.Namespace) -> tuple[Source, int, bool]:
    """(source, bit rate or 0, live) of the options of `add_source`; UsageError when they name none."""
    from vsecc_uart import endpoint
    from vsecc_uart.proxy import ProxySource
    from vsecc_uart.sources import source_of
    from vsecc_uart.statistics import DEFAULT_BAUD

    named = [text for text in (args.port, args.source, args.follow) if text]
    if len(named) != 1:
        raise UsageError("name one line: PORT, --port or --follow DIR")
    try:
        found = endpoint.tap_of(args.follow) if args.follow else endpoint.parse(named[0])
    except ValueError as error:
        raise CommandError(str(error)) from error
    baud = found.baud if isinstance(found, endpoint.Line) else DEFAULT_BAUD
    if args.through:
        if not isinstance(found, endpoint.Line):
            raise UsageError("--through stands between a host and a line: --port must be one")
        return ProxySource(found, args.through, control=args.control), baud, True
    return (
        source_of(found, listen_only=args.listen_only),
        baud,
        not isinstance(found, endpoint.Recording),
    )


async def _lines(args: argparse.Namespace, source: Source, baud: int, live: bool) -> int:
    from vsecc_uart.filters import compile_filter
    from vsecc_uart.show import Clock, as_json, line
    from vsecc_uart.watch import Watch

    wanted, clock = compile_filter(args.filter), Clock(of_day=args.clock)

    def show(record: Record) -> None:
        clock.begin(record.at_s)
        if not wanted(record):
            return
        print(json.dumps(as_json(record)) if args.json else line(record, clock), flush=live)

    watch = Watch(show, baud=baud, live=live)
    await until_told(watch.run(source, args.duration))
    if args.stats:
        print(json.dumps({"what": "statistics"} | watch.statistics.as_json()) if args.json
              else watch.statistics.table())  # fmt: skip
    return 0


async def until_told(work: object) -> None:
    """Run a coroutine until it ends or SIGINT or SIGTERM comes; its cleaning up is done either way."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass
    except BrokenPipeError:
        # The reader of our lines is gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
