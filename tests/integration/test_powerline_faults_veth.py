"""Faults of the line on real interfaces: sockets of the kernel, cars in their own namespaces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vsecc_sim.plc import namespaces

STORY = Path(__file__).with_name("veth_story.py")


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_link_and_interface_lost_in_mid_charge(protocol: str) -> None:
    try:
        namespaces.need_namespaces()
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run([sys.executable, STORY, protocol], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["link lost"]["open_s"] < 2.0, "0.8 s until the loss is known, 1 s for the current to fall"
    assert told["link lost"]["cause"] == "link_lost"
    for fault in ("address changed", "interface deleted"):
        assert told[fault]["open_s"] < 2.0
        assert told[fault]["cause"] in ("modem_dead", "link_lost")
    assert {told[fault]["next"] for fault in told if fault != "neighbour"} == {""}, "next car"
    assert told["neighbour"]["phase"] == "charging", told["neighbour"]["end"]
    assert told["neighbour"]["current_a"] > 10.0
    assert told["neighbour"]["sessions"] == 1 and told["neighbour"]["troubles"] == []
