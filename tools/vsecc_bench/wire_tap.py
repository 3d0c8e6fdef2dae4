"""Prints the TCP segments of an interface with the kernel's time stamps, until stdin closes; needs root.

A process of its own, because it has to live in the network namespace of the interface.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
from collections.abc import Iterator

_ETH_P_ALL = 0x0003  # any other shows what arrives, not what leaves
_IPV6_TYPE = b"\x86\xdd"
_SO_TIMESTAMPNS = 35  # since Linux 2.6.22; none of these is in the socket module
_SO_RCVBUFFORCE = 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_BATCH_S = 0.1
_ETHERNET, _IPV6, _LEAST_TCP = 14, 40, 20  # header sizes, bytes
_TCP = 6
_SYN = 0x02


def segment(frame: bytes) -> tuple[int, int, int, bool, bytes] | None:
    """(source port, destination port, sequence number, opens its direction, data) of a frame; else None."""
    if (
        len(frame) < _ETHERNET + _IPV6 + _LEAST_TCP
        or frame[12:14] != _IPV6_TYPE
        or frame[_ETHERNET + 6] != _TCP
    ):
        return None
    length = int.from_bytes(frame[_ETHERNET + 4 : _ETHERNET + 6], "big")
    tcp = frame[_ETHERNET + _IPV6 : _ETHERNET + _IPV6 + length]
    if len(tcp) < _LEAST_TCP:
        return None
    source, destination, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", tcp)
    return source, destination, sequence, bool(flags & _SYN), tcp[(offset >> 4) * 4 :]


def _seen(tap: socket.socket) -> Iterator[tuple[float, bytes]]:
    """Frames with their times until stdin closes; looked at in batches, so that measuring takes little."""
    ended = False
    while not ended:
        ended = bool(select.select([sys.stdin], [], [], _BATCH_S)[0])
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, told, _, _ = tap.recvmsg(65_536, 256)
                times = [struct.unpack("ll", data[:16]) for _, kind, data in told if kind == _SO_TIMESTAMPNS]
                if times:
                    yield times[0][0] + times[0][1] / 1e9, frame


def _lost(tap: socket.socket) -> int:
    """Frames the kernel had no room for."""
    return int.from_bytes(tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)[4:], sys.byteorder)


def main(interface: str) -> int:
    """One JSON list per segment with data or SYN: time in s, ports, sequence number, SYN, data in hex."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        tap.bind((interface, 0))
        tap.setblocking(False)
        print("ready", flush=True)
        found = [(at, segment(frame)) for at, frame in _seen(tap)]
        lost = _lost(tap)
    for at, one in found:
        if one is not None and (one[3] or one[4]):
            print(json.dumps([at, *one[:4], one[4].hex()]))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
