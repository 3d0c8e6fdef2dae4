"""Tests what the heap can spare at start, block by block."""

import gc
from array import array

try:
    from mcu.march_viper import march

    IS_FAST = True
except (ImportError, AttributeError, SyntaxError):  # CPython, or no native code emitter
    from mcu.march import march

    IS_FAST = False

BLOCK_WORDS = 1024
BACKGROUNDS = (0, 0x33333333)
# What a start may spend: 64 KiB take some 60 ms on the smaller chip, by estimate. The rest of the heap serves
# the program.
LIMIT_BYTES = 64 * 1024 if IS_FAST else 4 * 1024
RESERVE_BYTES = 48 * 1024


def free_heap(limit=None):
    """(bytes tested, first bad byte or -1): takes blocks up to the limit or the reserve, gives them back."""
    blocks = _take_blocks(limit or LIMIT_BYTES)
    tested = 0
    bad_at = -1
    block = None
    for block in blocks:
        for background in BACKGROUNDS:
            at = march(block, len(block), background)
            if at >= 0 and bad_at < 0:
                bad_at = tested + 4 * at
        tested += 4 * len(block)
    del blocks, block
    gc.collect()
    return tested, bad_at


def _take_blocks(limit):
    if hasattr(gc, "mem_free"):
        limit = min(limit, gc.mem_free() - RESERVE_BYTES)
    blocks = []
    empty = bytearray(4 * BLOCK_WORDS)
    while (len(blocks) + 1) * len(empty) <= limit:
        try:
            blocks.append(array("i", empty))
        except MemoryError:  # in pieces too small
            break
    return blocks
