"""Millisecond ticks that wrap at 2^30, as MicroPython's ticks_ms; both ends count time this way."""

MASK = 0x3FFFFFFF
_HALF = 0x20000000


def diff(later, earlier):
    """Signed distance in ms, right within half the range; no intermediate value leaves a small int."""
    distance = (later - earlier) & MASK
    return distance if distance < _HALF else distance - _HALF - _HALF


def add(now, delta):
    """Tick that is delta ms after now; delta small."""
    return (now - _HALF - _HALF + delta) & MASK


def earlier(first, second):
    """The one that comes first; None stands for never."""
    if first is None:
        return second
    if second is None:
        return first
    return first if diff(first, second) <= 0 else second
