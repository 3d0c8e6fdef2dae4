"""`vsecc mcu elf`: what a firmware takes of its chip, and what lies at an address."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsecc_mcu.elf import Firmware


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `mcu elf`."""
    parser = subparsers.add_parser(
        "elf",
        help="sizes, budget and address names of a firmware ELF",
        description="Reads the ELF of the chip's interpreter: sections, flash and RAM against what the chip "
        "has, and names for addresses from a fault.",
        epilog="example: vsecc mcu elf firmware.elf --address 0x1000abcd",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--address", metavar="ADDRESS", type=_address, action="append", default=[], help="name it; repeatable"
    )
    parser.add_argument("--chip", choices=["rp2040", "rp2350"], help="default: what the file says")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print; 1 when the firmware does not fit its chip."""
    from vsecc_mcu.elf import read

    firmware = read(args.file)
    report = report_of(firmware, args.chip or firmware.chip, args.address)
    print(json.dumps(report) if args.json else text_of(report))
    return 0 if report["fits"] is not False else 1


def report_of(firmware: Firmware, chip: str | None, addresses: list[int]) -> dict[str, Any]:
    """The result for programs; `fits` is None without a chip to compare with."""
    from vsecc_mcu.elf import CHIPS

    budget = CHIPS[chip] if chip else None
    return {
        "machine": firmware.machine,
        "chip": chip,
        "sections": [dataclasses.asdict(section) for section in firmware.sections],
        "flash": {"used": firmware.flash_bytes, "of": budget.flash_bytes if budget else None},
        "ram": {"used": firmware.ram_bytes, "of": budget.ram_bytes if budget else None},
        "fits": firmware.flash_bytes <= budget.flash_bytes and firmware.ram_bytes <= budget.ram_bytes
        if budget
        else None,
        "addresses": [
            {**dataclasses.asdict(place), "text": place.describe()}
            for place in map(firmware.place, addresses)
        ],
    }  # fmt: skip


def text_of(report: dict[str, Any]) -> str:
    """Tables for people."""
    lines = [f"{report['machine']}, {report['chip'] or 'no chip known to us'}"]
    for section in report["sections"]:
        kind = "RAM" if section["writable"] else "read only"
        note = "" if section["in_file"] else ", zeroed"
        lines.append(f"  {section['name']:20} 0x{section['address']:08x} {section['size']:9}  {kind}{note}")
    for name in ("flash", "ram"):
        used, limit = report[name]["used"], report[name]["of"]
        share = f" of {limit} ({100 * used / limit:.0f} %)" if limit else ""
        lines.append(f"{name:6}{used:9}{share}")
    return "\n".join([*lines, *(place["text"] for place in report["addresses"])])


def _address(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as 0x1000abcd") from error
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address")
    return value
