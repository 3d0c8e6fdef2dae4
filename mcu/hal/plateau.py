"""Splits the ADC ring of the pilot into its two plateaus. Plain form; `plateau_viper` is the chip's.

The ring holds 16-bit codes, ports interleaved, newest just before `end`. A side is told by one fixed code:
-1.7 V lies below a shorted pilot (0 V) and above the highest negative plateau that a missing diode can make
(-2.4 V in state D).
A sample counts for the average of its side only when both neighbours are on the same side, so edges stay out.
"""


def split(ring, end, mask, samples, threshold, out):
    """out: 0/1 sum of codes on the high/low plateau, 2/3 samples high/low, 4/5 samples in those sums.

    `end` and `mask` count bytes of the ring; every second sample belongs to the port.
    """
    position = end - 4 * samples
    for index in range(6):
        out[index] = 0
    previous = 0
    side_before = 2
    previous_inside = False
    for _ in range(samples):
        low_byte = position & mask
        code = ring[low_byte] | ring[low_byte + 1] << 8
        side = 0 if code > threshold else 1
        out[2 + side] += 1
        if side == side_before:
            if previous_inside:
                out[side] += previous
                out[4 + side] += 1
            previous_inside = True
        else:
            previous_inside = False
        side_before = side
        previous = code
        position += 4


def rising_distance(ring, end, mask, samples, threshold):
    """Samples between the last two rising edges of the newest `samples`; 0 when there are not two."""
    position = end - 4
    newest = -1
    side_after = 1
    for index in range(samples):
        low_byte = position & mask
        code = ring[low_byte] | ring[low_byte + 1] << 8
        side = 0 if code > threshold else 1
        if side == 1 and side_after == 0:
            if newest >= 0:
                return index - newest
            newest = index
        side_after = side
        position -= 4
    return 0
