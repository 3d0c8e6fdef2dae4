"""Command line of the fault campaign."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vsecc_sim.mcu.campaign import case as cases
from vsecc_sim.mcu.campaign import report
from vsecc_sim.mcu.campaign.case import Case, CaseError
from vsecc_sim.mcu.campaign.run import Result, run_case
from vsecc_sim.mcu.campaign.timeline import timeline
from vsecc_sim.mcu.interpreter import Interpreter, find_micropython

PAGE = cases.FOLDER.parents[1] / "docs" / "fault-campaign.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The same arguments wherever the campaign is a command."""
    parser.add_argument("case", nargs="*", help="only cases whose name or file contains this")
    parser.add_argument("--folder", type=Path, default=cases.FOLDER, help="where the case files are")
    parser.add_argument(
        "--on", choices=("sim", "pico", "micropython"), help="run every case there instead of where it says"
    )
    parser.add_argument("--list", action="store_true", help="name the cases, run none")
    parser.add_argument("--long", action="store_true", help="also the cases that take minutes")
    parser.add_argument("--timeline", action="store_true", help="draw every case, not only a failing one")
    parser.add_argument("--json", action="store_true", help="one JSON object a case")
    parser.add_argument("--write", action="store_true", help=f"write the page {PAGE.name} of the docs")


def run(args: argparse.Namespace) -> int:
    """0 when every case passed, 1 when one failed, 2 for a case file that is wrong."""
    try:
        every = cases.load(args.folder)
        wanted = select(every, args.case, args.long)
    except CaseError as error:
        print(f"campaign: {error}", file=sys.stderr)
        return 2
    if not wanted:
        print(f"campaign: no case is called {' or '.join(args.case)}; --list names them", file=sys.stderr)
        return 2
    if args.list:
        for one in wanted:
            print(f"{one.group}/{one.id}  {' '.join(one.rules)}  {one.title}")
        return 0
    interpreter = find_micropython() if args.on == "micropython" else None
    if args.on == "micropython" and interpreter is None:
        print("campaign: no MicroPython here: `vsecc sim interpreter --fetch` gets one", file=sys.stderr)
        return 1
    results = [tell(run_on(one, args.on, interpreter), args) for one in wanted]
    failed = [result for result in results if not result.ok]
    if not args.json:
        print(f"{len(results)} cases, {len(failed)} failed, {sum(one.took_s for one in results):.1f} s")
    if args.write:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(report.page(every, results, before), encoding="utf-8")
    return 1 if failed or not results else 0


def select(every: list[Case], words: list[str], with_long: bool) -> list[Case]:
    """Those that a word names, or all but the long ones."""
    if words:
        return [one for one in every if any(word in f"{one.group}/{one.id}" for word in words)]
    return [one for one in every if with_long or not one.long]


def run_on(case: Case, where: str | None, interpreter: Interpreter | None) -> Result:
    """The case where it belongs, or where the caller wants it."""
    return run_case(case, "pico" if where == "micropython" else where, interpreter)


def tell(result: Result, args: argparse.Namespace) -> Result:
    """Prints a result at once."""
    if args.json:
        print(json.dumps(report.row(result)), flush=True)
        return result
    print("\n".join(report.lines(result, verbose=args.timeline)), flush=True)
    if args.timeline or not result.ok:
        print("\n" + timeline(result) + "\n", flush=True)
    return result


def main() -> int:
    """`python -m vsecc_sim.mcu.campaign`."""
    parser = argparse.ArgumentParser(
        prog="python -m vsecc_sim.mcu.campaign",
        description="Runs the fault campaign of the MCU program in exact virtual time.",
        epilog="example: python -m vsecc_sim.mcu.campaign cp-c-to-b --timeline",
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
