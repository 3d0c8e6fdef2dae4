"""`vsecc sim interpreter`: which MicroPython the emulator would use; `--fetch` gets one."""

from __future__ import annotations

import argparse
import sys

from vsecc_cli.errors import CommandError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `sim interpreter`."""
    parser = subparsers.add_parser(
        "interpreter",
        help="which MicroPython runs the firmware",
        description="Shows the MicroPython the emulator uses; without one it runs the firmware on CPython.",
        epilog="example: vsecc sim interpreter --fetch",
    )
    parser.add_argument(
        "--fetch", action="store_true", help="fetch one from your Debian mirror if there is none"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one line; 1 when there is none and none could be fetched."""
    from vsecc_sim.mcu.fetch import ensure_micropython
    from vsecc_sim.mcu.interpreter import InterpreterUnavailable, find_micropython

    if not args.fetch:
        found = find_micropython()
        print(found.describe() if found else "no MicroPython; the firmware runs on CPython")
        return 0 if found else 1
    try:
        print(ensure_micropython(lambda text: print(text, file=sys.stderr, flush=True)).describe())
    except InterpreterUnavailable as error:
        raise CommandError(str(error)) from error
    return 0
