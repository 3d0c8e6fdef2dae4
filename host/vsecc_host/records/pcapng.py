"""A pcapng file from nothing: section, interfaces, packets; and packets around payloads that lost theirs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

LINKTYPE_ETHERNET = 1
LINKTYPE_USER0 = 147  # private use: raw UART bytes
LINKTYPE_USER1 = 148  # private use: PEP texts
INBOUND, OUTBOUND = 1, 2  # epb_flags, seen from the host

_SHB, _IDB, _EPB = 0x0A0D0D0A, 0x00000001, 0x00000006
_BYTE_ORDER = 0x1A2B3C4D
_OPT_END, _OPT_COMMENT = 0, 1
_IF_NAME, _IF_TSRESOL = 2, 9
_SHB_USERAPPL = 4
_EPB_FLAGS, _EPB_DROPCOUNT = 2, 4
_MICROSECONDS = b"\x06"

_ETHERTYPE_IPV6 = 0x86DD
_UDP, _TCP = 17, 6
_HOP_LIMIT = 255
_WINDOW = 65_535
FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10


class Endpoint(NamedTuple):
    """One end of a conversation."""

    mac: bytes
    address: bytes  # packed IPv6
    port: int


def section_header(application: str) -> bytes:
    """The block every file begins with; the section's length is left open."""
    fixed = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(_SHB, fixed + _options([(_SHB_USERAPPL, application.encode())]))


def interface(link_type: int, name: str) -> bytes:
    """Describes one interface; packets name it by its place in the file."""
    fixed = struct.pack("<HHI", link_type, 0, 0)
    return _block(_IDB, fixed + _options([(_IF_NAME, name.encode()), (_IF_TSRESOL, _MICROSECONDS)]))


def packet(
    number: int, at_s: float, data: bytes, direction: int, comment: str = "", *, dropped: int = 0
) -> bytes:
    """One packet of interface `number`, counted from 0; `at_s` since the epoch, `dropped` ones before it."""
    stamp = round(at_s * 1_000_000)
    fixed = struct.pack("<IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(data))
    options = [(_EPB_FLAGS, struct.pack("<I", direction))]
    if comment:
        options.insert(0, (_OPT_COMMENT, comment.encode()))
    if dropped:
        options.append((_EPB_DROPCOUNT, struct.pack("<Q", dropped)))
    return _block(_EPB, fixed + _padded(data) + _options(options))


def udp_frame(source: Endpoint, target: Endpoint, payload: bytes) -> bytes:
    """Ethernet, IPv6 and UDP around a datagram, with a true checksum."""
    length = 8 + len(payload)
    header = struct.pack(">HHHH", source.port, target.port, length, 0)
    checksum = _checksum(source, target, _UDP, header + payload) or 0xFFFF
    return _ip_frame(source, target, _UDP, header[:6] + struct.pack(">H", checksum) + payload)


def tcp_frame(
    source: Endpoint, target: Endpoint, *, sequence: int, acknowledged: int, flags: int, payload: bytes = b""
) -> bytes:
    """Ethernet, IPv6 and TCP around a piece of a stream, with a true checksum."""
    head = struct.pack(
        ">HHIIBBHHH",
        source.port,
        target.port,
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF,
        5 << 4,
        flags,
        _WINDOW,
        0,
        0,
    )
    checksum = _checksum(source, target, _TCP, head + payload)
    return _ip_frame(source, target, _TCP, head[:16] + struct.pack(">H", checksum) + head[18:] + payload)


class TcpTalk:
    """A TCP connection written down after the fact: numbers fit, so that tools put the stream together."""

    def __init__(self, client: Endpoint, server: Endpoint) -> None:
        self._ends = {True: client, False: server}
        self._next = {True: 1000, False: 5000}

    def open(self) -> list[tuple[bool, bytes]]:
        """The three frames of the handshake; True: sent by the client."""
        frames = [
            (True, self._frame(True, SYN, acknowledged=0)),
            (False, self._frame(False, SYN | ACK, acknowledged=self._next[True] + 1)),
        ]
        self._next = {side: number + 1 for side, number in self._next.items()}
        return [*frames, (True, self._frame(True, ACK))]

    def say(self, by_client: bool, payload: bytes) -> bytes:
        """The frame that carries the next bytes of one side."""
        frame = self._frame(by_client, PSH | ACK, payload)
        self._next[by_client] += len(payload)
        return frame

    def close(self) -> list[tuple[bool, bytes]]:
        """FIN from both sides."""
        first = (True, self._frame(True, FIN | ACK))
        self._next[True] += 1
        second = (False, self._frame(False, FIN | ACK))
        self._next[False] += 1
        return [first, second, (True, self._frame(True, ACK))]

    def _frame(
        self, by_client: bool, flags: int, payload: bytes = b"", acknowledged: int | None = None
    ) -> bytes:
        return tcp_frame(
            self._ends[by_client],
            self._ends[not by_client],
            sequence=self._next[by_client],
            acknowledged=self._next[not by_client] if acknowledged is None else acknowledged,
            flags=flags,
            payload=payload,
        )


def _ip_frame(source: Endpoint, target: Endpoint, protocol: int, payload: bytes) -> bytes:
    ethernet = target.mac + source.mac + struct.pack(">H", _ETHERTYPE_IPV6)
    ip = struct.pack(">IHBB", 6 << 28, len(payload), protocol, _HOP_LIMIT) + source.address + target.address
    return ethernet + ip + payload


def _checksum(source: Endpoint, target: Endpoint, protocol: int, segment: bytes) -> int:
    """Internet checksum over the IPv6 pseudo header and the segment, RFC 8200 8.1."""
    data = source.address + target.address + struct.pack(">II", len(segment), protocol) + segment
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    coded = [struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options]
    return b"".join(coded) + struct.pack("<HH", _OPT_END, 0)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
