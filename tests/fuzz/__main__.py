"""`python tests/fuzz [TARGET...] [--seconds N]`: runs fuzz targets, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # `fuzz` is a package of tests/, not a pile of modules
from fuzz import engine  # noqa: E402

CORPUS = engine.ROOT / ".cache" / "fuzz"
_TOLD = re.compile(r"#\d+\s+DONE\s+(?P<coverage>cov: \d+ .*?corp: \d+)|(?P<count>\d+ random inputs)")
_CHATTER = ("INFO: ", "WARNING: Failed to find function", "#")
_RUNS = re.compile(r"stat::number_of_executed_units: (\d+)")


def main() -> int:
    """Status 0: nothing escaped; 1: something did, or a target could not run."""
    args = _arguments()
    if args.list:
        print("\n".join(engine.names()))
        return 0
    if len(args.targets) == 1:
        return _one(args.targets[0], args)
    with ThreadPoolExecutor(args.jobs) as pool:
        good = list(pool.map(lambda name: _in_a_process(name, args), args.targets))
    return 0 if all(good) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/fuzz",
        description="Runs fuzz targets, all of them unless some are named.",
        epilog="example: python tests/fuzz exi --seconds 3600 -- -jobs=2; what follows -- goes to libFuzzer",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="see --list")
    parser.add_argument("--list", action="store_true", help="name the targets and end")
    parser.add_argument("--seconds", type=int, default=10, help="for each target (default 10)")
    parser.add_argument("--corpus", metavar="DIR", type=Path, default=CORPUS, help="default .cache/fuzz")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of mutations (default 1); 0: another each time",
    )
    words = sys.argv[1:]
    own = words[: words.index("--")] if "--" in words else words
    args = parser.parse_args(own)
    args.options = words[len(own) + 1 :]
    unknown = sorted(set(args.targets) - set(engine.names()))
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(engine.names())}")
    args.targets = args.targets or engine.names()
    return args


def _one(name: str, args: argparse.Namespace) -> int:
    """In this process."""
    engine.arrange_path()
    if find_spec("atheris") is not None:
        engine.guided(name, args.corpus, args.seconds, [f"-seed={args.seed}", *args.options])
        return 0
    count = engine.at_random(engine.load(name), args.seconds, random.Random(args.seed or None))
    print(f"{count} random inputs, nothing escaped (atheris is not installed)")
    return 0


def _in_a_process(name: str, args: argparse.Namespace) -> bool:
    own = ["--seconds", str(args.seconds), "--seed", str(args.seed), "--corpus", str(args.corpus)]
    done = subprocess.run(
        [sys.executable, str(engine.FOLDER), name, *own, "--", *args.options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if not line.startswith(_CHATTER)]
        print("\n".join([f"{name}: FAILED", *lines[-60:]]), flush=True)
        return False
    runs, told = _RUNS.search(done.stdout), _TOLD.search(done.stdout)
    figures = [f"{runs[1]} inputs" if runs else "", told[told.lastgroup or 0] if told else ""]
    print(f"{name}: {', '.join(filter(None, figures))}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
