"""The plain functions of `plateau` in viper: about 75 us a port at 125 MHz, no allocation."""
# ruff: noqa: F821
# mypy: disable-error-code="name-defined,no-untyped-call,untyped-decorator,valid-type"

import micropython


@micropython.viper
def split(ring: ptr16, end: int, mask: int, samples: int, threshold: int, out: ptr32):
    """As `plateau.split`."""
    position = end - 4 * samples
    for index in range(6):
        out[index] = 0
    previous = 0
    side_before = 2
    previous_inside = 0
    for _ in range(samples):
        code = ring[(position & mask) >> 1]
        side = 0 if code > threshold else 1
        out[2 + side] = out[2 + side] + 1
        if side == side_before:
            if previous_inside:
                out[side] = out[side] + previous
                out[4 + side] = out[4 + side] + 1
            previous_inside = 1
        else:
            previous_inside = 0
        side_before = side
        previous = code
        position += 4


@micropython.viper
def rising_distance(ring: ptr16, end: int, mask: int, samples: int, threshold: int) -> int:
    """As `plateau.rising_distance`."""
    position = end - 4
    newest = -1
    side_after = 1
    for index in range(samples):
        code = ring[(position & mask) >> 1]
        side = 0 if code > threshold else 1
        if side == 1 and side_after == 0:
            if newest >= 0:
                return index - newest
            newest = index
        side_after = side
        position -= 4
    return 0
