"""`vsecc mcu rollback`: back to the program in the other slot."""

from __future__ import annotations

import argparse
import dataclasses
import json

from vsecc_cli.mcu_target import add_target, one_line_errors, progress_bar, target_of


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu rollback`."""
    parser = subparsers.add_parser(
        "rollback",
        help="back to the program in the other slot",
        description="Starts the other slot, if it is complete, on trial.",
        epilog="example: vsecc mcu rollback --port /dev/ttyACM0",
    )
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Switch and wait for the other program."""
    from vsecc_mcu.flash import rollback

    with one_line_errors():
        found = rollback(target_of(args), progress_bar(args.json))
    slot = f"slot {found.slot} runs " if found.slot else "now runs "
    print(
        json.dumps(dataclasses.asdict(found))
        if args.json
        else f"{slot}{found.version} {found.image_sha256[:12]}"
    )
    return 0
