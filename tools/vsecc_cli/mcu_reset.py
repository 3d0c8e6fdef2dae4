"""`vsecc mcu reset`: restart a controller."""

from __future__ import annotations

import argparse
import json

from vsecc_cli.mcu_target import add_target, check_named, one_line_errors, target_of


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu reset`."""
    parser = subparsers.add_parser(
        "reset",
        help="restart a device",
        description="Restarts the chip, by the host line with --link, else at its console. Relays open.",
        epilog="example: vsecc mcu reset --port /dev/ttyACM0",
    )
    add_target(parser, port_required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restart it."""
    from vsecc_mcu.flash import reset

    check_named(args)
    with one_line_errors():
        reset(target_of(args))
    print(json.dumps({"reset": True}) if args.json else "restarted")
    return 0
