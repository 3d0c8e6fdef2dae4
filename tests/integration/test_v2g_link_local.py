"""SDP and TCP on a real interface: veth pairs between two network namespaces, link-local addresses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.host.v2g.namespaces import Net, inside, link_local, net
from unit.host.v2g.scripted import ScriptedStation

from vsecc_sim.virtual_time import settle

__all__ = ["net"]

_TESTS = Path(__file__).resolve().parents[1]


async def car(namespace: str, *words: str) -> str:
    paths = [str(_TESTS), *(str(_TESTS.parent / part) for part in ("host", "tools", "protocol"))]
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace, sys.executable, "-m", "unit.host.v2g.link_car", *words),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, problem = await process.communicate()
    assert process.returncode == 0, problem.decode()
    return out.decode().strip()


@pytest.mark.clause("ISO15118-2 7.10.1")
async def test_discovery_and_a_session_on_a_real_interface(net: Net) -> None:
    station = ScriptedStation(endpoint="iface://se0")
    with inside(net.station):  # start waits until duplicate address detection is over
        await station.__aenter__()
    try:
        assert station.v2g.sdp_address == ("ff02::1%se0", 15118)
        address = link_local(net.station, "se0")
        # WHEN a car with its link-local address asks THEN our link-local address answers and names itself
        told = await car(net.car, "ask", "ev0", link_local(net.car, "ev0"))
        assert told == f"answer from {address} says {address}"
        # a global source and another interface get nothing
        assert await car(net.car, "ask", "ev0", "2001:db8::2") == "silence"
        assert await car(net.car, "ask", "ev1", link_local(net.car, "ev1")) == "silence"
        # and a whole exchange works with scope ids
        assert await car(net.car, "session", "ev0") == "OK"
        await settle(lambda: bool(station.ends))
        assert station.ends[0].orderly
    finally:
        await station.__aexit__(None, None, None)
