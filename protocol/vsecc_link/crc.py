"""Frame check: CRC-32 (IEEE 802.3, as zlib), computed in C on both interpreters.

A frame with its own CRC appended, least significant byte first, always sums to RESIDUE. Checking against it
needs one call and, because RESIDUE fits a 31-bit small int, allocates nothing on a 32-bit MicroPython for a
good frame.
"""

import binascii
import struct

CRC_SIZE = 4
RESIDUE = 0x2144DF1C


def crc32(data):
    """CRC-32 of a bytes-like object as an unsigned int."""
    return binascii.crc32(data) & 0xFFFFFFFF


def intact(view):
    """True when the bytes end with their own CRC."""
    return binascii.crc32(view) == RESIDUE


def seal(buffer, body_view, offset):
    """Write the CRC of body_view into buffer at offset.

    On a 32-bit MicroPython the sum may be a heap int for a moment (16 bytes); viper.CyclicFrame avoids that.
    """
    struct.pack_into("<I", buffer, offset, binascii.crc32(body_view) & 0xFFFFFFFF)
