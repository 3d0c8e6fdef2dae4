"""How a replayed car reaches a station: by SDP, or straight by TCP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Protocol
from urllib.parse import urlsplit

from vsecc_host.v2g import sdp, v2gtp

SDP_RETRY_S = 0.25  # the EV repeats its request
SDP_ATTEMPTS = 50
_SDP_PORT = sdp.PORT


class Unreachable(ConnectionError):
    """No SDP answer, or the connection was refused."""


class Channel(Protocol):
    """An open connection to a station."""

    async def exchange(self, request: bytes, timeout_s: float) -> bytes | None:
        """Send and wait for one V2GTP message; None when none came or the station closed."""

    async def close(self) -> None:
        """Close as a car does."""


Connect = Callable[[], Awaitable[Channel]]


class TcpChannel:
    """A real TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes, timeout_s: float) -> bytes | None:
        """See Channel."""
        self._writer.write(request)
        try:
            async with asyncio.timeout(timeout_s):
                header = await self._reader.readexactly(v2gtp.HEADER_SIZE)
                return header + await self._reader.readexactly(int.from_bytes(header[4:], "big"))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        """See Channel."""
        self._writer.close()
        with suppress(ConnectionError):  # the station was faster
            await self._writer.wait_closed()


def connector(url: str) -> Connect:
    """Connect function for `tcp://host:port` or `sdp://host:port` (multicast: `sdp://[ff02::1%eth1]:15118`)."""
    parts = urlsplit(url)
    if parts.scheme not in ("tcp", "sdp") or parts.hostname is None:
        raise ValueError(f"{url!r}: expected tcp://HOST:PORT or sdp://HOST[:PORT]")
    host = parts.hostname
    if parts.scheme == "tcp":
        if parts.port is None:
            raise ValueError(f"{url!r}: a TCP port is needed")
        port = parts.port
        return lambda: open_tcp(host, port, 0)
    return lambda: _by_sdp(host, parts.port or _SDP_PORT)


async def open_tcp(host: str, port: int, scope_id: int) -> TcpChannel:
    """Connect; Unreachable when refused."""
    if scope_id and "%" not in host:
        host = f"{host}%{socket.if_indextoname(scope_id)}"
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise Unreachable(f"TCP to {host} port {port}: {error}") from error
    return TcpChannel(reader, writer)


class _Answers(asyncio.DatagramProtocol):
    """Collects SDP answers; errors (nobody listens yet) are what the retries are for."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[sdp.SdpResponse] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = sdp.decode_response(data)
        if response is not None:
            self.queue.put_nowait(response)

    def error_received(self, exc: Exception) -> None:
        pass


async def discover(host: str, port: int) -> sdp.SdpResponse:
    """Ask as a car does until somebody answers; Unreachable after 50 requests."""
    loop = asyncio.get_running_loop()
    info = (await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0]
    transport, answers = await loop.create_datagram_endpoint(_Answers, family=info[0])
    try:
        for _ in range(SDP_ATTEMPTS):
            transport.sendto(sdp.encode_request(sdp.Security.NONE), info[4])
            try:
                async with asyncio.timeout(SDP_RETRY_S):
                    return await answers.queue.get()
            except TimeoutError:
                continue
    finally:
        transport.close()
    raise Unreachable(f"no SDP answer from {host} port {port} after {SDP_ATTEMPTS} requests")


async def _by_sdp(host: str, port: int) -> TcpChannel:
    response = await discover(host, port)
    address = IPv6Address(response.address)
    scope_id = socket.if_nametoindex(host.partition("%")[2]) if "%" in host else 0
    return await open_tcp(str(address.ipv4_mapped or address), response.port, scope_id)
