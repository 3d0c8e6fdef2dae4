"""Where a car finds us: the sockets of one outlet, on the modem's interface or, simulated, on loopback."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

from vsecc_host.v2g import sdp

FIRST_PORT, LAST_PORT = (
    49152,
    65535,
)  # some cars reject lower ones; Linux' own range begins lower
_PORT_ATTEMPTS = 50
_BACKLOG = 16  # one car at a time; the rest is refused as soon as the loop runs

Address = tuple[str, int] | tuple[str, int, int, int]


class EndpointError(OSError):
    """The endpoint's URL is wrong or its interface cannot be used; the text is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Open sockets; `scope_id` is the interface index, 0 on loopback."""

    listener: socket.socket
    discovery: socket.socket
    address: bytes  # packed IPv6 address told in the SDP response
    port: int
    scope_id: int
    interface: str
    sdp_address: tuple[str, int]
    tls_listener: socket.socket | None = None

    @property
    def tls_port(self) -> int | None:
        """The port TLS is spoken on; None without TLS."""
        return self.tls_listener.getsockname()[1] if self.tls_listener is not None else None

    def accepts(self, source: Address) -> bool:
        """Link-local sources on the modem's interface only; on loopback everybody."""
        if not self.scope_id:
            return True
        host = source[0].partition("%")[0]
        return len(source) == 4 and source[3] == self.scope_id and IPv6Address(host).is_link_local

    def present(self) -> bool:
        """The interface still is the one we listen on: same index, same address."""
        if not self.interface:
            return True
        try:
            index, address = socket.if_nametoindex(self.interface), link_local_address(self.interface)
        except OSError:
            return False
        return index == self.scope_id and IPv6Address(address).packed == self.address

    def close(self) -> None:
        """Close every socket."""
        self.listener.close()
        self.discovery.close()
        if self.tls_listener is not None:
            self.tls_listener.close()


def interface_of(url: str) -> str:
    """The interface an endpoint URL names, empty for loopback; EndpointError for any other URL."""
    parts = urlsplit(url)
    if parts.scheme == "sim":
        return ""
    if parts.scheme != "iface" or not parts.netloc:
        raise EndpointError(f"V2G endpoint {url!r}: expected sim:// or iface://NAME")
    return parts.netloc


def open_endpoint(interface: str, *, tls: bool = False) -> Endpoint:
    """Listening sockets on the interface, on loopback without one; OSError when it cannot be used (yet)."""
    return _open_interface(interface, tls) if interface else _open_loopback(tls)


def sdp_address(interface: str) -> tuple[str, int]:
    """Where the SDP requests of an interface go."""
    return f"{sdp.MULTICAST_GROUP}%{interface}", sdp.PORT


def link_local_address(interface: str, table: Path = Path("/proc/net/if_inet6")) -> str:
    """The interface's link-local address; OSError while it has none that is usable."""
    tentative_or_failed = 0x40 | 0x08
    try:
        lines = table.read_text().splitlines()
    except FileNotFoundError:
        raise OSError(errno.EAFNOSUPPORT, "this machine has no IPv6") from None
    for line in lines:
        address, _index, _prefix, _scope, flags, name = line.split()
        packed = IPv6Address(bytes.fromhex(address))
        if name == interface and packed.is_link_local and not int(flags, 16) & tentative_or_failed:
            return str(packed)
    raise OSError(errno.EADDRNOTAVAIL, f"interface {interface} has no usable link-local address")


def _open_interface(name: str, tls: bool) -> Endpoint:
    address = link_local_address(name)
    scope_id = socket.if_nametoindex(name)
    with ExitStack() as opened:
        listener = _listen(socket.AF_INET6, address, scope_id, opened)
        tls_listener = _listen(socket.AF_INET6, address, scope_id, opened) if tls else None
        discovery = opened.enter_context(_socket(socket.AF_INET6, socket.SOCK_DGRAM))
        # Bound to group and interface: the kernel itself keeps other interfaces' requests away.
        discovery.bind((sdp.MULTICAST_GROUP, sdp.PORT, 0, scope_id))
        membership = IPv6Address(sdp.MULTICAST_GROUP).packed + struct.pack("@I", scope_id)
        discovery.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        opened.pop_all()
    return Endpoint(
        listener=listener,
        discovery=discovery,
        address=IPv6Address(address).packed,
        port=listener.getsockname()[1],
        scope_id=scope_id,
        interface=name,
        sdp_address=sdp_address(name),
        tls_listener=tls_listener,
    )


def _open_loopback(tls: bool) -> Endpoint:
    try:
        return _open_local(socket.AF_INET6, "::1", tls)
    except OSError:
        return _open_local(socket.AF_INET, "127.0.0.1", tls)  # containers without IPv6


def _open_local(family: socket.AddressFamily, host: str, tls: bool) -> Endpoint:
    with ExitStack() as opened:
        listener = _listen(family, host, 0, opened)
        tls_listener = _listen(family, host, 0, opened) if tls else None
        discovery = opened.enter_context(_socket(family, socket.SOCK_DGRAM))
        discovery.bind((host, 0))
        opened.pop_all()
    mapped = host if family == socket.AF_INET6 else f"::ffff:{host}"
    return Endpoint(
        listener=listener,
        discovery=discovery,
        address=IPv6Address(mapped).packed,
        port=listener.getsockname()[1],
        scope_id=0,
        interface="",
        sdp_address=(host, discovery.getsockname()[1]),
        tls_listener=tls_listener,
    )


def _socket(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(family, kind)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _listen(family: socket.AddressFamily, host: str, scope_id: int, opened: ExitStack) -> socket.socket:
    """A listening socket on a port of our own choice."""
    listener = opened.enter_context(_socket(family, socket.SOCK_STREAM))
    choice = SystemRandom()
    for attempt in range(_PORT_ATTEMPTS):
        try:
            port = choice.randint(FIRST_PORT, LAST_PORT)
            listener.bind((host, port, 0, scope_id) if scope_id else (host, port))
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or attempt == _PORT_ATTEMPTS - 1:
                raise
    listener.listen(_BACKLOG)
    return listener
