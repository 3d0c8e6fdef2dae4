"""What `--port` may name: a line to open, the tap of a running host, or a recording."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from vsecc_host import transport
from vsecc_host.records.uart_tap import SOCKET


@dataclass(frozen=True, slots=True)
class Line:
    """A byte stream of `vsecc_host.transport`; `baud` 0 where no UART is known of."""

    url: str
    baud: int


@dataclass(frozen=True, slots=True)
class Tap:
    """The tap of a running host."""

    path: Path


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or the newest one of a ring."""

    path: Path


Endpoint = Line | Tap | Recording

WANTED = "a device, serial:///DEVICE?baud=N, pty:///PATH, tcp://HOST:PORT, tap:///PATH or a recording"


def parse(text: str) -> Endpoint:
    """The endpoint a word of the command line names; ValueError says what would fit."""
    if text.startswith("tap://"):
        if text == "tap://":
            raise ValueError(f"{text}: expected tap:///PATH")
        return Tap(_tap_path(Path(text.removeprefix("tap://"))))
    if "://" in text:
        parts = transport.check_url(text)
        # An emulator paces its TCP line as the default UART.
        return Line(text, transport.baud_of(parts))
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"{text}: {error.strerror}; expected {WANTED}") from error
    if stat.S_ISCHR(mode):
        return Line(f"serial://{path.absolute()}", transport.DEFAULT_BAUD)
    if stat.S_ISSOCK(mode):
        return Tap(path)
    if stat.S_ISDIR(mode):
        return Tap(_tap_path(path))
    if stat.S_ISREG(mode):
        return Recording(path)
    raise ValueError(f"{text}: expected {WANTED}")


def tap_of(state_dir: str) -> Endpoint:
    """The tap of the host service whose state folder this is."""
    return Tap(Path(state_dir) / SOCKET)


def parse_line(text: str) -> Line:
    """As `parse`, where only a line will do."""
    found = parse(text)
    if not isinstance(found, Line):
        raise ValueError(f"{text}: expected a device, serial://, pty:// or tcp:// URL")
    return found


def _tap_path(path: Path) -> Path:
    return path / SOCKET if path.is_dir() else path
