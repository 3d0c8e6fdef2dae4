"""CRC-8 with polynomial x^8 + x^2 + x + 1, as AD7124 and SMBus use it."""

_TABLE = bytearray(256)
for _index in range(256):
    _value = _index
    for _ in range(8):
        _value = (_value << 1 ^ (0x07 if _value & 0x80 else 0)) & 0xFF
    _TABLE[_index] = _value


def crc8(data, start, end, value=0):
    """Checksum of data[start:end]; over data with its own checksum it is 0."""
    for index in range(start, end):
        value = _TABLE[value ^ data[index]]
    return value
