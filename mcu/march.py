"""March test of memory: stuck, coupled, wrongly addressed cells. Plain form; `march_viper` is the chip's.

March C-: (w0) up(r0 w1) up(r1 w0) down(r0 w1) down(r1 w0) (r0). Takes any object with `[]`, so that tests can
hand it broken memory.
"""

_MASK = 0xFFFFFFFF
_SIGN = 0x80000000


def march(words, count, background):
    """Index of the first bad one of `count` 32-bit words, -1 when all are good; contents are lost."""
    zero = background
    one = _signed(~background)
    for index in range(count):
        words[index] = zero
    for step in range(4):
        expected, written = (zero, one) if step in (0, 2) else (one, zero)
        for position in range(count):
            index = position if step < 2 else count - 1 - position
            if words[index] != expected:
                return index
            words[index] = written
    for index in range(count):
        if words[index] != zero:
            return index
    return -1


def _signed(value):
    value &= _MASK
    return value - (1 << 32) if value & _SIGN else value
