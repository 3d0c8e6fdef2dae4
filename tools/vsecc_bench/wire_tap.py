"""Prints the TCP segments of an interface with the kernel's time stamps, until stdin closes; needs root.

A process of its own, because it has to live in the network namespace of the interface.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
from collections.abc import Iterator

_ETH_P_ALL = 0x0003  # any other shows what arrives, not what leaves
_IPV6_TYPE = b"\x86\xdd"
_SO_TIMESTAMPNS = 35  # since Linux 2.6.22; not in the socket module
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
    """Frames with their times until stdin closes."""
    while True:
        ready, _, _ = select.select([tap, sys.stdin], [], [])
        if tap in ready:
            frame, told, _, _ = tap.recvmsg(65_536, 256)
            times = [struct.unpack("ll", data[:16]) for _, kind, data in told if kind == _SO_TIMESTAMPNS]
            if times:
                yield times[0][0] + times[0][1] / 1e9, frame
        elif not sys.stdin.buffer.read(1):
            return


def main(interface: str) -> None:
    """One JSON list per segment with data or SYN: time in s, ports, sequence number, SYN, data in hex."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        tap.bind((interface, 0))
        print("ready", flush=True)
        for at, frame in _seen(tap):
            found = segment(frame)
            if found is not None and (found[3] or found[4]):
                print(json.dumps([at, *found[:4], found[4].hex()]))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
