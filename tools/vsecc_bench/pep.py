"""`vsecc bench pep`: EV request to PEP targetValues, and what slow power electronics do to answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vsecc_bench import ecog
from vsecc_bench.peers import PeerUnavailable
from vsecc_bench.pep_figures import Figures
from vsecc_bench.pep_two_cars import two_cars

Progress = Callable[[str], None]
SLOW_S = 0.1  # power electronics that take their time; PEP allows 500 ms
QUICK_S = 0.002


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `bench pep`."""
    parser = subparsers.add_parser(
        "pep",
        help="EV request to PEP targetValues, beside the EcoG SECC",
        description="Two cars at our host (own process), the PECC answers at once and after 100 ms; "
        "then the EcoG EVCC at both SECCs with power electronics of both kinds. What passes the wire is seen "
        "only with root.",
        epilog="example: vsecc bench pep --json",
    )
    parser.add_argument("--profile", default="model-x-plaid", help="how the cars behave")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the two cars charge")
    parser.add_argument("--no-peer", action="store_true", help="only our own figures")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    progress = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    rows = [
        asyncio.run(two_cars(args.profile, args.seconds, reply_s, progress)) for reply_s in (QUICK_S, SLOW_S)
    ]
    if not args.no_peer:
        rows += _against_peer(progress)
    table = [figures.row() for figures in rows]
    if args.json:
        print(json.dumps({"bench": "pep", "rows": table}))
    else:
        _print(table)
    return 0


_COLUMNS = {
    "answers": "CurrentDemand answer",
    "wire": "request to targetValues",
    "targets": "the same, peers included",
}


def _print(table: list[dict[str, Any]]) -> None:
    print(f"{'ms':<44}" + "".join(f" {title:^34}" for title in _COLUMNS.values()))
    print(f"{'':<44}" + f" {'n':>7} {'median':>8} {'p99':>8} {'max':>8}" * len(_COLUMNS))
    for row in table:
        cells = []
        for name in _COLUMNS:
            one = row[name] or {}
            cells += [f"{one.get('count', '-'):>7}"]
            cells += [f"{one.get(figure, '-'):>8}" for figure in ("median_ms", "p99_ms", "max_ms")]
        print(f"{row['name']:<44} {' '.join(cells)}  {row['note']}")


# --- the public EVCC at both --------------------------------------------------------------------------------


def _against_peer(progress: Progress) -> list[Figures]:
    try:
        python = ecog.installed(progress)
        rows = []
        with ecog.veth_pair() as pair:
            for power_s in (None, SLOW_S):
                progress(f"EcoG EVCC at our station, PECC answers after {(power_s or QUICK_S) * 1000:.0f} ms")
                rows.append(_ours(python, pair, power_s or QUICK_S))
            for power_s in (None, SLOW_S):
                progress(f"EcoG EVCC at the EcoG SECC, power electronics take {(power_s or 0) * 1000:.0f} ms")
                rows.append(_theirs(python, pair, power_s))
        return rows
    except PeerUnavailable as error:
        return [Figures("EcoG SECC", note=f"not measured: {error}")]


def _ours(python: Path, pair: ecog.VethPair, reply_s: float) -> Figures:
    from vsecc_bench.own_station import station_in_namespace

    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "pecc.json"
        scenario.write_text(json.dumps({"manners": {"reply_delay_s": reply_s}}))
        with station_in_namespace(pair, "--pecc", "sim://pep", "--pecc-scenario", str(scenario)):
            measured = ecog.run_evcc(python, pair)
    return _seen(f"EcoG EVCC at vsecc, PECC answers after {reply_s * 1000:.0f} ms", measured)


def _theirs(python: Path, pair: ecog.VethPair, power_s: float | None) -> Figures:
    with ecog.secc(python, pair, power_s=power_s):
        measured = ecog.run_evcc(python, pair)
    shown = "at once" if power_s is None else f"after {power_s * 1000:.0f} ms"
    return _seen(f"EcoG EVCC at EcoG SECC, power answers {shown}", measured)


def _seen(name: str, measured: ecog.EvccRun) -> Figures:
    note = "" if measured.finished else "session did not finish"
    return Figures(name, measured.answers_ms.get("CurrentDemandRes", []), note=note)
