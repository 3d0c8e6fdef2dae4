"""SDP and TCP on a real interface: veth pairs between two network namespaces, link-local addresses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.host.v2g.namespaces import Net, inside, ip, link_local, net
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station.events import V2gAvailability
from vsecc_host.station.values import Cause
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


def told(station: ScriptedStation) -> list[tuple[Cause, str]]:
    """What the station heard about whether cars can be served."""
    return [(event.cause, event.detail) for event, _ in station.events if isinstance(event, V2gAvailability)]


async def ready(station: ScriptedStation, net: Net) -> None:
    """Every interface has its address: duplicate address detection takes about two seconds."""
    await settle(lambda: station.v2g.state_name == "listening", within_s=10)
    await settle(lambda: "tentative" not in ip("-n", net.car, "-6", "addr"), within_s=10)


@pytest.mark.clause("ISO15118-2 7.10.1")
async def test_discovery_and_a_session_on_a_real_interface(net: Net) -> None:
    with inside(net.station):
        async with ScriptedStation(endpoint="iface://se0") as station:
            await ready(station, net)
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


async def test_a_modem_that_resets_is_found_again(net: Net) -> None:
    with inside(net.station):
        async with ScriptedStation(endpoint="iface://se0") as station:
            await ready(station, net)
            port = station.v2g.tcp_port
            ip("-n", net.station, "link", "set", "se0", "down")
            await settle(lambda: station.v2g.state_name == "no interface", within_s=10)
            assert told(station)[-1] == (Cause.NO_INTERFACE, "se0")
            ip("-n", net.station, "link", "set", "se0", "up")
            await ready(station, net)
            assert station.v2g.tcp_port != port
            await settle(lambda: told(station)[-1] == (Cause.NONE, ""), within_s=3)
            assert await car(net.car, "session", "ev0") == "OK"
