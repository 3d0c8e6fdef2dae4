"""Reads pcapng block by block, from a file or a stream that is still growing. No I/O; nothing is trusted."""

from __future__ import annotations

import struct
from typing import NamedTuple

# No packet of ours is near it; a longer block is damage or an attack, not a record.
BLOCK_MAX = 1 << 20
INTERFACES_MAX = 256

_SHB, _IDB, _EPB = 0x0A0D0D0A, 0x00000001, 0x00000006
_BYTE_ORDER = 0x1A2B3C4D
_OPT_END, _OPT_COMMENT, _IF_TSRESOL = 0, 1, 9
_EPB_FLAGS, _EPB_DROPCOUNT = 2, 4
_DEFAULT_RESOLUTION = 1_000_000


class PcapngError(ValueError):
    """The bytes are not pcapng, or damaged beyond going on; names the byte."""


class Packet(NamedTuple):
    """One packet; `direction` 1 inbound, 2 outbound, 0 unknown; `dropped` before it, as its option says."""

    link_type: int
    at_s: float
    direction: int
    data: bytes
    dropped: int
    comment: str


class _Interface(NamedTuple):
    link_type: int
    ticks_per_s: int


class PcapngReader:
    """`feed` bytes as they come; the rest of an unfinished block is kept for the next call."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # offset in the stream of the buffer's first byte
        self._order: str | None = None
        self._interfaces: list[_Interface] = []

    @property
    def unfinished(self) -> int:
        """Bytes of a block whose end has not come."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Packet]:
        """Packets that are now complete; PcapngError ends the reading for good."""
        self._buffer += data
        packets: list[Packet] = []
        done = 0
        while True:
            size = self._block_size(done)
            if size is None or len(self._buffer) - done < size:
                break
            packet = self._block(bytes(self._buffer[done : done + size]), self._at + done)
            if packet is not None:
                packets.append(packet)
            done += size
        del self._buffer[:done]
        self._at += done
        return packets

    def _block_size(self, at: int) -> int | None:
        """Size of the block at this place of the buffer; None while its head has not come."""
        head = self._buffer[at : at + 12]
        if len(head) < 12:
            if self._order is None and not struct.pack("<I", _SHB).startswith(bytes(head[:4])):
                raise PcapngError("not a pcapng file")
            return None
        if head[:4] == struct.pack("<I", _SHB):  # reads the same both ways round
            magic = head[8:12]
            if magic not in (struct.pack("<I", _BYTE_ORDER), struct.pack(">I", _BYTE_ORDER)):
                raise PcapngError("not a pcapng file")
            self._order = "<" if magic == struct.pack("<I", _BYTE_ORDER) else ">"
        if self._order is None:
            raise PcapngError("not a pcapng file")
        size: int = struct.unpack(self._order + "I", head[4:8])[0]
        if size % 4 or not 12 <= size <= BLOCK_MAX:
            raise PcapngError(f"damaged at byte {self._at + at}: a block of {size} bytes")
        return size

    def _block(self, block: bytes, at: int) -> Packet | None:
        assert self._order is not None
        kind, size = struct.unpack_from(self._order + "II", block)
        if struct.unpack_from(self._order + "I", block, len(block) - 4)[0] != size:
            raise PcapngError(f"damaged at byte {at}: the ends of a block tell different sizes")
        body = block[8:-4]
        try:
            if kind == _SHB:
                self._interfaces = []
            elif kind == _IDB:
                self._interface(body)
            elif kind == _EPB:
                return self._packet(body)
        except (struct.error, ValueError, OverflowError) as error:
            raise PcapngError(f"damaged at byte {at}: {error}") from error
        return None

    def _interface(self, body: bytes) -> None:
        if len(self._interfaces) >= INTERFACES_MAX:
            raise ValueError("too many interfaces")
        link_type = struct.unpack_from(f"{self._order}H", body)[0]
        ticks_per_s = _DEFAULT_RESOLUTION
        for code, value in self._options(body[8:]):
            if code == _IF_TSRESOL and value:
                power = value[0] & 0x7F
                if power > 63:
                    raise ValueError("time resolution out of range")
                ticks_per_s = 2**power if value[0] & 0x80 else 10**power
        self._interfaces.append(_Interface(link_type, ticks_per_s))

    def _packet(self, body: bytes) -> Packet:
        number, high, low, captured, _ = struct.unpack_from(f"{self._order}IIIII", body)
        if number >= len(self._interfaces):
            raise ValueError("a packet of an unknown interface")
        if captured > len(body) - 20:
            raise ValueError("a packet beyond its block")
        interface = self._interfaces[number]
        direction, dropped, comment = 0, 0, ""
        for code, value in self._options(body[20 + captured + -captured % 4 :]):
            if code == _EPB_FLAGS and len(value) == 4:
                direction = struct.unpack(f"{self._order}I", value)[0] & 3
            elif code == _EPB_DROPCOUNT and len(value) == 8:
                dropped = struct.unpack(f"{self._order}Q", value)[0]
            elif code == _OPT_COMMENT:
                comment = value.decode(errors="replace")
        at_s = (high << 32 | low) / interface.ticks_per_s
        return Packet(interface.link_type, at_s, direction, body[20 : 20 + captured], dropped, comment)

    def _options(self, data: bytes) -> list[tuple[int, bytes]]:
        found = []
        at = 0
        while at + 4 <= len(data):
            code, length = struct.unpack_from(f"{self._order}HH", data, at)
            if code == _OPT_END:
                break
            if at + 4 + length > len(data):
                raise ValueError("an option beyond its block")
            found.append((code, data[at + 4 : at + 4 + length]))
            at += 4 + length + -length % 4
        return found
