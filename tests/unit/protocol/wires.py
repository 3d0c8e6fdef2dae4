"""Hostile wires and a fake clock: a line that loses, doubles, flips, delays and invents bytes."""

from vsecc_link.link import LOST, MESSAGE, REFUSED, UP
from vsecc_link.ticks import MASK


class Random:
    """Small repeatable generator: the same numbers on both interpreters."""

    def __init__(self, seed):
        self.state = seed * 2654435 + 12345 & 0xFFFFFF

    def below(self, limit):
        """Integer in 0..limit-1; limit at most 2^16."""
        self.state = (self.state * 1021 + 74021) & 0xFFFFFF
        return (self.state >> 7) % limit

    def chance(self, share, of):
        """True `share` times out of `of`."""
        return self.below(of) < share


class Whole:
    """Everything arrives as it was written."""

    def carry(self, data, _now):
        """Chunks that arrive for the bytes written."""
        return [data] if data else []


class OneByte(Whole):
    """Byte by byte."""

    def carry(self, data, _now):
        return [data[i : i + 1] for i in range(len(data))]


class Lossy(Whole):
    """Loses single bytes, one in `every`."""

    def __init__(self, seed, every=300):
        self._random = Random(seed)
        self._every = every

    def carry(self, data, _now):
        return [bytes([byte for byte in data if not self._random.chance(1, self._every)])]


class Duplicating(Whole):
    """Every second write arrives twice."""

    def __init__(self):
        self._odd = False

    def carry(self, data, _now):
        self._odd = not self._odd
        return [data, data] if self._odd else [data]


class BitFlipping(Whole):
    """Flips one bit in `every` (10000: a bit error rate of 1e-4)."""

    def __init__(self, seed, every=10000):
        self._random = Random(seed)
        self._every = every // 8

    def carry(self, data, _now):
        out = bytearray(data)
        for index in range(len(out)):
            if self._random.chance(1, self._every):
                out[index] ^= 1 << self._random.below(8)
        return [bytes(out)]


class Silent(Whole):
    """Carries nothing between two ticks."""

    def __init__(self, from_ms, to_ms):
        self._from = from_ms
        self._to = to_ms

    def carry(self, data, now):
        return [] if self._from <= now < self._to else [data]


class Garbage(Whole):
    """Puts random bytes, false syncs among them, before what was written."""

    def __init__(self, seed):
        self._random = Random(seed)

    def carry(self, data, _now):
        noise = bytes([self._random.below(256) for _ in range(self._random.below(12))])
        if self._random.chance(1, 4):
            noise += b"\xa5\x5a"
        return [noise, data]


class Reordering(Whole):
    """Holds back one write in three and delivers it after the next: no serial line does, a relay may."""

    def __init__(self, seed):
        self._random = Random(seed)
        self._held = b""

    def carry(self, data, _now):
        if self._held:
            out = [data, self._held]
            self._held = b""
            return out
        if data and self._random.chance(1, 3):
            self._held = data
            return []
        return [data]


class End:
    """A link with what it reported and the wire it writes to."""

    def __init__(self, link, wire):
        self.link = link
        self.wire = wire
        self.log = []

    def of_kind(self, kind):
        """Values of the events of one kind, in order."""
        return [value for seen, value in self.log if seen == kind]

    def messages(self):
        """Messages delivered, in order."""
        return self.of_kind(MESSAGE)

    def refused(self):
        """Reasons of the refusals reported."""
        return self.of_kind(REFUSED)

    def ups(self):
        """Number of sessions begun."""
        return len(self.of_kind(UP))

    def lost(self):
        """Reasons of the sessions lost."""
        return self.of_kind(LOST)


def exchange(end, other, now, elapsed):
    """Write what one end has to say; True when bytes arrived."""
    events, data = end.link.take()
    end.log.extend(events)
    moved = False
    for chunk in end.wire.carry(data, elapsed) if data else ():
        other.link.receive(chunk, now)
        moved = True
    return moved


def run(host, mcu, until_ms, start=0, each=None):
    """Move the clock 1 ms at a time; `each(elapsed, now)` acts on the links at every step."""
    for elapsed in range(until_ms):
        now = (start + elapsed) & MASK
        if each:
            each(elapsed, now)
        host.link.tick(now)
        mcu.link.tick(now)
        for _ in range(6):
            moved = exchange(host, mcu, now, elapsed)
            if not exchange(mcu, host, now, elapsed) and not moved:
                break
    for end in (host, mcu):
        end.log.extend(end.link.take()[0])
