"""Where chunks come from: a line this program is the host of, a tap, a recording. asyncio shells."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vsecc_host import transport
from vsecc_host.records.pcapng_read import PcapngError, PcapngReader
from vsecc_host.runtime.pump import Pump
from vsecc_host.wiring import software_version
from vsecc_link.link import EVENT_NAMES, FOREIGN, LOST
from vsecc_uart.endpoint import Endpoint, Line, Recording
from vsecc_uart.quiet_host import QuietHost
from vsecc_uart.recording import PacketSorter, read_chunks
from vsecc_uart.values import HOST, MCU, Chunk

REOPEN_S = 0.5
# Chunks of a recording handled before others get their turn.
AT_ONCE = 200


class Sink(Protocol):
    """Who takes what a source finds."""

    def chunk(self, chunk: Chunk) -> None:
        """Bytes of the line."""

    def note(self, text: str) -> None:
        """A word about the source itself."""


class Source(Protocol):
    """`run` until the source ends or the task is cancelled; OSError when there is none to begin with."""

    async def run(self, sink: Sink) -> None:
        """Feed the sink."""


def wall_clock() -> Callable[[], float]:
    """Seconds since the epoch that never step: the loop's clock, set once."""
    loop = asyncio.get_running_loop()
    epoch_s = time.time() - loop.time()
    return lambda: loop.time() + epoch_s


def source_of(endpoint: Endpoint, *, listen_only: bool = False) -> Source:
    """The source an endpoint is read by."""
    if isinstance(endpoint, Recording):
        return RecordingSource(endpoint.path)
    if isinstance(endpoint, Line):
        return ListenSource(endpoint) if listen_only else HostSource(endpoint)
    return TapSource(endpoint.path)


@dataclass(slots=True)
class RecordingSource:
    """A file, as fast as it can be read."""

    path: Path

    async def run(self, sink: Sink) -> None:
        """To the end of the recording."""
        problems: list[str] = []
        for count, chunk in enumerate(read_chunks(self.path, problems)):
            sink.chunk(chunk)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        for problem in problems:
            sink.note(problem)


@dataclass(slots=True)
class TapSource:
    """A running host's tap; when the host goes, it is waited for."""

    path: Path

    async def run(self, sink: Sink) -> None:
        """Until cancelled; OSError when nobody listens at the start."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError as error:  # asyncio's does not name the path
            raise OSError(
                error.errno, f"no host offers its line here: {error.strerror}", str(self.path)
            ) from error
        while True:
            sink.note(f"following {self.path}")
            try:
                await self._follow(reader, sink)
            except (OSError, PcapngError) as error:
                sink.note(f"{self.path}: {error}")
            writer.close()
            sink.note(f"{self.path} closed: the host went away; waiting for it")
            while True:
                await asyncio.sleep(REOPEN_S)
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_unix_connection(str(self.path))
                    break

    @staticmethod
    async def _follow(reader: asyncio.StreamReader, sink: Sink) -> None:
        blocks, sorter = PcapngReader(), PacketSorter()
        while data := await reader.read(1 << 16):
            for packet in blocks.feed(data):
                chunk = sorter.chunk(packet)
                if chunk is not None:
                    sink.chunk(chunk)


class Stream(asyncio.Protocol):
    """Hands bytes and the end of a stream to callbacks."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self.closed = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(exc)


@dataclass(slots=True)
class ListenSource:
    """A line of which only one direction is heard; nothing is ever sent."""

    line: Line
    sender: str = MCU

    async def run(self, sink: Sink) -> None:
        """Until the line closes."""
        now = wall_clock()
        stream, wire = await transport.open_stream(
            self.line.url, lambda: Stream(lambda data: sink.chunk(Chunk(now(), self.sender, data)))
        )
        sink.note(f"listening on {self.line.url}, sending nothing")
        try:
            sink.note(f"{self.line.url} closed{because(await wire.closed)}")
        finally:
            transport.abandon(stream)


@dataclass(slots=True)
class HostSource:
    """A line whose host this is: it holds a session, permits nothing and commands nothing."""

    line: Line
    reopen: bool = True

    async def run(self, sink: Sink) -> None:
        """Until cancelled; OSError when the line cannot be opened at the start."""
        nonce = secrets.randbelow(0xFFFF) + 1
        machine = QuietHost(nonce, f"monitor {software_version()}", self.line.baud)
        first = True
        while True:
            try:
                await self._once(machine, sink)
            except OSError as error:
                if first:
                    raise
                sink.note(f"cannot open {self.line.url}: {error.strerror or error}")
            if not self.reopen:
                return
            first = False
            await asyncio.sleep(REOPEN_S)

    async def _once(self, machine: QuietHost, sink: Sink) -> None:
        now = wall_clock()
        pump: list[Pump] = []

        def received(data: bytes) -> None:
            sink.chunk(Chunk(now(), MCU, data))
            pump[0].feed(data)

        def write(data: bytes) -> None:
            if not stream.is_closing():
                sink.chunk(Chunk(now(), HOST, data))
                stream.write(data)

        stream, wire = await transport.open_stream(self.line.url, lambda: Stream(received))
        pump.append(Pump(machine, write, lambda event: _tell(sink, event)))
        sink.note(f"host of {self.line.url}: no relay permitted, no command sent")
        try:
            machine.connected(asyncio.get_running_loop().time())
            pump[0].poke()
            sink.note(f"{self.line.url} closed{because(await wire.closed)}")
        finally:
            pump[0].close()
            transport.abandon(stream)


def _tell(sink: Sink, event: tuple[int, Any]) -> None:
    kind, value = event
    if kind in (LOST, FOREIGN):
        sink.note(f"{EVENT_NAMES[kind]}: {value}")


def because(error: Exception | None) -> str:
    return f": {error}" if error else ""
