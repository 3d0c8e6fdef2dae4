"""SDP and TCP on a real interface: veth pairs between two network namespaces, link-local addresses."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from unit.host.v2g.scripted import ScriptedStation

from vsecc_sim.virtual_time import settle

_CLONE_NEWNET = 0x40000000
_TESTS = Path(__file__).resolve().parents[1]


class Net(NamedTuple):
    """Two namespaces, two pairs: `se0`-`ev0` is the modem's, `se1`-`ev1` another link."""

    station: str
    car: str


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def _reason_to_skip() -> str:
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if shutil.which("ip") is None:
        return "needs iproute2"
    if not Path("/proc/net/if_inet6").exists():
        return "needs IPv6"
    return ""


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    reason = _reason_to_skip()
    if reason:
        pytest.skip(reason)
    names = Net(f"vsecc-se-{os.getpid()}", f"vsecc-ev-{os.getpid()}")
    try:
        for name in names:
            _ip("netns", "add", name)
        for pair in ("0", "1"):
            _ip("-n", names.station, "link", "add", f"se{pair}", "type", "veth", "peer", "name", f"ev{pair}")
            _ip("-n", names.station, "link", "set", f"ev{pair}", "netns", names.car)
            _ip("-n", names.station, "link", "set", f"se{pair}", "up")
            _ip("-n", names.car, "link", "set", f"ev{pair}", "up")
        _ip("-n", names.car, "addr", "add", "2001:db8::2/64", "dev", "ev0", "nodad")
        yield names
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets opened here belong to the namespace for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{namespace}").open() as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            pytest.skip(f"cannot enter a network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


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


def link_local(namespace: str, interface: str) -> str:
    found = re.search(r"inet6 (fe80\S+)/64", _ip("-n", namespace, "-6", "addr", "show", "dev", interface))
    assert found is not None
    return found[1]


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
