"""A read-only tap on the MCU line of a running host: a Unix socket that streams pcapng.

Off the safety path: it hears the trace, which is recorded anyway, and takes nothing from a reader. A reader
that is too slow loses packets, and the next one it gets says how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from vsecc_host.records import pcapng
from vsecc_host.runtime.trace import Frame, Record, Trace

logger = logging.getLogger(__name__)

SOCKET = "mcu.tap"  # inside the state folder
LAYER = "mcu"
READERS_MAX = 8
# What may wait for one reader: about 20 s of a busy line.
BUFFER_MAX_BYTES = 256 * 1024
_MODE = 0o660  # owner and group


async def open_tap(trace: Trace, state_dir: Path | None) -> UartTap | None:
    """A started tap in the state folder; None without a folder, or when there can be no socket."""
    if state_dir is None:
        return None
    tap = UartTap(trace, state_dir / SOCKET, asyncio.get_running_loop().time)
    return tap if await tap.start() else None


class UartTap:
    """Listens at `path` from `start` to `stop`; costs nothing while nobody reads."""

    def __init__(self, trace: Trace, path: Path, clock: Callable[[], float]) -> None:
        """`clock` is the one the trace stamps with."""
        self.path = path
        self.dropped = 0
        self._trace = trace
        self._clock = clock
        self._readers: list[_Reader] = []
        self._server: asyncio.AbstractServer | None = None
        self._unlisten: Callable[[], None] | None = None

    async def start(self) -> bool:
        """False, with a line in the log, when there can be no socket: the host goes on without."""
        loop = asyncio.get_running_loop()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._server = await loop.create_unix_server(lambda: _Reader(self), str(self.path))
            self.path.chmod(_MODE)
        except (OSError, ValueError) as error:  # a path beyond 107 bytes is an OSError, a NUL a ValueError
            logger.warning("no tap on the MCU line at %s: %s", self.path, error)
            return False
        return True

    async def stop(self) -> None:
        """Hang up on every reader and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for reader in list(self._readers):
            reader.abort()
        self._stop_listening()
        with contextlib.suppress(OSError):
            self.path.unlink()

    # ---- called by the readers ----

    def joined(self, reader: _Reader) -> bool:
        """A reader came; False when there are enough."""
        if len(self._readers) >= READERS_MAX:
            logger.warning("tap on the MCU line: %d readers already, one more refused", READERS_MAX)
            return False
        self._readers.append(reader)
        if self._unlisten is None:
            self._unlisten = self._trace.listen(self._on_record)
        return True

    def left(self, reader: _Reader) -> None:
        """A reader went."""
        if reader in self._readers:
            self._readers.remove(reader)
        if not self._readers:
            self._stop_listening()

    def epoch_s(self) -> float:
        """Wall time minus the trace's."""
        return time.time() - self._clock()

    def _stop_listening(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _on_record(self, record: Record) -> None:
        if not isinstance(record, Frame) or record.layer != LAYER:
            return
        for reader in tuple(self._readers):
            try:
                reader.tell(record)
            except Exception:  # whatever happens here must not reach the link
                logger.exception("tap on the MCU line: a reader is dropped")
                reader.abort()


class _Reader(asyncio.Protocol):
    """One connection: told everything that fits, heard never."""

    def __init__(self, tap: UartTap) -> None:
        self._tap = tap
        self._transport: asyncio.Transport | None = None
        self._epoch_s = 0.0
        self._left_out = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._epoch_s = self._tap.epoch_s()
        if not self._tap.joined(self):
            transport.abort()
            return
        transport.write(pcapng.section_header("vsecc") + pcapng.interface(pcapng.LINKTYPE_USER0, "mcu-uart"))

    def data_received(self, data: bytes) -> None:
        """The tap is for reading: whoever writes has mistaken it."""
        logger.warning("tap on the MCU line: a reader wrote %d bytes and is dropped", len(data))
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tap.left(self)

    def tell(self, frame: Frame) -> None:
        """Pass a frame on, or count it as left out."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(frame.raw) > BUFFER_MAX_BYTES:
            self._left_out += 1
            self._tap.dropped += 1
            return
        direction = pcapng.INBOUND if frame.direction == "rx" else pcapng.OUTBOUND
        packet = pcapng.packet(0, frame.at + self._epoch_s, frame.raw, direction, dropped=self._left_out)
        self._left_out = 0
        transport.write(packet)

    def abort(self) -> None:
        """Hang up without waiting."""
        if self._transport is not None:
            self._transport.abort()
