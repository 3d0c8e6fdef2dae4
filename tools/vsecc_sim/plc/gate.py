"""IP of a car over a simulated powerline on loopback: SDP and TCP pass only while the modems are linked.

Bytes of TCP wait for the link as they do in a modem; datagrams are lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from vsecc_host.v2g import sdp

HOST = "::1"
LOOK_S = 0.05
_FORGET_S = 5.0
_CHUNK = 64 * 1024

Linked = Callable[[float], bool]
Address = tuple[str, int]


class LinkGate:
    """`open` gives the car's SDP address; `close` drops what is still on its way."""

    def __init__(self, linked: Linked, station: Address) -> None:
        self._linked = linked
        self._station = station
        self._loop = asyncio.get_running_loop()
        self._servers: dict[int, tuple[asyncio.Server, int]] = {}  # by port of the station: ours
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.DatagramTransport] = []
        self._car: asyncio.DatagramTransport | None = None
        self._asking: Address | None = None

    async def open(self) -> str:
        """The URL the car sends its SDP requests to."""
        to_station, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self._answered), remote_addr=self._station
        )
        self._car, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(lambda data, source: self._asked(to_station, data, source)),
            local_addr=(HOST, 0),
        )
        self._transports = [to_station, self._car]
        return f"sdp://[{HOST}]:{self._car.get_extra_info('sockname')[1]}"

    def close(self) -> None:
        """The cable is out."""
        for transport in self._transports:
            transport.close()
        for server, _ in self._servers.values():
            server.close()
        for task in list(self._tasks):
            task.cancel()

    # --- SDP ----------------------------------------------------------------------------------------------

    def _asked(self, station: asyncio.DatagramTransport, data: bytes, source: Address) -> None:
        self._asking = source
        if self._linked(self._loop.time()):
            station.sendto(data)

    def _answered(self, data: bytes, source: Address) -> None:
        response = sdp.decode_response(data)
        if response is not None and self._linked(self._loop.time()):
            self._spawn(self._pass_answer(response))

    async def _pass_answer(self, response: sdp.SdpResponse) -> None:
        """The same answer, but with a port of ours."""
        port = await self._port_for(response.port)
        if self._car is not None and self._asking is not None and not self._car.is_closing():
            self._car.sendto(sdp.encode_response(response._replace(port=port)), self._asking)

    async def _port_for(self, station_port: int) -> int:
        if station_port not in self._servers:
            server = await asyncio.start_server(
                lambda reader, writer: self._spawn(self._relay(reader, writer, station_port)), HOST, 0
            )
            self._servers[station_port] = server, server.sockets[0].getsockname()[1]
        return self._servers[station_port][1]

    # --- TCP ----------------------------------------------------------------------------------------------

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        await self._link()
        try:
            far_reader, far_writer = await asyncio.open_connection(self._station[0], port)
        except OSError:
            writer.transport.abort()
            return
        ways = self._pass(reader, far_writer), self._pass(far_reader, writer)
        try:
            await asyncio.gather(*ways)
            far_writer.transport.abort()
        except asyncio.CancelledError:  # the station hears nothing any more, as behind a pulled cable
            self._loop.call_later(_FORGET_S, _forget, far_writer)
            raise
        finally:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, its end included: FIN as FIN, RST as RST."""
        try:
            while data := await reader.read(_CHUNK):
                await self._link()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            await self._link()
            writer.transport.abort()
            return
        await self._link()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _link(self) -> None:
        while not self._linked(self._loop.time()):
            await asyncio.sleep(LOOK_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _forget(writer: asyncio.StreamWriter) -> None:
    """Held until now: a writer nobody holds closes itself."""
    writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """Hands every datagram on."""

    def __init__(self, heard: Callable[[bytes, Address], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """A datagram from anybody."""
        self._heard(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens (ICMP): the next attempt may find somebody."""
