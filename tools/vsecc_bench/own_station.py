"""Our simulated station in a network namespace, with an external car plugged in."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from vsecc_bench.ecog import VethPair, inside
from vsecc_bench.peers import PeerUnavailable

CONTROL = "127.0.0.1:8090"
_PLUG = """
import json, sys, urllib.request
body = json.dumps({"evse": 1, "external": True}).encode()
urllib.request.urlopen(urllib.request.Request("http://%s/sim/plug", body), timeout=5).read()
"""


@contextlib.contextmanager
def station_in_namespace(pair: VethPair, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`vsecc sim station` on the station's end of the pair, pilot in state B; yields its process."""
    command = inside(
        pair.station_namespace, sys.executable, "-m", "vsecc_cli.main", "sim", "station",
        "--evses", "1", "--plc", f"iface://{pair.station_interface}?slac=off", "--control", CONTROL, *options,
    )  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("control API"):
                break
        else:
            raise PeerUnavailable("our station did not start")
        plug = inside(pair.station_namespace, sys.executable, "-c", _PLUG % CONTROL)
        subprocess.run(plug, check=True, capture_output=True, timeout=10)
        yield process
    finally:
        process.terminate()
        process.wait()
