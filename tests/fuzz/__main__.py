"""Fuzzing: `python tests/fuzz TARGET [OPTIONS OF LIBFUZZER]`, or `TARGET --random SECONDS` for seeded inputs.

`python tests/fuzz link -max_total_time=60`; without a target: which there are.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# From a checkout without an installation, too.
sys.path[:0] = [str(TESTS), *(str(TESTS.parent / folder) for folder in ("", "protocol", "host", "tools"))]

if __name__ == "__main__":
    from fuzz.runner import fuzz

    names = sorted(path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py"))
    if not sys.argv[1:] or sys.argv[1] not in names:
        print(f"{__doc__}\nTargets: {', '.join(names)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(fuzz(sys.argv[1], sys.argv[2:]))
