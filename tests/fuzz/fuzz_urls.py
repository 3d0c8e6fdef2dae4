"""Addresses of everything, as settings and command lines give them: taken, or refused by a ValueError."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from vsecc_host import transport
from vsecc_host.pep.service import websocket_url
from vsecc_host.v2g.endpoint import interface_of
from vsecc_sim.ev.sdp_client import parse_target
from vsecc_sim.replay.channel import connector
from vsecc_sim.station.options import Refused, power_urls
from vsecc_uart.endpoint import parse
from vsecc_uart.recording import parse_size

MAX_LEN = 256
READERS: tuple[Callable[[str], Any], ...] = (
    transport.check_url,
    websocket_url,
    interface_of,
    parse_target,
    connector,
    lambda text: power_urls((text,), 2),
    parse,
    parse_size,
)


def seeds() -> Iterator[bytes]:
    """One of each kind."""
    yield from (
        b"serial:///dev/ttyACM0?baud=921600",
        b"tcp://127.0.0.1:5700",
        b"pty:///run/vsecc/mcu",
        b"ws://[::1]:4711/{evse}",
        b"iface://eth1?slac=off",
        b"sdp://[ff02::1%eth1]:15118",
        b"sim://pep",
        b"tap:///run/vsecc",
        b"64M",
    )


def one_input(data: bytes) -> None:
    """Every reader gets the text; OSError: no such interface or file."""
    text = data.decode("utf-8", "surrogateescape")
    for read in READERS:
        with contextlib.suppress(ValueError, OSError, Refused):
            read(text)
