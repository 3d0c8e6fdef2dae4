"""`vsecc mcu info`: which program, interpreter and chip, what is free, and the newest crash report."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from vsecc_cli.mcu_target import add_target, check_named, one_line_errors, target_of

if TYPE_CHECKING:
    from vsecc_host.mcu_flash.coming_up import CameUp
    from vsecc_host.mcu_flash.device import DeviceState


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu info`."""
    parser = subparsers.add_parser(
        "info",
        help="what a device is and how it fares",
        description="At the console the program is stopped for it and restarted (relays open); over the "
        "line to the host (--link without --port) it goes on.",
        epilog="example: vsecc mcu info --port /dev/ttyACM0, or --link serial:///dev/ttyAMA0",
    )
    add_target(parser, port_required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and print."""
    from vsecc_host.mcu_flash.coming_up import ask
    from vsecc_mcu.flash import ASK_TIMEOUT_S, inspect

    check_named(args)
    with one_line_errors():
        if args.port:
            report = console_report(inspect(target_of(args)))
        else:
            report = link_report(ask(args.link, ASK_TIMEOUT_S))
    print(json.dumps(report) if args.json else text_of(report))
    return 0


def console_report(state: DeviceState) -> dict[str, Any]:
    """Everything the prompt told."""
    from vsecc_link.messages import RESET_NAMES

    identity = state.identity
    crash = None
    if state.crash:
        cause, uptime_ms, text = state.crash
        crash = {"cause": RESET_NAMES[cause], "uptime_s": uptime_ms / 1000, "text": text}
    return {
        "machine": identity.machine,
        "interpreter": f"{identity.name} {'.'.join(map(str, identity.version))}",
        "mpy": {"version": identity.mpy[0], "native": identity.mpy[1], "arch": identity.mpy[2]},
        "slot": state.running or state.base(),
        "pointer": state.pointer,
        "on_trial": state.on_trial,
        "slots": {
            letter: {"complete": slot.complete, "image_sha256": slot.digest if slot.hashes else None,
                     "files": len(slot.hashes)}
            for letter, slot in state.slots.items()
        },
        "reset_cause": None if state.reset_cause is None else RESET_NAMES[state.reset_cause],
        "flash_free_bytes": state.free_bytes,
        "heap_free_bytes": state.heap_free,
        "heap_used_bytes": state.heap_used,
        "crash": crash,
    }  # fmt: skip


def link_report(found: CameUp) -> dict[str, Any]:
    """What HELLO, STATUS and CRASH told."""
    return {name: value for name, value in dataclasses.asdict(found).items() if name != "slot"}


def text_of(report: dict[str, Any]) -> str:
    """Two columns, the crash report at the end."""
    lines = []
    for name, value in report.items():
        if name == "crash":
            continue
        if name == "slots":
            lines += [f"{'slot ' + letter:18}{_slot(slot)}" for letter, slot in value.items()]
        elif isinstance(value, dict):
            lines.append(f"{name:18}{' '.join(f'{key} {part}' for key, part in value.items())}")
        else:
            lines.append(f"{name.replace('_', ' '):18}{'-' if value is None else value}")
    crash = report.get("crash")
    if isinstance(crash, dict):
        lines.append(f"last crash: {crash['cause']} after {crash['uptime_s']:.1f} s")
        lines += ["  " + line for line in crash["text"].splitlines()]
    elif crash:
        lines += ["last crash:", *("  " + line for line in crash.splitlines())]
    return "\n".join(lines)


def _slot(slot: dict[str, Any]) -> str:
    if not slot["files"]:
        return "empty"
    state = "complete" if slot["complete"] else "incomplete"
    return f"{state}, {slot['files']} files, {slot['image_sha256']}"
