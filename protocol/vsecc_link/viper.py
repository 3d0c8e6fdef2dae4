"""CRC-32 in viper code, MicroPython only: writes the sum into the buffer, so that sealing a frame allocates nothing.

    status = CyclicFrame(messages.STATUS, crc_viper.Seal())

(`binascii.crc32` returns a heap int whenever the sum needs more than 30 bits.)
"""
# ruff: noqa: F821 - ptr8, ptr32 and uint are viper's own types

from array import array

import micropython


@micropython.viper
def _fill(table: ptr32):
    for index in range(256):
        value = uint(index)
        for _ in range(8):
            if value & uint(1):
                value = (value >> uint(1)) ^ uint(0xEDB88320)
            else:
                value = value >> uint(1)
        table[index] = int(value)


@micropython.viper
def _seal(data: ptr8, end: int, table: ptr32):
    value = uint(0xFFFFFFFF)
    for index in range(2, end):
        value = (value >> uint(8)) ^ uint(table[int((value ^ uint(data[index])) & uint(0xFF))])
    value = value ^ uint(0xFFFFFFFF)
    for index in range(4):
        data[end + index] = int(value & uint(0xFF))
        value = value >> uint(8)


class Seal:
    """Callable with the signature of crc.seal; keeps the 1 KiB table."""

    def __init__(self):
        self._table = array("I", [0] * 256)
        _fill(self._table)

    def __call__(self, buffer, _body_view, offset):
        _seal(buffer, offset, self._table)
