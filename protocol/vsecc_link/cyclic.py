"""Cyclic messages with a fixed layout: every integer keeps one width, so both ends touch bytes in place.

The layout follows from the catalogue alone: a field whose range ends below 24 takes one byte, up to 255 two,
up to 65535 three, beyond that five; a field that may be negative takes three. It is ordinary CBOR to any
decoder. Once built, neither `CyclicReader.read` nor `viper.CyclicFrame.patch` allocates on MicroPython (S5).
"""

import struct

from . import crc, frame, messages

# Widths of a field in bytes, CBOR head included.
_DIRECT = 1
_ONE = 2
_TWO = 3
_FOUR = 5
_SIGNED_TWO = -3

_HEADS = {_ONE: 0x18, _TWO: 0x19, _FOUR: 0x1A, _SIGNED_TWO: 0x19}
_NEGATIVE_TWO = 0x39


def width_of(field):
    """Width of a field in the fixed layout, negative for a signed one; ValueError when it has none."""
    _, kind, low, high = field
    if kind != messages.INT or high > 0xFFFFFFFF or low < -32768 or (low < 0 and high > 32767):
        raise ValueError("no fixed layout")
    if low < 0:
        return _SIGNED_TWO
    if high < 24:
        return _DIRECT
    if high < 0x100:
        return _ONE
    return _TWO if high < 0x10000 else _FOUR


class Layout:
    """Where the fields of one catalogue message stand in its fixed-width payload."""

    def __init__(self, message_id):
        fields = messages.CATALOGUE[message_id][3]
        self.message_id = message_id
        self.fields = fields
        self.widths = [width_of(field) for field in fields]
        head = bytearray()
        items = len(fields) + 1
        if items < 24:
            head.append(0x80 | items)
        else:
            head.append(0x98)
            head.append(items)
        if message_id >= 24:
            head.append(0x18)
        head.append(message_id)
        self.head = bytes(head)
        self.offsets = []
        at = len(head)
        for width in self.widths:
            self.offsets.append(at)
            at += abs(width)
        if at > frame.PAYLOAD_MAX:
            raise ValueError("no fixed layout")
        self.size = at

    def payload(self, message):
        """Payload of a checked catalogue tuple in this layout."""
        out = bytearray(self.head)
        for index in range(len(self.widths)):
            width = self.widths[index]
            value = message[index + 1]
            if width == _DIRECT:
                out.append(value)
            elif width == _ONE:
                out.append(0x18)
                out.append(value)
            elif width == _FOUR:
                out.extend(struct.pack(">BI", 0x1A, value))
            elif value >= 0:
                out.extend(struct.pack(">BH", 0x19, value))
            else:
                out.extend(struct.pack(">BH", _NEGATIVE_TWO, -1 - value))
        return bytes(out)


class CyclicFrame:
    """A frame ready to be written again and again. Fill `values` (catalogue order), then let `Link.stamp` do
    the rest.

    A value beyond its field's range is cut to the field's width; the receiver's check refuses what is left.
    """

    def __init__(self, message_id):
        self.layout = Layout(message_id)
        size = self.layout.size
        self.values = [0] * len(self.layout.fields)
        self.buffer = bytearray(size + frame.OVERHEAD)
        self._body = memoryview(self.buffer)[2 : size + frame.HEAD_SIZE]
        struct.pack_into("<2sBB", self.buffer, 0, frame.SYNC, size, frame.FORMAT | frame.CYCLIC)
        self._jobs = []
        self._template()

    def _template(self):
        at = frame.HEAD_SIZE
        self.buffer[at : at + len(self.layout.head)] = self.layout.head
        for index in range(len(self.values)):
            width = self.layout.widths[index]
            offset = at + self.layout.offsets[index]
            if width != _DIRECT:
                self.buffer[offset] = _HEADS[width]
                offset += 1
            self._jobs.append((index, width, offset))

    def patch(self, session, number, ack):
        """Write header, `values` and CRC in place."""
        buffer = self.buffer
        values = self.values
        struct.pack_into("<HIB", buffer, 4, session, number, ack)
        for index, width, at in self._jobs:
            value = values[index]
            if width == _DIRECT:
                buffer[at] = value if value < 24 else 23
            elif width == _ONE:
                buffer[at] = value & 0xFF
            elif width == _FOUR:
                struct.pack_into(">I", buffer, at, value)
            elif width == _TWO or value >= 0:
                buffer[at - 1] = 0x19
                struct.pack_into(">H", buffer, at, value & 0xFFFF)
            else:
                buffer[at - 1] = _NEGATIVE_TWO
                struct.pack_into(">H", buffer, at, -1 - value & 0xFFFF)
        crc.seal(buffer, self._body, len(buffer) - crc.CRC_SIZE)


class CyclicReader:
    """Takes one cyclic message in fixed layout out of a buffer: newest `values`, and how many (`count`)."""

    def __init__(self, message_id):
        self.layout = Layout(message_id)
        self.message_id = message_id
        self.values = [0] * len(self.layout.fields)
        self.count = 0
        self._next = [0] * len(self.values)
        self._jobs = [
            (index, self.layout.widths[index], self.layout.offsets[index], field[2], field[3])
            for index, field in enumerate(self.layout.fields)
        ]

    def read(self, buffer, start, end):
        """True when the payload has this very layout and all fields their range; else nothing changes."""
        if end - start != self.layout.size or not self._head_fits(buffer, start):
            return False
        values = self._next
        for index, width, offset, low, high in self._jobs:
            value = _field(buffer, start + offset, width)
            if value is None or not low <= value <= high:
                return False
            values[index] = value
        self._next = self.values
        self.values = values
        self.count = self.count + 1 & frame.COUNT_MASK
        return True

    def put(self, message):
        """Take the same message from a generic decode (a peer may use other widths)."""
        for index in range(len(self.values)):
            self.values[index] = message[index + 1]
        self.count = self.count + 1 & frame.COUNT_MASK

    def message(self):
        """The newest values as a catalogue tuple."""
        return (self.message_id,) + tuple(self.values)

    def _head_fits(self, buffer, start):
        head = self.layout.head
        for index in range(len(head)):
            if buffer[start + index] != head[index]:
                return False
        return True


def _field(buffer, at, width):
    """Value of a fixed-width field, None when its head is another one."""
    head = buffer[at]
    if width == _DIRECT:
        return head if head < 24 else None
    if head != _HEADS[width] and (width != _SIGNED_TWO or head != _NEGATIVE_TWO):
        return None
    if width == _ONE:
        return buffer[at + 1]
    value = buffer[at + 1] << 8 | buffer[at + 2]
    if width == _FOUR:
        return value << 16 | buffer[at + 3] << 8 | buffer[at + 4]
    return -1 - value if head == _NEGATIVE_TWO else value
