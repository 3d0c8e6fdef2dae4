"""Two network namespaces joined by veth pairs: a real interface with link-local addresses, for a test."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

_CLONE_NEWNET = 0x40000000


class Net(NamedTuple):
    """Two namespaces, two pairs: `se0`-`ev0` is the modem's, `se1`-`ev1` another link."""

    station: str
    car: str


def ip(*words: str) -> str:
    """Run iproute2; its output."""
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
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for pair in ("0", "1"):
            ip("-n", names.station, "link", "add", f"se{pair}", "type", "veth", "peer", "name", f"ev{pair}")
            ip("-n", names.station, "link", "set", f"ev{pair}", "netns", names.car)
            ip("-n", names.station, "link", "set", f"se{pair}", "up")
            ip("-n", names.car, "link", "set", f"ev{pair}", "up")
        ip("-n", names.car, "addr", "add", "2001:db8::2/64", "dev", "ev0", "nodad")
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


def link_local(namespace: str, interface: str) -> str:
    found = re.search(r"inet6 (fe80\S+)/64", ip("-n", namespace, "-6", "addr", "show", "dev", interface))
    assert found is not None
    return found[1]
