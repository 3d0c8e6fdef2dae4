"""V2GTP headers and the stream framer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsecc_host.v2g.v2gtp import (
    MAX_PAYLOAD,
    Framer,
    FramingError,
    PayloadType,
    pack,
    parse_datagram,
    split,
)


def take_all(framer: Framer) -> list[bytes]:
    return [frame.payload for frame in iter(framer.next, None)]


def test_header_is_eight_bytes_big_endian() -> None:
    assert pack(PayloadType.EXI, b"\x80\x40") == bytes.fromhex("01fe8001000000028040")


@given(st.lists(st.binary(max_size=300), max_size=12), st.data())
@settings(max_examples=150, deadline=None)
def test_any_chunking_gives_the_same_messages(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pack(PayloadType.EXI, payload) for payload in payloads)
    framer = Framer()
    seen: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        framer.feed(stream[:size])
        stream = stream[size:]
        seen += take_all(framer)
    assert seen == payloads
    assert len(framer) == 0


def test_one_byte_at_a_time() -> None:
    framer = Framer()
    seen = []
    for byte in pack(PayloadType.EXI, b"abc") + pack(PayloadType.EXI, b""):
        framer.feed(bytes((byte,)))
        seen += take_all(framer)
    assert seen == [b"abc", b""]


@pytest.mark.parametrize("start", [b"\x02\xfe", b"\x01\xff"])
def test_wrong_version_or_inverse_is_marked_and_the_next_message_found(start: bytes) -> None:
    framer = Framer()
    framer.feed(start + pack(PayloadType.EXI, b"bad")[2:] + pack(PayloadType.EXI, b"good"))
    first, second = framer.next(), framer.next()
    assert first is not None and not first.valid
    assert second is not None and second.valid and second.payload == b"good"


def test_the_limit_itself_is_accepted_one_more_is_not() -> None:
    framer = Framer()
    framer.feed(pack(PayloadType.EXI, bytes(MAX_PAYLOAD)))
    frame = framer.next()
    assert frame is not None and len(frame.payload) == MAX_PAYLOAD
    framer.feed(pack(PayloadType.EXI, bytes(MAX_PAYLOAD + 1))[:8])
    with pytest.raises(FramingError, match="8193"):
        framer.next()


def test_four_gigabytes_announced_are_refused_at_the_header() -> None:
    framer = Framer()
    framer.feed(bytes.fromhex("01fe8001ffffffff"))
    with pytest.raises(FramingError):
        framer.next()


@given(st.binary(max_size=64))
def test_datagrams_never_raise(data: bytes) -> None:
    frame = parse_datagram(data)
    assert frame is None or frame.valid


def test_datagram_cut_short_is_nothing() -> None:
    assert parse_datagram(pack(PayloadType.SDP_REQUEST, b"\x10\x00")[:-1]) is None


def test_split_gives_whole_messages() -> None:
    messages = [pack(PayloadType.EXI, b"a"), pack(PayloadType.EXI, b""), pack(PayloadType.EXI, b"bc")]
    assert split(b"".join(messages)) == messages
