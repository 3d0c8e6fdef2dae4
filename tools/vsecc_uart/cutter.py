"""One direction of the line: bytes with times in, good frames and spoilt bytes out, every byte once.

The frames are found by `vsecc_link.frame.Parser`, the one both ends run; this keeps the bytes beside it, so
that what the parser skips is not lost and can be explained.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from vsecc_link import crc, frame
from vsecc_link import messages as catalogue

FRAME_TIMEOUT_S = frame.FRAME_TIMEOUT_MS / 1000
# Noise is told in pieces of this size at most.
SPOILT_MAX = 1024


class Good(NamedTuple):
    """A frame whose CRC is right."""

    at_s: float
    raw: bytes
    kind: int
    flags: int
    session: int
    number: int
    ack: int

    @property
    def payload(self) -> bytes:
        """Between header and CRC."""
        return self.raw[frame.HEAD_SIZE : -crc.CRC_SIZE]


class Spoilt(NamedTuple):
    """Bytes that are no good frame, why, and what their header claims."""

    at_s: float
    raw: bytes
    reason: str
    text: str
    looks_like: str


Piece = Good | Spoilt


class Cutter:
    """`receive` and `tick` in time order; `take` hands over the pieces."""

    def __init__(self) -> None:
        self._parser = frame.Parser()
        self._raw = bytearray()  # what the parser holds
        self._spoilt = bytearray()
        self._spoilt_at = 0.0
        self._skipped = 0  # what the parser's own count stood at
        self._received = 0
        self._passed = 0
        self._arrivals: deque[tuple[int, float]] = deque()  # bytes received in all, when
        self._partial_since: float | None = None
        self._pieces: list[Piece] = []

    def receive(self, data: bytes, at_s: float) -> None:
        """Bytes that came."""
        self._arrivals.append((self._received + len(data), at_s))
        self._received += len(data)
        parser = self._parser
        seen = parser.good + parser.bad
        start = 0
        while start < len(data):
            taken = parser.push(data, start, len(data))
            self._raw += data[start : start + taken]
            start += taken
            self._drain()
        if not parser.partial():
            self._partial_since = None
        elif self._partial_since is None or parser.good + parser.bad != seen:
            self._partial_since = at_s

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        waits = [self._partial_since] if self._partial_since is not None else []
        if self._spoilt:
            waits.append(self._spoilt_at)
        return min(waits) + FRAME_TIMEOUT_S if waits else None

    def tick(self, now_s: float) -> None:
        """Time has passed: a frame that does not end is given up, as both ends do."""
        # A deadline computed from a sum may lie a rounding above `now`.
        before = now_s - FRAME_TIMEOUT_S + 1e-6
        if self._partial_since is not None and self._partial_since <= before:
            self._parser.give_up()
            self._drain()
            self._partial_since = now_s if self._parser.partial() else None
        if self._spoilt and self._spoilt_at <= before:
            self._tell_spoilt()

    def finish(self) -> None:
        """Nothing more will come."""
        while self._parser.partial():
            self._parser.give_up()
            self._drain()
        self._tell_spoilt()

    def take(self) -> list[Piece]:
        """Pieces in the order of their bytes."""
        pieces = self._pieces
        if pieces:
            self._pieces = []
        return pieces

    def _drain(self) -> None:
        parser = self._parser
        while True:
            found = parser.next()
            if parser.skipped_bytes > self._skipped:
                self._skip(parser.skipped_bytes - self._skipped)
                self._skipped = parser.skipped_bytes
            if not found:
                return
            self._tell_spoilt()
            size = parser.payload_end + crc.CRC_SIZE
            at_s = self._pass(size)
            raw = bytes(self._raw[:size])
            del self._raw[:size]
            self._pieces.append(
                Good(at_s, raw, parser.kind, parser.flags, parser.session, parser.number, parser.ack)
            )

    def _skip(self, count: int) -> None:
        at_s = self._pass(count)
        if not self._spoilt:
            self._spoilt_at = at_s
        self._spoilt += self._raw[:count]
        del self._raw[:count]
        if len(self._spoilt) >= SPOILT_MAX:
            self._tell_spoilt()

    def _pass(self, count: int) -> float:
        """When the last of the next `count` bytes came."""
        self._passed += count
        while len(self._arrivals) > 1 and self._arrivals[0][0] < self._passed:
            self._arrivals.popleft()
        return self._arrivals[0][1]

    def _tell_spoilt(self) -> None:
        if self._spoilt:
            self._pieces += explain(bytes(self._spoilt), self._spoilt_at)
            self._spoilt.clear()


def explain(raw: bytes, at_s: float) -> list[Spoilt]:
    """Skipped bytes in pieces: each damaged frame and the noise between, with the reason."""
    pieces = []
    while raw:
        end = _end_of_piece(raw)
        piece, raw = raw[:end], raw[end:]
        reason, text = _reason(piece)
        pieces.append(Spoilt(at_s, piece, reason, text, _looks_like(piece)))
    return pieces


def _end_of_piece(raw: bytes) -> int:
    if raw.startswith(frame.SYNC) and len(raw) > 2:
        size = raw[2] + frame.OVERHEAD
        # A sync inside the payload does not cut a frame that ends where the next one begins.
        if size <= frame.FRAME_MAX and raw[size : size + 2] in (frame.SYNC, b"") and len(raw) >= size:
            return size
    at = raw.find(frame.SYNC, 1)
    return at if at > 0 else len(raw)


def _reason(piece: bytes) -> tuple[str, str]:
    if not piece.startswith(frame.SYNC):
        return "noise", "no frame begins here"
    if len(piece) < 4:
        return "short", f"cut short: {len(piece)} bytes"
    size = piece[2] + frame.OVERHEAD
    if size > frame.FRAME_MAX:
        return "length", f"length {piece[2]} above {frame.PAYLOAD_MAX}"
    if piece[3] & frame.FORMAT_MASK != frame.FORMAT:
        return "format", f"format {piece[3] >> 4}, not {frame.FORMAT >> 4}"
    if len(piece) < size:
        return "short", f"cut short: {len(piece)} of {size} bytes"
    told = int.from_bytes(piece[size - crc.CRC_SIZE : size], "little")
    return "crc", f"CRC {told:08x}, the bytes give {crc.crc32(piece[2 : size - crc.CRC_SIZE]):08x}"


def _looks_like(piece: bytes) -> str:
    if not piece.startswith(frame.SYNC) or len(piece) < frame.HEAD_SIZE:
        return ""
    kind = piece[3] & frame.KIND_MASK
    name = frame.KIND_NAMES[kind] if kind < len(frame.KIND_NAMES) else f"kind {kind}"
    number = int.from_bytes(piece[6:10], "little")
    return " ".join(filter(None, (name, str(number), _message_name(piece[frame.HEAD_SIZE :]))))


def _message_name(payload: bytes) -> str:
    """Name of the message whose id stands behind the array's head."""
    if len(payload) < 3 or payload[0] >> 5 != 4:
        return ""
    at = 1 if payload[0] & 31 < 24 else 2
    message_id = payload[at + 1] if payload[at] == 0x18 and at + 1 < len(payload) else payload[at]
    return str(catalogue.name_of(message_id)) if message_id in catalogue.CATALOGUE else ""
