"""Limits of the CBOR subset beyond the golden vectors."""

from vsecc_link import cbor


def refused(function, argument):
    try:
        function(argument)
    except cbor.CborError:
        return True
    return False


def test_types_outside_the_subset():
    for value in (1.5, object(), {1, 2}, {None: 1}, {True: 1}, [[[[[]]]]], 1 << 64, -(1 << 64) - 1, [2.0]):
        assert refused(cbor.encode, value), value


def test_depth_and_size_are_limited():
    assert cbor.encode([[[[]]]]) == b"\x81\x81\x81\x80"
    assert cbor.decode(b"\x81\x81\x81\x80") == [[[[]]]]
    assert refused(cbor.decode, b"\x81" * 500)
    assert refused(cbor.decode, bytes(cbor.SIZE_MAX + 1))
    assert refused(cbor.decode, b"\xa1\x81\x00\x00")


def test_bytes_like_values():
    assert cbor.encode(bytearray(b"ab")) == cbor.encode(memoryview(b"ab")) == b"\x42ab"
    assert cbor.decode(bytearray(b"\x42ab")) == cbor.decode(memoryview(b"\x42ab")) == b"ab"


def test_booleans_are_no_integers():
    assert cbor.encode([True, 1, False, 0]) == b"\x84\xf5\x01\xf4\x00"
    items = cbor.decode(b"\x84\xf5\x01\xf4\x00")
    assert [type(item) for item in items] == [bool, int, bool, int]
