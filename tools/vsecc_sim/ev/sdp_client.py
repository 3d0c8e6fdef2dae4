"""Discovery as a car does it: where to ask, how often, what to make of answers (ISO 15118-2 7.10.1)."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncGenerator
from ipaddress import IPv6Address
from typing import NamedTuple

from vsecc_host.v2g import sdp
from vsecc_sim.ev.profiles import Discovery

Socket = socket.socket

_SDP_URL = re.compile(r"sdp://\[?(?P<host>[^\]/]+?)\]?:(?P<port>\d+)/?")
_IFACE_URL = re.compile(r"iface://(?P<name>[^/?]+).*")
_SECURITY = {"tls": sdp.Security.TLS, "none": sdp.Security.NONE}


class Target(NamedTuple):
    """Where requests go; `scope_id` is the interface index, 0 on loopback."""

    host: str
    port: int
    scope_id: int

    @property
    def family(self) -> socket.AddressFamily:
        """Address family of host."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def address(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """As sockets take it."""
        return (self.host, self.port, 0, self.scope_id) if ":" in self.host else (self.host, self.port)


def parse_target(url: str) -> Target:
    """`iface://eth1` (multicast there) or `sdp://[::1]:PORT`; ValueError, OSError: no such interface."""
    if match := _IFACE_URL.fullmatch(url):
        return Target(sdp.MULTICAST_GROUP, sdp.PORT, socket.if_nametoindex(match["name"]))
    if match := _SDP_URL.fullmatch(url):
        host, _, interface = match["host"].partition("%")
        return Target(host, int(match["port"]), socket.if_nametoindex(interface) if interface else 0)
    raise ValueError(f"{url!r}: expected iface://NAME or sdp://[ADDRESS]:PORT")


def charger(response: sdp.SdpResponse, target: Target) -> Target:
    """TCP address of the answer; link-local ones need the scope of the interface asked."""
    address = IPv6Address(response.address)
    if address.ipv4_mapped is not None:
        return Target(str(address.ipv4_mapped), response.port, 0)
    return Target(str(address), response.port, target.scope_id if address.is_link_local else 0)


class Offer(NamedTuple):
    """A charger's answer: where to connect, and whether TLS is spoken there."""

    address: Target
    tls: bool


async def offers(target: Target, habit: Discovery) -> AsyncGenerator[Offer, None]:
    """One answer to each security asked for, as long as the caller is not content."""
    loop = asyncio.get_running_loop()
    with _open(target) as sock:
        transport, client = await loop.create_datagram_endpoint(_Client, sock=sock)
        try:
            for name in habit.security:
                response = await _ask(transport, client, target, habit, _SECURITY[name])
                if response is not None:
                    yield Offer(charger(response, target), response.security is sdp.Security.TLS)
        finally:
            transport.close()


async def _ask(
    transport: asyncio.DatagramTransport,
    client: _Client,
    target: Target,
    habit: Discovery,
    security: sdp.Security,
) -> sdp.SdpResponse | None:
    while not client.responses.empty():  # late ones of the question before
        client.responses.get_nowait()
    for _ in range(habit.attempts):
        transport.sendto(sdp.encode_request(security), target.address)
        try:
            return await asyncio.wait_for(client.responses.get(), habit.interval_s)
        except TimeoutError:
            continue
    return None


def _open(target: Target) -> socket.socket:
    sock = socket.socket(target.family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if target.scope_id:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, target.scope_id)
    return sock


class _Client(asyncio.DatagramProtocol):
    """Keeps the answers; anything else that arrives is dropped."""

    def __init__(self) -> None:
        self.responses: asyncio.Queue[sdp.SdpResponse] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A datagram from anybody."""
        response = sdp.decode_response(data)
        if response is not None:
            self.responses.put_nowait(response)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens (ICMP): the next attempt may find somebody."""


async def connect(found: Target) -> socket.socket:
    """TCP to the charger without delay of small segments; OSError."""
    sock = socket.socket(found.family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, found.address)
    except BaseException:
        sock.close()
        raise
    return sock
