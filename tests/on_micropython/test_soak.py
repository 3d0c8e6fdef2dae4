"""The program at its full rate for a long simulated time on real MicroPython; prints what it took.

An hour by default, which passes the tick counter's wrap (every 17.9 minutes) three times in its own time,
besides the one it starts before; a minute and a half on a quiet machine. VSECC_SOAK_S says otherwise.
"""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from on_micropython.test_under_micropython import HEAP, PATHS, ROOT, RUNNER

from vsecc_sim.mcu.interpreter import find_micropython

DEFAULT_S = 3600
# A loaded machine may be this much slower than simulated time before something is wrong.
TIMEOUT_PER_S = 0.5


@pytest.mark.clause("S2", "S3", "S5")
def test_both_ports_charge_for_the_whole_time(capsys: pytest.CaptureFixture[str]) -> None:
    micropython = find_micropython()
    if micropython is None:
        pytest.skip("no MicroPython here: `vsecc sim interpreter --fetch` gets one")
    seconds = int(os.environ.get("VSECC_SOAK_S") or DEFAULT_S)
    environment = {**os.environ, "VSECC_SOAK_S": str(seconds)}
    argv = micropython.argv("-X", HEAP, str(RUNNER), "unit.mcu.test_soak", *PATHS)
    started = time.perf_counter()
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=60 + seconds * TIMEOUT_PER_S,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    took = time.perf_counter() - started
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.startswith("ok ")
    with capsys.disabled():
        print(f"\n{seconds} s of cycles on {micropython.describe()} in {took:.0f} s, {seconds / took:.0f} x")
