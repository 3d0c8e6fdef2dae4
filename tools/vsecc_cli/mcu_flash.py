"""`vsecc mcu flash`: the program into the slot that does not run, then a trial of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsecc_cli.mcu_target import add_target, one_line_errors, progress_bar, target_of

if TYPE_CHECKING:
    from vsecc_mcu.flash import Outcome


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu flash`."""
    parser = subparsers.add_parser(
        "flash",
        help="put the program on a device",
        description="Compiles the program for the chip, stops what runs (relays open), writes what changed "
        "into the slot that does not run, checks it there, starts it on trial. A program that does not come "
        "up is left by the device itself. A session under way ends without --link. "
        "With --force also what runs already is flashed anew.",
        epilog="example: vsecc mcu flash --port /dev/ttyACM0",
    )
    add_target(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written; the program restarts"
    )
    parser.add_argument(
        "--source",
        metavar="DIR",
        type=Path,
        action="append",
        help="where mcu/ or vsecc_link/ lies; repeatable",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Flash, or say what a flash would do."""
    from vsecc_mcu.flash import flash

    with one_line_errors():
        outcome = flash(target_of(args), progress_bar(args.json), dry_run=args.dry_run, folders=args.source)
    report = report_of(outcome, args.dry_run)
    print(json.dumps(report) if args.json else text_of(report))
    return 0


def report_of(outcome: Outcome, dry_run: bool) -> dict[str, Any]:
    """The result for programs."""
    plan = outcome.plan
    return {
        "changed": outcome.changed and not dry_run,
        "dry_run": dry_run,
        "up_to_date": not outcome.changed,
        "slot": plan.target if outcome.changed else plan.base,
        "image_sha256": outcome.image.digest().hex(),
        "version": outcome.image.version,
        "arch": outcome.image.arch,
        "files": {
            "sent": list(plan.plan.send),
            "copied": [name for _, name in plan.plan.copy],
            "kept": list(plan.plan.keep),
            "removed": list(plan.plan.remove),
            "root": list(plan.root),
        },
        "sent_bytes": plan.send_bytes,
        "running": None if outcome.came_up is None else outcome.came_up.image_sha256,
    }


def text_of(report: dict[str, Any]) -> str:
    """The result for people."""
    image = f"{report['version']} {report['arch']} {report['image_sha256'][:12]}"
    if report["up_to_date"]:
        return f"slot {report['slot']} runs {image} already"
    counts = ", ".join(f"{len(names)} {kind}" for kind, names in report["files"].items() if names)
    what = f"{counts or 'nothing to write'}; {report['sent_bytes']} bytes over the cable"
    if report["dry_run"]:
        return f"would put {image} into slot {report['slot']}: {what}"
    return f"slot {report['slot']} runs {image}: {what}"
