"""Network namespaces and veth pairs by way of ip(8), and work done inside one from outside. Needs root."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_RUN = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x17, 0x15, 0x1F, 0x22, 0x24, 0x2C)  # ETHTOOL_S: TXCSUM, RXCSUM, TSO, UFO, GSO, GRO
_NAME = re.compile(r"vsecc(\d+)-")
_COMMAND_TIMEOUT_S = 20


class NamespacesUnavailable(Exception):
    """Why no namespaces can be made here."""


def need_namespaces() -> None:
    """Raises NamespacesUnavailable without root, without ip(8), and where a container forbids them."""
    if os.geteuid() != 0:
        raise NamespacesUnavailable("network namespaces need root")
    if shutil.which("ip") is None:
        raise NamespacesUnavailable("network namespaces need ip(8) of iproute2")
    probe = name_of("probe")
    ip("netns", "add", probe)
    remove(probe)


def ip(*arguments: str) -> str:
    """Run ip(8); NamespacesUnavailable with its words when it refuses."""
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise NamespacesUnavailable(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def name_of(role: str) -> str:
    """A namespace name of this process, so that leftovers of dead ones can be told."""
    return f"vsecc{os.getpid()}-{role}"


def sweep() -> list[str]:
    """Remove namespaces whose process is gone; their names."""
    removed = []
    for path in _RUN.glob("vsecc*-*"):
        owner = _NAME.match(path.name)
        if owner and not Path("/proc", owner[1]).exists():
            with contextlib.suppress(NamespacesUnavailable):  # a leftover that stays is no reason to give up
                remove(path.name)
                removed.append(path.name)
    return removed


def add(name: str) -> None:
    """A namespace with its loopback up and no wait for duplicate addresses."""
    ip("netns", "add", name)
    inside(name, _no_waiting)
    ip("-n", name, "link", "set", "lo", "up")


def remove(name: str) -> None:
    """The namespace and every interface in it; no error when it is gone."""
    if (_RUN / name).exists():
        ip("netns", "del", name)


def veth(one: tuple[str, str], other: tuple[str, str], mac: str = "") -> None:
    """A cable between two (namespace, interface); `mac` for the first end."""
    ip("link", "add", one[1], "netns", one[0], "type", "veth", "peer", "name", other[1], "netns", other[0])
    if mac:
        ip("-n", one[0], "link", "set", one[1], "address", mac)
    for namespace, interface in (one, other):
        inside(namespace, partial(_plain, interface))
        ip("-n", namespace, "link", "set", interface, "up")


def inside(name: str, action: Callable[[], T]) -> T:
    """Run something in a namespace, in a thread of its own; sockets made there stay there."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            enter(name)
            results.append(action())
        except BaseException as error:  # carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work, name=f"in {name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def write_setting(path: str, value: str) -> None:
    """A kernel setting of the namespace this runs in; a kernel without it is content."""
    setting = Path("/proc/sys", path)
    if setting.exists():
        setting.write_text(value)


def enter(name: str) -> None:
    """Move the calling thread into a namespace; threads and processes it starts afterwards follow."""
    descriptor = os.open(_RUN / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
    finally:
        os.close(descriptor)


def _no_waiting() -> None:
    """Link-local addresses at once: duplicate address detection would take two seconds."""
    for scope in ("all", "default"):
        write_setting(f"net/ipv6/conf/{scope}/accept_dad", "0")
        write_setting(f"net/ipv6/conf/{scope}/router_solicitations", "0")


def _plain(interface: str) -> None:
    """No offloads: a frame carried on in software must have its checksum and its true size."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, request)
            except OSError:
                continue  # not every kernel knows every one
