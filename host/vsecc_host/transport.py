"""Opens byte streams by URL: `serial:///dev/ttyACM0?baud=921600`, `pty:///run/vsecc/mcu`,
`tcp://127.0.0.1:5700`.

Writing never blocks and closing never waits for the peer: what was not sent by then is discarded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

DEFAULT_BAUD = 921_600

P = TypeVar("P", bound=asyncio.Protocol)


class BadUrl(ValueError):
    """The text is not the URL of a byte stream."""


def check_url(url: str) -> SplitResult:
    """The parts of a stream URL; BadUrl when it is none."""
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.port) if parts.scheme == "tcp" else bool(parts.path)
    except ValueError as error:
        raise BadUrl(f"{url}: {error}") from error
    if parts.scheme not in ("tcp", "serial", "pty") or not complete:
        raise BadUrl(f"{url}: expected tcp://HOST:PORT, serial:///DEVICE?baud=N or pty:///PATH")
    baud_of(parts)
    return parts


def baud_of(parts: SplitResult) -> int:
    """Bit rate of a serial URL."""
    text = parse_qs(parts.query).get("baud", [str(DEFAULT_BAUD)])[-1]
    if not text.isdecimal() or not 300 <= int(text) <= 4_000_000:
        raise BadUrl(f"{parts.geturl()}: no bit rate: {text}")
    return int(text)


async def open_stream(url: str, protocol_factory: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    """Open `url` and attach a protocol; BadUrl or OSError when that is impossible."""
    parts = check_url(url)
    loop = asyncio.get_running_loop()
    if parts.scheme == "tcp":
        assert parts.hostname is not None and parts.port is not None
        return await loop.create_connection(protocol_factory, parts.hostname, parts.port)
    return _open_serial(loop, parts.path, baud_of(parts), protocol_factory())


def abandon(transport: asyncio.Transport) -> None:
    """Close at once. pyserial-asyncio waits inside the loop for unsent bytes: they are discarded."""
    port = transport.get_extra_info("serial")
    if port is not None:
        if transport.is_closing():  # a second abort would report the end twice
            return
        port.discard_output()
    transport.abort()


def _open_serial(
    loop: asyncio.AbstractEventLoop, path: str, baud: int, protocol: P
) -> tuple[asyncio.Transport, P]:
    # Imported here: a TCP link to a simulator needs none of it.
    import termios

    import serial
    import serial_asyncio

    class Port(serial.Serial):  # type: ignore[misc]
        """pyserial's own spins for ever when a full line refuses a byte, and waits for the peer to close."""

        def write(self, data: bytes) -> int:
            try:
                return os.write(self.fd, data)
            except BlockingIOError:
                return 0
            except OSError as error:
                raise serial.SerialException(f"write failed: {error}") from error

        def flush(self) -> None:
            self.discard_output()

        def discard_output(self) -> None:
            with contextlib.suppress(termios.error):  # unplugged
                self.reset_output_buffer()

    try:
        port = Port(path, baudrate=baud, exclusive=True)
    except ValueError as error:
        raise OSError(f"{path}: {error}") from error
    except serial.SerialException as error:
        if "configure" in str(error):  # pyserial names neither the port nor what is wrong with it
            raise OSError(f"{path}: is no serial port") from error
        raise
    return serial_asyncio.SerialTransport(loop, protocol, port), protocol
