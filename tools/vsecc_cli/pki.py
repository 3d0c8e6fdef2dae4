"""`vsecc pki`: a complete test PKI in one folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vsecc_cli.errors import CommandError

if TYPE_CHECKING:
    from vsecc_host.pki.complete import PkiFile

_MAX_DAYS = 365  # a leaf must not outlive its issuer, which lives two years


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `pki`."""
    parser = subparsers.add_parser(
        "pki",
        help="a complete test PKI",
        description="Writes a test PKI in PEM: V2G root to station leaf, CSMS root to server and station, "
        "and leaves a peer has to refuse: expired, not yet valid, revoked, of the wrong purpose.",
        epilog="example: vsecc pki --out pki --csms-host localhost",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("pki"), help="default: pki")
    parser.add_argument("--force", action="store_true", help="replace the files of an earlier PKI")
    parser.add_argument("--json", action="store_true", help="what was written, as JSON")
    parser.add_argument("--secc-id", metavar="ID", help="common name of the station towards cars")
    parser.add_argument("--serial", metavar="TEXT", help="common name of the station towards the CSMS")
    parser.add_argument(
        "--csms-host", metavar="HOST", action="append", help="host name or address of the CSMS; repeatable"
    )
    parser.add_argument("--days", metavar="N", type=_days, default=90, help="life of the leaves, default 90")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build, then write all or nothing that exists already."""
    from vsecc_host.pki.complete import Names, complete
    from vsecc_sim.pki_folder import write_pki

    wishes = {
        "secc_id": args.secc_id,
        "serial_number": args.serial,
        "csms_hosts": tuple(args.csms_host) if args.csms_host else None,
    }
    names = Names(**{name: value for name, value in wishes.items() if value})
    files = complete(names, datetime.now(UTC).replace(microsecond=0), args.days)
    try:
        write_pki(files, args.out, force=args.force)
    except FileExistsError as error:
        raise CommandError(f"{error}; --force replaces them") from error
    print(_report_json(files, args.out) if args.json else _report(files, args.out))
    return 0


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_DAYS}")
    return int(text)


def _report(files: Sequence[PkiFile], folder: Path) -> str:
    width = max(len(file.path) for file in files)
    lines = [f"  {file.path:{width}}  {file.meaning}" for file in files]
    return "\n".join([f"test PKI in {folder}:", *lines])


def _report_json(files: Sequence[PkiFile], folder: Path) -> str:
    entries = [{"path": file.path, "meaning": file.meaning, "private": file.private} for file in files]
    return json.dumps({"folder": str(folder.resolve()), "files": entries})
