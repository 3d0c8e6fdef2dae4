"""The frame parser among garbage."""

from unit.protocol.wires import Random

from vsecc_link import frame


def feed(parser, data, step=64):
    """Payloads found in data."""
    found = []
    for start in range(0, len(data), step):
        end = min(start + step, len(data))
        while start < end:
            start += parser.push(data, start, end)
            while parser.next():
                found.append(parser.payload())
    return found


def test_random_bytes_never_stop_the_parser():
    random = Random(11)
    parser = frame.Parser()
    good = frame.build(frame.RELIABLE, 5, 1, 1, b"payload")
    found = 0
    for _ in range(150):
        noise = bytes([random.below(256) for _ in range(random.below(60))])
        if random.chance(1, 3):
            noise += b"\xa5\x5a" + bytes([random.below(256), 0x11 + random.below(3)])
        found += len(feed(parser, noise + good, 1 + random.below(30)))
    found += len(feed(parser, bytes(frame.FRAME_MAX)))
    assert found == 150 and parser.good == 150 and parser.bad > 0
    assert parser.skipped_bytes > 1000


def test_every_flipped_bit_is_noticed():
    good = frame.build(frame.CYCLIC, 0xA55A, 7, 3, b"\x83\x18\x21")
    for bit in range(8 * len(good)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        parser = frame.Parser()
        assert feed(parser, damaged) == []
        while parser.partial():
            parser.give_up()
            assert not parser.next()
        assert feed(parser, good) == [b"\x83\x18\x21"]


def test_longest_frame():
    good = frame.build(frame.RELIABLE, 1, 1, 1, bytes(frame.PAYLOAD_MAX))
    assert len(good) == frame.FRAME_MAX
    assert feed(frame.Parser(), good * 5, 1000) == [bytes(frame.PAYLOAD_MAX)] * 5
    try:
        frame.build(frame.RELIABLE, 1, 1, 1, bytes(frame.PAYLOAD_MAX + 1))
    except ValueError:
        return
    raise AssertionError("too long a payload was built")


def test_memory_is_bounded():
    parser = frame.Parser()
    size = len(parser.buffer)
    feed(parser, b"\xa5" * 5000)
    feed(parser, b"\xa5\x5a\xf1\x11" * 2000)
    assert len(parser.buffer) == size and parser.good == 0


def test_payload_that_looks_like_a_frame():
    inner = frame.build(frame.RELIABLE, 1, 9, 1, b"inner")
    outer = frame.build(frame.RELIABLE, 1, 1, 1, inner)
    assert feed(frame.Parser(), outer + outer, 5) == [inner, inner]
    # After a damaged head the inner frame is found: only the session's own numbers protect against it.
    assert feed(frame.Parser(), b"\xa5\x5a\xff" + outer[3:]) == [b"inner"]


def test_give_up_and_reset():
    parser = frame.Parser()
    good = frame.build(frame.ACK, 1, 1, 1)
    feed(parser, good[:-1])
    assert parser.partial()
    parser.reset()
    assert not parser.partial()
    parser.give_up()
    assert feed(parser, good) == [b""]
