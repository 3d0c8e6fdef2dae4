"""Stands between a host and an MCU: passes every byte on, shows it, and spoils it when asked to."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsecc_host import transport
from vsecc_sim.mcu.hostside import HostSide, open_host_side
from vsecc_sim.mcu.line import Noise
from vsecc_uart.endpoint import Line
from vsecc_uart.sources import Sink, Stream, because, wall_clock
from vsecc_uart.values import HOST, MCU, SENDERS, Chunk, other

logger = logging.getLogger(__name__)

# What may wait for an MCU that does not read; as the host service has it.
WRITE_LIMIT_BYTES = 4096
REQUEST_MAX_BYTES = 4096
SECONDS_MAX = 3600.0


class BadRequest(ValueError):
    """A request to the proxy that cannot be carried out."""


@dataclass(slots=True)
class Disturbance:
    """What happens to the bytes of one direction until a moment."""

    noise: Noise = field(default_factory=Noise)
    until: float = 0.0

    def apply(self, data: bytes, now: float, source: random.Random) -> bytes:
        """The bytes as they go on."""
        return self.noise.apply(data, source) if now < self.until else data


@dataclass(slots=True)
class Request:
    """What `vsecc mcu inject --via` asks: bytes to slip in, or noise for a while."""

    sender: str  # whose direction: the bytes seem to come from this end
    data: bytes = b""
    noise: Noise | None = None
    seconds: float = 0.0

    @classmethod
    def from_json(cls, raw: bytes) -> Request:
        """BadRequest names what is wrong."""
        try:
            asked = json.loads(raw)
            if not isinstance(asked, dict) or asked.get("from") not in SENDERS:
                raise BadRequest("`from` must be host or mcu")
            unknown = set(asked) - {"from", "hex", "flip_ppm", "drop_ppm", "double_ppm", "cut", "seconds"}
            if unknown:
                raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
            rates = {name: _ppm(asked, name) for name in ("flip_ppm", "drop_ppm", "double_ppm")}
            noise = Noise(**rates, cut=bool(asked.get("cut", False)))
            seconds = float(asked.get("seconds", 0.0))
            if not 0 <= seconds <= SECONDS_MAX:
                raise BadRequest(f"`seconds` not in 0..{SECONDS_MAX:.0f}")
            data = bytes.fromhex(asked.get("hex", ""))
        except BadRequest:
            raise
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BadRequest(f"not a request: {error}") from error
        return cls(asked["from"], data, noise if seconds else None, seconds)


def _ppm(asked: dict[str, Any], name: str) -> int:
    value = asked.get(name, 0)
    if type(value) is not int or not 0 <= value <= 1_000_000:
        raise BadRequest(f"`{name}` not in 0..1000000")
    return value


class ProxySource:
    """A source that is a wire: `line` is the MCU's, `offer` (pty:// or tcp://) is where the host connects."""

    def __init__(self, line: Line, offer: str, *, control: Path | None = None, seed: int = 1) -> None:
        self.offered = ""
        self.dropped_bytes = 0
        self._line = line
        self._offer = offer
        self._control = control
        self._random = random.Random(seed)
        self._disturbed = {sender: Disturbance() for sender in SENDERS}
        self._watched: set[int] = set()
        self._stream: asyncio.Transport | None = None
        self._host: HostSide | None = None
        self._sink: Sink | None = None
        self._now: Callable[[], float] = lambda: 0.0

    async def run(self, sink: Sink) -> None:
        """Until the MCU's line closes or it is cancelled; OSError, ValueError when an end cannot open."""
        self._sink, self._now = sink, wall_clock()
        self._stream, wire = await transport.open_stream(
            self._line.url, lambda: Stream(lambda data: self._pass(MCU, data))
        )
        server: asyncio.AbstractServer | None = None
        try:
            self._host = open_host_side(self._offer)
            self.offered = self._host.url
            if self._control is not None:
                server = await asyncio.start_unix_server(
                    self._serve, str(self._control), limit=REQUEST_MAX_BYTES
                )
            sink.note(f"between {self._line.url} and {self.offered}")
            self._watch()
            sink.note(f"{self._line.url} closed{because(await wire.closed)}")
        finally:
            if server is not None:
                server.close()
                assert self._control is not None
                self._control.unlink(missing_ok=True)
            self._close()

    def obey(self, request: Request) -> None:
        """Carry out what `inject` asks."""
        if request.noise is not None:
            loop = asyncio.get_running_loop()
            self._disturbed[request.sender] = Disturbance(request.noise, loop.time() + request.seconds)
        if request.data:
            self._deliver(request.sender, request.data)

    def _pass(self, sender: str, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        data = self._disturbed[sender].apply(data, now, self._random)
        if data:
            self._deliver(sender, data)

    def _deliver(self, sender: str, data: bytes) -> None:
        """Show and hand over; what its receiver does not take is lost, as on a line."""
        assert self._sink is not None
        if sender == HOST:
            stream = self._stream
            if stream is None or stream.is_closing() or stream.get_write_buffer_size() > WRITE_LIMIT_BYTES:
                self.dropped_bytes += len(data)
                return
            self._sink.chunk(Chunk(self._now(), sender, data))
            stream.write(data)
        elif self._host is not None:
            self._sink.chunk(Chunk(self._now(), sender, data))
            self._host.send(data)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        wanted = set(self._host.listeners()) if self._host else set()
        for fd in self._watched - wanted:
            loop.remove_reader(fd)
        for fd in wanted - self._watched:
            loop.add_reader(fd, self._readable)
        self._watched = wanted

    def _readable(self) -> None:
        if self._host is None:
            return
        data = self._host.receive()
        self._watch()
        if data:
            self._pass(HOST, data)

    def _close(self) -> None:
        host, self._host = self._host, None
        self._watch()
        if host is not None:
            host.close()
        if self._stream is not None:
            transport.abandon(self._stream)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a line, one answer a line."""
        try:
            while line := await reader.readline():
                writer.write(self._answer(line))
                await writer.drain()
        except (OSError, ValueError) as error:  # gone, or a line beyond the limit
            logger.warning("control of the proxy: %s", error)
        finally:
            writer.close()

    def _answer(self, line: bytes) -> bytes:
        try:
            request = Request.from_json(line)
            self.obey(request)
        except BadRequest as error:
            logger.warning("control of the proxy: %s", error)
            return json.dumps({"error": str(error)}).encode() + b"\n"
        return json.dumps({"ok": True, "to": other(request.sender)}).encode() + b"\n"
