"""Frames: how a payload travels over a byte stream that may lose, flip and invent bytes.

    0     2        3        4          6      10    11           11+n
    A5 5A length n control  session    number ack   payload      CRC-32
    sync  u8       u8       u16        u32    u8    n bytes      u32 over bytes 2 .. 11+n

All numbers least significant byte first. No byte stuffing (a byte loop is too slow on the MCU): a receiver
looks for the sync, trusts nothing before the CRC, and after a failure starts again one byte after the sync it
tried.
"""

import struct

from . import crc

SYNC = b"\xa5\x5a"
HEAD_SIZE = 11
OVERHEAD = HEAD_SIZE + crc.CRC_SIZE
# Bounds the MCU's buffers and the time a corrupted length can hold up the line: 22 ms at 115200 Bd.
FRAME_MAX = 256
PAYLOAD_MAX = FRAME_MAX - OVERHEAD
# A frame not complete this long after its first byte is given up; twice the longest frame at 115200 Bd.
FRAME_TIMEOUT_MS = 45

# Control: format version in the upper four bits, flag, kind in the lower three.
FORMAT = 0x10
FORMAT_MASK = 0xF0
FLAG_MISSING = 0x08  # of an ack: that number is missing, the payload tells which later ones have come
KIND_MASK = 0x07

HANDSHAKE = 0
RELIABLE = 1
CYCLIC = 2
ACK = 3
KIND_NAMES = ("handshake", "reliable", "cyclic", "ack")

# Sequence numbers never wrap within a session: a replayed frame stays refused however long the session lasts.
NUMBER_MAX = 0x3FFFFFFF

# Counters wrap here: they stay small integers on the MCU however long it runs (a larger one takes heap).
COUNT_MASK = 0x3FFFFFFF

_SMALL_CHUNK = 32


def build(control, session, number, ack, payload=b""):
    """Bytes of one frame; ValueError when the payload is too long for it."""
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("payload too long")
    body = struct.pack("<BBHIB", len(payload), FORMAT | control, session, number, ack) + payload
    return SYNC + body + struct.pack("<I", crc.crc32(body))


class Parser:
    """Finds frames in arbitrary chunks; never raises, never grows, counts what it had to skip.

    After `next` said True the frame's fields stand in `kind`, `flags`, `session`, `number`, `ack` and its
    payload in `buffer[HEAD_SIZE:payload_end]` until the next call.
    """

    def __init__(self):
        self.buffer = bytearray(2 * FRAME_MAX)
        self.good = 0
        self.bad = 0
        self.skipped_bytes = 0
        self.kind = self.flags = self.session = self.number = self.ack = 0
        self.payload_end = HEAD_SIZE
        self._view = memoryview(self.buffer)
        self._bodies = {}  # frame size -> view of its body and CRC, so that a steady line allocates nothing
        self._fill = 0
        self._used = 0

    def push(self, data, start, end):
        """Copy bytes of data[start:end] and return how many; call `next` until False before pushing more."""
        fill = self._fill
        count = min(end - start, len(self.buffer) - fill)
        if count <= _SMALL_CHUNK:
            buffer = self.buffer
            for index in range(count):
                buffer[fill + index] = data[start + index]
        else:
            self._view[fill : fill + count] = data[start : start + count]
        self._fill = fill + count
        return count

    def next(self):
        """True when a good frame is at hand."""
        self._discard(self._used)
        self._used = 0
        while self._seek():
            size = self.buffer[2] + OVERHEAD
            if size > FRAME_MAX or self.buffer[3] & FORMAT_MASK != FORMAT:
                self._reject()
            elif self._fill < size:
                return False
            elif crc.intact(self._body(size)):
                self._take(size)
                return True
            else:
                self._reject()
        return False

    def partial(self):
        """True when bytes of an unfinished frame are kept."""
        return self._fill > self._used

    def give_up(self):
        """Abandon the unfinished frame: its time is over. Call `next` afterwards."""
        if self._fill:
            self._reject()

    def reset(self):
        """Forget every byte kept."""
        self._fill = self._used = 0

    def payload(self):
        """Copy of the payload at hand."""
        return bytes(self._view[HEAD_SIZE : self.payload_end])

    def _seek(self):
        """Bring a sync to index 0 with enough head to judge it; False when more bytes are needed."""
        buffer = self.buffer
        if self._fill >= 2 and (buffer[0] != 0xA5 or buffer[1] != 0x5A):
            at = buffer.find(SYNC, 0, self._fill)
            if at < 0:  # the last byte may be half a sync
                at = self._fill - 1 if buffer[self._fill - 1] == 0xA5 else self._fill
            self.skipped_bytes = self.skipped_bytes + at & COUNT_MASK
            self._discard(at)
        elif self._fill == 1 and buffer[0] != 0xA5:
            self.skipped_bytes = self.skipped_bytes + 1 & COUNT_MASK
            self._fill = 0
        return self._fill >= 4

    def _body(self, size):
        body = self._bodies.get(size)
        if body is None:
            body = self._bodies[size] = self._view[2:size]
        return body

    def _take(self, size):
        head = self.buffer
        self.kind = head[3] & KIND_MASK
        self.flags = head[3] & FLAG_MISSING
        self.session = head[4] | head[5] << 8
        # A number beyond NUMBER_MAX is never sent; its top bits are cut so that it stays a small int.
        self.number = head[6] | head[7] << 8 | head[8] << 16 | (head[9] & 0x3F) << 24
        self.ack = head[10]
        self.payload_end = size - crc.CRC_SIZE
        self._used = size
        self.good = self.good + 1 & COUNT_MASK

    def _reject(self):
        self.bad = self.bad + 1 & COUNT_MASK
        self.skipped_bytes = self.skipped_bytes + 1 & COUNT_MASK
        self._discard(1)

    def _discard(self, count):
        rest = self._fill - count
        if rest and count:
            self._view[0:rest] = self._view[count : self._fill]
        self._fill = rest
