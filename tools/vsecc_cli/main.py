"""Entry point of `vsecc`: imports only the module of the sub-command asked for: start-up stays short."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import traceback
from collections.abc import Sequence

from vsecc_cli import mcu
from vsecc_cli.errors import CommandError, UsageError

# command or "group command" -> (module, what --help says in the list)
COMMANDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("demo",): ("vsecc_cli.demo", "a whole simulated station charges a simulated car"),
    ("run",): ("vsecc_cli.run", "the host service"),
    ("replay",): ("vsecc_cli.replay", "play the car of a recorded session against a station"),
    ("exi",): ("vsecc_cli.exi", "EXI <-> JSON, a line in, a line out"),
    ("pki",): ("vsecc_cli.pki", "a complete test PKI"),
    **{("mcu", verb): row for verb, row in mcu.VERBS.items()},
    ("sim", "station"): ("vsecc_cli.sim_station", "host, MCU emulator and neighbours, with a control API"),
    ("sim", "mcu"): ("vsecc_cli.sim_mcu", "the MCU emulator alone"),
    ("sim", "interpreter"): ("vsecc_cli.sim_interpreter", "which MicroPython runs the firmware"),
    ("sim", "ev"): ("vsecc_cli.sim_ev", "the EV simulator alone"),
    ("sim", "pecc"): ("vsecc_cli.sim_pecc", "the PECC simulator alone"),
    ("bench", "exi"): ("vsecc_bench.exi", "EXI codec beside its peers"),
    ("bench", "link"): ("vsecc_bench.link", "MCU link beside its peers"),
    ("bench", "slac"): ("vsecc_bench.slac", "SLAC matching beside pyslac"),
    ("bench", "trip"): ("vsecc_bench.trip", "pilot leaves C to relay output low"),
    ("bench", "pep"): ("vsecc_bench.pep", "EV request to PEP targetValues, beside the EcoG SECC"),
    ("bench", "session"): ("vsecc_bench.session", "whole sessions: answers, memory, loop latency"),
}
VERBOSE = ("-v", "--verbose")
GROUPS = {"mcu": mcu.SUMMARY, "sim": "simulators", "bench": "benchmarks beside their peers"}


def build_parser(wanted: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Parser that knows every command, or only the one `wanted` names (faster)."""
    parser = argparse.ArgumentParser(
        prog="vsecc",
        description="Open Supply Equipment Communication Controller.",
        epilog="example: vsecc demo --once --profile ioniq",
    )
    parser.add_argument(*VERBOSE, action="store_true", help="log lines and tracebacks on stderr")
    top = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for path, (module, summary) in COMMANDS.items():
        if wanted and path[0] != wanted[0]:
            continue
        if len(path) == 2 and path[0] not in groups:
            group = top.add_parser(
                path[0], help=GROUPS[path[0]], description=GROUPS[path[0]].capitalize() + "."
            )
            groups[path[0]] = group.add_subparsers(dest="what", metavar="WHAT", required=True)
        if (
            wanted
            and len(path) == 2
            and len(wanted) > 1
            and path[1] != wanted[1]
            and tuple(wanted[:2]) in COMMANDS
        ):
            continue
        subparsers = groups[path[0]] if len(path) == 2 else top
        importlib.import_module(module).add_parser(subparsers)
        assert path[-1] in subparsers.choices, f"{module} registers another name than {path[-1]} ({summary})"
    return parser


def wanted_command(argv: Sequence[str]) -> list[str]:
    """The command words at the start of argv, or nothing when they name no command."""
    known = {path[0] for path in COMMANDS}
    return list(argv[:2]) if argv and argv[0] in known else []


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status 0, 1 (failed) or 2 (usage)."""
    given = sys.argv[1:] if argv is None else argv
    words = [word for word in given if word not in VERBOSE]  # wherever it stands
    verbose = len(words) < len(given)
    try:
        return _run(build_parser(wanted_command(words)).parse_args(words), verbose)
    except KeyboardInterrupt:
        return 130


def _run(args: argparse.Namespace, verbose: bool) -> int:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        return int(args.run(args))
    except BrokenPipeError:
        return 1
    except (CommandError, OSError, ValueError) as error:
        return _failed(str(error), verbose, 2 if isinstance(error, UsageError) else 1)
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error} (a mistake of ours; -v shows where)", verbose)


def _failed(text: str, verbose: bool, status: int = 1) -> int:
    """One line, after the traceback where that is wanted."""
    if verbose:
        traceback.print_exc()
    print(f"vsecc: {' '.join(text.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
