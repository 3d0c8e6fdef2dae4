"""`vsecc mcu dissector`: the Wireshark dissector of the line, for the catalogue of this program."""

from __future__ import annotations

import argparse
import sys


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu dissector`."""
    parser = subparsers.add_parser(
        "dissector",
        help="the Wireshark dissector of the line",
        description="Writes the Lua file to standard output.",
        epilog="example: vsecc mcu dissector > ~/.local/lib/wireshark/plugins/vsecc_uart.lua",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write it."""
    from vsecc_uart.dissector import dissector

    sys.stdout.write(dissector())
    return 0
