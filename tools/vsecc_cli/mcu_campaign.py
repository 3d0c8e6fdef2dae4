"""`vsecc mcu campaign`: the fault campaign of the MCU program, judged in exact virtual time."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu campaign`."""
    from vsecc_sim.mcu.campaign.__main__ import add_arguments

    parser = subparsers.add_parser(
        "campaign",
        help="the fault campaign of the MCU program",
        description="Runs the fault campaign in exact virtual time; a case that fails prints its timeline.",
        epilog="example: vsecc mcu campaign cp-c-to-b --timeline",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when every case passed, 1 when one failed, 2 for a case file that is wrong."""
    from vsecc_sim.mcu.campaign import __main__ as campaign

    return campaign.run(args)
