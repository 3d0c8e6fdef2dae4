"""Time that wraps at 2^30 us (17.9 min). Nothing else compares ticks; differences hold within 8.9 min."""

try:
    from micropython import const
except ImportError:

    def const(value):
        """CPython has no constant folding of this kind."""
        return value


_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)


def diff(later, earlier):
    """Signed microseconds from `earlier` to `later`."""
    return ((later - earlier + _HALF) & _MASK) - _HALF


def add(ticks, delta_us):
    """`ticks` moved by `delta_us` (either sign), wrapped."""
    return (ticks + delta_us) & _MASK
