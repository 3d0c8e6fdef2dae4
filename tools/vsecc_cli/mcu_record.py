"""`vsecc mcu record`: the line into pcapng files of bounded size."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vsecc_cli.errors import UsageError
from vsecc_cli.mcu_monitor import add_source, open_source, until_told

if TYPE_CHECKING:
    from vsecc_uart.sources import Source


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu record`."""
    parser = subparsers.add_parser(
        "record",
        help="the line into pcapng files of bounded size",
        description="Records both directions for Wireshark and `vsecc mcu monitor`. FILE is the newest of a "
        "ring: FILE with .1 before its suffix is the one before, and so on; --size bounds all together.",
        epilog="example: vsecc mcu record --follow /var/lib/vsecc --out line.pcapng --size 64M",
    )
    add_source(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="a .pcapng file; replaced")
    parser.add_argument("--size", metavar="BYTES", default="64M", help="of all files together, default 64M")
    parser.add_argument("--files", metavar="N", type=int, default=4, help="files in the ring, default 4")
    parser.add_argument("--json", action="store_true", help="the figures at the end as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record until the time is over or Ctrl-C; then the figures."""
    source, baud, live = open_source(args)
    if args.out.resolve() == Path(args.port or args.source or "").resolve():
        raise UsageError(f"{args.out}: is the recording to be read")
    return asyncio.run(_record(args, source, baud, live))


async def _record(args: argparse.Namespace, source: Source, baud: int, live: bool) -> int:
    from vsecc_uart.recorder import Recorder
    from vsecc_uart.recording import RecordingWriter, parse_size
    from vsecc_uart.watch import Watch

    try:
        writer = RecordingWriter(args.out, size_bytes=parse_size(args.size), files=args.files)
    except ValueError as error:
        raise UsageError(str(error)) from error
    recorder = Recorder(writer)
    watch = Watch(recorder.record, baud=baud, live=live)
    try:
        await until_told(watch.run(source, args.duration))
    finally:
        recorder.finish()
    figures = watch.statistics
    if args.json:
        print(json.dumps({"file": str(args.out), "packets": writer.packets} | figures.as_json()))
    else:
        print(f"{writer.packets} packets in {args.out}")
        print(figures.table())
    return 0
