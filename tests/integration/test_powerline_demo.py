"""Two cars at once over simulated powerlines: station, cars and modems in network namespaces of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vsecc_sim.plc import namespaces

VSECC = (sys.executable, "-m", "vsecc_cli.main")


def test_two_cars_match_and_charge_over_two_powerlines() -> None:
    try:
        namespaces.need_namespaces()
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))
    command = [
        *VSECC,
        "demo",
        "--once",
        "--json",
        "--powerline",
        "--evses",
        "2",
        "--profile",
        "model-x-plaid",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["goal"] and summary["end"] == "charged" and summary["errors"] == []
    assert [evse["evse"] for evse in summary["evses"]] == [1, 2]
    assert all(relay["closed_s"] > 3.0 for relay in summary["relay"])
