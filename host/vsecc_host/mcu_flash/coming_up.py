"""Waits for a device to come up after a reset: the line its program prints, or its HELLO on the host line."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import serial

from vsecc_host.mcu_flash.errors import FlashError
from vsecc_host.mcu_flash.port import device_path
from vsecc_host.transport import baud_of
from vsecc_link import messages
from vsecc_link.link import FOREIGN, HOST, MESSAGE, UP, Link, host_hello
from vsecc_link.ticks import MASK

# Three attempts of a program that hangs, 8 s each, then the other slot; and some seconds to spare.
COME_UP_TIMEOUT_S = 40.0
_LINE = re.compile(rb"vsecc (\S+) slot ([ab]) image ([0-9a-f]{64})\r?\n")
_REPORT_WAIT_S = 0.3


@dataclass(frozen=True, slots=True)
class CameUp:
    """Who came up: `slot` is told at the console only, the rest by both."""

    version: str
    image_sha256: str
    slot: str | None = None
    board: str = ""
    interpreter: str = ""
    reset_cause: str = ""
    crash: str = ""


def wait_at_console(port: str, timeout_s: float = COME_UP_TIMEOUT_S) -> CameUp | None:
    """The line of a program that has proved itself; None when none came. Sends nothing."""
    path = device_path(port)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError, ValueError),
            serial.serial_for_url(path, exclusive=True, timeout=0.1) as stream,
        ):
            found = _read_line(stream, deadline)
            if found:
                return found
        time.sleep(0.02)
        path = device_path(port)
    return None


def _read_line(stream: Any, deadline: float) -> CameUp | None:
    text = b""
    while time.monotonic() < deadline:
        text = (text + stream.read(max(1, stream.in_waiting)))[-4096:]
        found = _LINE.search(text)
        if found:
            return CameUp(found[1].decode(), found[3].decode(), slot=found[2].decode())
    return None


def ask(link: str, timeout_s: float = COME_UP_TIMEOUT_S, *, reset: bool = False) -> CameUp:
    """HELLO and crash report over the host line; with `reset` the program is restarted by it.

    FlashError when nobody answers or another host has the line.
    """
    url, baud = device_path(link), baud_of(urlsplit(link))
    deadline = time.monotonic() + timeout_s
    reason = "no answer"
    while time.monotonic() < deadline:
        try:
            with serial.serial_for_url(url, baudrate=baud, exclusive=True, timeout=0.01) as stream:
                found = _talk(stream, deadline, reset)
                if found:
                    return found
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            time.sleep(0.05)
    raise FlashError(f"{link}: {reason}")


def _talk(stream: Any, deadline: float, reset: bool) -> CameUp | None:
    """One session: until a crash report had its chance. Grants nothing."""
    link = Link(HOST, int.from_bytes(os.urandom(2), "little"), host_hello("flash"))
    until, hello, crash = deadline, None, ""
    link.tick(_now_ms())
    while time.monotonic() < until:
        events, data = link.take()
        if data:
            stream.write(data)
        for kind, value in events:
            if kind == FOREIGN:
                raise FlashError(f"the device speaks another protocol: {value}")
            if kind == UP:
                hello, until = value, min(deadline, time.monotonic() + _REPORT_WAIT_S)
                if reset:
                    link.send((messages.RESET, 0x5AFE), _now_ms())
            elif kind == MESSAGE and value[0] == messages.CRASH:
                crash += value[-1]
        received = stream.read(max(1, stream.in_waiting))
        link.receive(received, _now_ms())
        link.tick(_now_ms())
    return _came_up(hello, crash) if hello else None


def _field(message: int, name: str) -> int:
    return 1 + [row[0] for row in messages.CATALOGUE[message][3]].index(name)


def _came_up(hello: Any, crash: str) -> CameUp:
    def field(name: str) -> Any:
        return hello[_field(messages.HELLO, name)]

    causes = messages.RESET_NAMES
    return CameUp(
        version=field("image_version"),
        image_sha256=field("image_sha256").hex(),
        board=field("board"),
        interpreter=field("interpreter"),
        reset_cause=causes[min(field("reset_cause"), len(causes) - 1)],
        crash=crash,
    )


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000 & MASK


def wait_for(port: str, link: str | None, timeout_s: float) -> CameUp | None:
    """Whoever comes up, by the host line where there is one; None when nobody did."""
    if not link:
        return wait_at_console(port, timeout_s)
    try:
        return ask(link, timeout_s)
    except FlashError:
        return None
