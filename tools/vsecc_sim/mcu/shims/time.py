"""The `time` functions of the chip on the emulated clock."""

import chip

_MASK = 0x3FFFFFFF
_HALF = 0x20000000

ticks_us = chip.ticks_us
sleep_us = chip.sleep_us


def ticks_ms():
    """Milliseconds; wraps with the emulated microseconds, every 17.9 min."""
    return chip.ticks_us() // 1000


def ticks_add(ticks, delta):
    """`ticks` moved by `delta`, wrapped."""
    return (ticks + delta) & _MASK


def ticks_diff(later, earlier):
    """Signed distance, good for half of the wrap."""
    return ((later - earlier + _HALF) & _MASK) - _HALF


def sleep_ms(span_ms):
    """Idles for whole milliseconds."""
    chip.sleep_us(1000 * span_ms)


def sleep(span_s):
    """Idles for seconds."""
    chip.sleep_us(int(span_s * 1000000))


def time():
    """Seconds of the emulated clock."""
    return chip.ticks_us() // 1000000
