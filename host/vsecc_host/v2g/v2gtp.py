"""V2GTP: the eight bytes before every V2G message, big endian, TCP and UDP alike (ISO 15118-2 7.8)."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

VERSION = 0x01
INVERSE = 0xFE
HEADER_SIZE = 8
MAX_PAYLOAD = 8192  # bytes; every DIN and -2 message without certificates is far below 1 KiB

_HEADER = struct.Struct(">BBHI")


class PayloadType(IntEnum):
    """Payload types in use here."""

    EXI = 0x8001  # handshake of all protocols, every message of DIN and -2
    SDP_REQUEST = 0x9000
    SDP_RESPONSE = 0x9001


class FramingError(Exception):
    """The stream cannot be followed any further: the peer announced more than we would ever accept."""


class Frame(NamedTuple):
    """One message as it came; `valid` is False when version or inverse are wrong and it must be dropped."""

    payload_type: int
    payload: bytes
    raw: bytes
    valid: bool


def pack(payload_type: int, payload: bytes) -> bytes:
    """Payload with its header."""
    return _HEADER.pack(VERSION, INVERSE, payload_type, len(payload)) + payload


def parse_datagram(data: bytes) -> Frame | None:
    """The message in one datagram; None when it is no V2GTP, is cut short or says another version."""
    if len(data) < HEADER_SIZE:
        return None
    version, inverse, payload_type, length = _HEADER.unpack_from(data)
    end = HEADER_SIZE + length
    if version != VERSION or inverse != INVERSE or end > len(data):
        return None
    return Frame(payload_type, data[HEADER_SIZE:end], data[:end], True)


class Framer:
    """Cuts a byte stream into messages by their length, whatever the chunks look like; memory is bounded."""

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._buffer = b""
        self._at = 0  # where the next message begins

    def __len__(self) -> int:
        """Bytes waiting for the rest of their message."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Append what arrived; take messages with `next` until it gives None."""
        self._buffer = self._buffer[self._at :] + data if len(self) else data
        self._at = 0

    def next(self) -> Frame | None:
        """The next whole message; FramingError when its header announces more than the limit."""
        if len(self) < HEADER_SIZE:
            return None
        begin = self._at
        version, inverse, payload_type, length = _HEADER.unpack_from(self._buffer, begin)
        if length > self._max_payload:
            raise FramingError(f"payload of {length} bytes announced, limit {self._max_payload}")
        end = begin + HEADER_SIZE + length
        if len(self._buffer) < end:
            return None
        self._at = end
        raw = self._buffer[begin:end]
        return Frame(payload_type, raw[HEADER_SIZE:], raw, version == VERSION and inverse == INVERSE)


def split(data: bytes) -> list[bytes]:
    """Whole messages of ours, one entry each: peers exist that take one read as one message."""
    messages = []
    while data:
        end = HEADER_SIZE + _HEADER.unpack_from(data)[3]
        messages.append(data[:end])
        data = data[end:]
    return messages
