"""CBOR subset (RFC 8949): integers to 64 bits, booleans, null, byte and text strings, arrays, maps.

The encoder writes the deterministic form: shortest heads, map keys sorted by their encoded bytes. The decoder
also takes longer heads, because cyclic frames use fixed-width integers; it refuses floats, tags, indefinite
lengths, repeated keys, too deep nesting and trailing bytes. Anything wrong is a CborError, never another
exception.
"""

import struct

# Messages are flat; four levels leave room for nested configuration without risking the MCU's stack.
DEPTH_MAX = 4
# No payload is longer than a frame; a claim of more items than bytes left is refused before anything is
# built.
SIZE_MAX = 1024

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)


class CborError(ValueError):
    """The bytes are not in the subset, or the value cannot be written in it."""


def encode(value):
    """Bytes of a value; CborError for a type outside the subset or too deep a nesting."""
    out = bytearray()
    _encode(out, value, DEPTH_MAX)
    return bytes(out)


def decode(data):
    """Value of a complete CBOR item; CborError for anything else, trailing bytes included."""
    if len(data) > SIZE_MAX:
        raise CborError("too long")
    value, end = _decode(data, 0, DEPTH_MAX)
    if end != len(data):
        raise CborError("trailing bytes")
    return value


def _head(out, major, argument):
    major <<= 5
    if argument < 24:
        out.append(major | argument)
    elif argument < 0x100:
        out.append(major | 24)
        out.append(argument)
    elif argument < 0x10000:
        out.extend(struct.pack(">BH", major | 25, argument))
    elif argument <= 0xFFFFFFFF:
        out.extend(struct.pack(">BI", major | 26, argument))
    elif argument <= 0xFFFFFFFFFFFFFFFF:
        out.extend(struct.pack(">BQ", major | 27, argument))
    else:
        raise CborError("integer beyond 64 bits")


def _encode(out, value, depth):
    if value is None:
        out.append(0xF6)
    elif value is True or value is False:
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        if value >= 0:
            _head(out, _UINT, value)
        else:
            _head(out, _NEGATIVE, -1 - value)
    elif isinstance(value, str):
        _encode_string(out, _TEXT, _utf8(value))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _encode_string(out, _BYTES, value)
    else:
        _encode_container(out, value, depth)


def _utf8(text):
    try:
        return text.encode()
    except UnicodeError:
        raise CborError("not Unicode text") from None


def _encode_string(out, major, data):
    _head(out, major, len(data))
    out.extend(data)


def _encode_container(out, value, depth):
    if depth == 0:
        raise CborError("nested too deeply")
    if isinstance(value, (list, tuple)):
        _head(out, _ARRAY, len(value))
        for item in value:
            _encode(out, item, depth - 1)
    elif isinstance(value, dict):
        _head(out, _MAP, len(value))
        # The order never depends on the dict: MicroPython's does not keep insertion order.
        for key, item in sorted([(_encode_key(key), key) for key in value]):
            out.extend(key)
            _encode(out, value[item], depth - 1)
    else:
        raise CborError("type outside the subset")


def _encode_key(key):
    if type(key) is not int and type(key) is not str:
        raise CborError("map key is neither integer nor text")
    return encode(key)


def _decode(data, at, depth):
    """(value, index after it) of the item at index `at`."""
    if at >= len(data):
        raise CborError("cut short")
    first = data[at]
    major = first >> 5
    if major == _SIMPLE:
        return _simple(first), at + 1
    argument, at = _argument(data, at + 1, first & 31)
    if major == _UINT:
        return argument, at
    if major == _NEGATIVE:
        return -1 - argument, at
    if major == _TAG:
        raise CborError("tag")
    if argument > len(data) - at:
        raise CborError("cut short")
    if major == _BYTES:
        return bytes(data[at : at + argument]), at + argument
    if major == _TEXT:
        return _text(data[at : at + argument]), at + argument
    return _decode_container(data, at, major, argument, depth)


def _decode_container(data, at, major, count, depth):
    if depth == 0:
        raise CborError("nested too deeply")
    if major == _ARRAY:
        return _decode_array(data, at, count, depth - 1)
    return _decode_map(data, at, count, depth - 1)


def _simple(first):
    if first == 0xF4:
        return False
    if first == 0xF5:
        return True
    if first == 0xF6:
        return None
    raise CborError("float or unknown simple value")


def _argument(data, at, low):
    if low < 24:
        return low, at
    if low == 25 and at + 1 < len(data):  # the usual ones first: no loop
        return data[at] << 8 | data[at + 1], at + 2
    if low == 24 and at < len(data):
        return data[at], at + 1
    if low > 27:
        raise CborError("indefinite length or reserved")
    width = 1 << (low - 24)
    if at + width > len(data):
        raise CborError("cut short")
    value = 0
    for index in range(at, at + width):
        value = value << 8 | data[index]
    return value, at + width


def _text(raw):
    try:
        return str(bytes(raw), "utf-8")
    except UnicodeError:
        raise CborError("text is not UTF-8") from None


def _decode_array(data, at, count, depth):
    items = []
    for _ in range(count):
        if at < len(data) and data[at] < 24:
            items.append(data[at])
            at += 1
        else:
            item, at = _decode(data, at, depth)
            items.append(item)
    return items, at


def _decode_map(data, at, count, depth):
    pairs = {}
    for _ in range(count):
        key, at = _decode(data, at, 0)
        if type(key) is not int and type(key) is not str:
            raise CborError("map key is neither integer nor text")
        if key in pairs:
            raise CborError("key repeated")
        pairs[key], at = _decode(data, at, depth)
    return pairs, at
