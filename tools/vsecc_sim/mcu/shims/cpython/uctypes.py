"""The one function of `uctypes` that plain firmware needs, on CPython."""

import ctypes


def addressof(buffer):
    """Memory address of a writable buffer."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
