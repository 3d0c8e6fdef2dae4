"""The link against its twin over hostile wires on a fake clock. Runs on CPython and MicroPython alike."""

import struct

from unit.protocol import wires

from vsecc_link import cbor, crc, frame, messages
from vsecc_link.cyclic import CyclicFrame, CyclicReader
from vsecc_link.envelope import pack
from vsecc_link.link import FOREIGN, HOST, MCU, REFUSED, UP, Link, host_hello

CRC = messages.catalogue_crc()


def hello(catalogue_crc=CRC, boot_id=7):
    return (
        messages.HELLO,
        1,
        0,
        catalogue_crc,
        1000000,
        b"\x01" * 32,
        "1.2.3",
        "pico",
        "MicroPython 1.28",
        0,
        boot_id,
        5,
    )


def ends(host_wire=None, mcu_wire=None, mcu_hello=None, watch=None):
    host = Link(HOST, 100, host_hello("test"))
    mcu = Link(MCU, 200, mcu_hello or hello(), watch=watch)
    return wires.End(host, host_wire or wires.Whole()), wires.End(mcu, mcu_wire or wires.Whole())


def cp_state(number):
    return (
        messages.CP_STATE,
        number,
        1 + number % 2,
        number % 7,
        (number + 6) % 7,
        9000 - number % 100,
        -12000,
    )


def set_pilot(number):
    return (messages.SET_PILOT, 1 + number % 2, 1, number % 1001)


class Chatter:
    """Both ends send numbered reliable messages every `every` ms until `count` are taken."""

    def __init__(self, host, mcu, count=40, every=10):
        self.host = host
        self.mcu = mcu
        self.count = count
        self.every = every
        self.from_mcu = self.from_host = 0

    def __call__(self, elapsed, now):
        if elapsed % self.every:
            return
        if self.from_mcu < self.count and self.mcu.link.send(cp_state(self.from_mcu), now):
            self.from_mcu += 1
        if self.from_host < self.count and self.host.link.send(set_pilot(self.from_host), now):
            self.from_host += 1

    def assert_once_in_order(self):
        assert self.from_mcu == self.from_host == self.count, (self.from_mcu, self.from_host)
        assert self.host.messages() == [cp_state(i) for i in range(self.count)], self.host.messages()
        assert self.mcu.messages() == [set_pilot(i) for i in range(self.count)], self.mcu.messages()


def over(host_wire, mcu_wire, until_ms=1500, start=0):
    host, mcu = ends(host_wire, mcu_wire)
    chatter = Chatter(host, mcu)
    wires.run(host, mcu, until_ms, start, chatter)
    chatter.assert_once_in_order()
    return host, mcu


def test_whole_wire():
    host, mcu = over(wires.Whole(), wires.Whole())
    assert host.ups() == mcu.ups() == 1
    assert host.link.repeats == mcu.link.repeats == host.link.refused == mcu.link.refused == 0


def test_one_byte_at_a_time():
    over(wires.OneByte(), wires.OneByte())


def test_lost_bytes():
    for seed in range(4):
        host, mcu = over(wires.Lossy(seed), wires.Lossy(seed + 50))
        assert host.lost() == mcu.lost() == []
    assert mcu.link.repeats > 0


def test_duplicated_writes():
    host, mcu = over(wires.Duplicating(), wires.Duplicating())
    assert host.link.duplicates > 0 and mcu.link.duplicates > 0


def test_flipped_bits():
    for seed in range(4):
        over(wires.BitFlipping(seed, 2000), wires.BitFlipping(seed + 50, 2000))


def test_garbage_between_frames():
    host, mcu = over(wires.Garbage(3), wires.Garbage(4))
    assert mcu.link.parser.skipped_bytes > 0


def test_reordered_writes():
    over(wires.Reordering(5), wires.Reordering(6), until_ms=4000)


def test_tick_wrap():
    over(wires.Lossy(9), wires.Lossy(8), start=0x3FFFFFFF - 200)


def test_both_ends_notice_silence_and_meet_again():
    host, mcu = ends(wires.Silent(300, 1400), wires.Silent(300, 1400))
    wires.run(host, mcu, 2000)
    assert host.lost() == mcu.lost() == ["silent for 500 ms"]
    assert host.ups() == mcu.ups() == 2


def test_silence_is_noticed_after_500_ms():
    host, mcu = ends(mcu_wire=wires.Silent(300, 10000))
    wires.run(host, mcu, 802)
    assert host.lost() == ["silent for 500 ms"]


def test_one_way_silence_ends_the_session_at_both_ends():
    host, mcu = ends(wires.Silent(300, 10000), wires.Whole())
    wires.run(host, mcu, 2000)
    assert host.lost() and mcu.lost()


def test_nothing_but_hello_passes_before_the_handshake():
    mcu = Link(MCU, 200, hello())
    for session in (0, 1, 200, 201):
        for kind in (frame.RELIABLE, frame.CYCLIC, frame.ACK):
            mcu.receive(frame.build(kind, session, 1, 1, b"\x84\x18\x21\x01\x07\x18\x64"), 10)
    events, data = mcu.take()
    assert data == b"" and not mcu.up
    assert all(kind == 3 for kind, _ in events) and mcu.refused == 12
    assert not mcu.send(cp_state(1), 20)


def test_s7_host_with_another_catalogue_is_refused_by_name():
    host = wires.End(Link(HOST, 100, (messages.HELLO_REQUEST, 1, 0, CRC ^ 1, "old")), wires.Whole())
    mcu = wires.End(Link(MCU, 200, hello()), wires.Whole())
    wires.run(host, mcu, 300)
    assert not host.link.up and not mcu.link.up
    assert "another message catalogue" in host.of_kind(FOREIGN)[0]
    assert "host has another message catalogue" in mcu.of_kind(FOREIGN)[0]


def test_s7_mcu_with_another_catalogue_is_refused_by_name():
    host, mcu = ends(mcu_hello=hello(CRC ^ 1))
    wires.run(host, mcu, 300)
    assert not host.link.up and not mcu.link.up
    assert "MCU has another message catalogue" in host.of_kind(FOREIGN)[0]


def test_other_major_version_is_refused():
    host = wires.End(Link(HOST, 100, (messages.HELLO_REQUEST, 2, 0, CRC, "new")), wires.Whole())
    mcu = wires.End(Link(MCU, 200, hello()), wires.Whole())
    wires.run(host, mcu, 200)
    assert host.of_kind(FOREIGN)[0] == "host speaks protocol version 2"


def test_hello_may_be_a_function():
    host, mcu = ends(mcu_hello=lambda: hello(boot_id=99))
    wires.run(host, mcu, 50)
    assert host.of_kind(UP)[0][10] == 99


def test_restarted_mcu_gets_a_new_session_and_no_old_frame():
    host, mcu = ends()
    wires.run(host, mcu, 100)
    host.link.send(set_pilot(1), 100)
    stale = host.link.take()[1]
    reborn = wires.End(Link(MCU, 999, hello(boot_id=8)), wires.Whole())
    reborn.link.receive(stale, 100)
    wires.run(host, reborn, 1200, start=100)
    assert host.lost() == ["silent for 500 ms"]
    assert host.ups() == 2 and reborn.ups() == 1
    reborn.link.receive(stale, 1300)
    reborn.log.extend(reborn.link.take()[0])
    assert reborn.messages() == []
    assert reborn.refused() == ["frame of another session"] * len(reborn.refused())


def test_restarted_host_takes_over_at_once():
    host, mcu = ends()
    wires.run(host, mcu, 100)
    host.link.send(set_pilot(1), 100)
    stale = host.link.take()[1]
    reborn = wires.End(Link(HOST, 555, host_hello("test")), wires.Whole())
    wires.run(reborn, mcu, 20, start=100)
    assert reborn.link.up and mcu.ups() == 2
    assert mcu.lost() == ["peer started a new session"]
    mcu.link.receive(stale, 130)
    mcu.log.extend(mcu.link.take()[0])
    assert mcu.messages() == []


def test_replayed_hello_request_does_not_disturb_the_session():
    host, mcu = ends()
    host.link.tick(0)
    old_request = host.link.take()[1]
    host = wires.End(Link(HOST, 777, host_hello("test")), wires.Whole())
    wires.run(host, mcu, 100)
    assert mcu.ups() == 1
    mcu.link.receive(old_request, 100)
    wires.run(host, mcu, 400, start=100)
    assert mcu.link.up and host.link.up and mcu.lost() == host.lost() == []


def test_s7_replayed_frames_change_nothing():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    host.link.send((messages.GRANT, 1, 7, 500), 50)
    host.link.send(set_pilot(5), 50)
    data = host.link.take()[1]
    for now in (50, 51, 52):
        mcu.link.receive(data, now)
    mcu.log.extend(mcu.link.take()[0])
    assert mcu.messages() == [(messages.GRANT, 1, 7, 500), set_pilot(5)]
    assert mcu.link.replayed == 2 and mcu.link.duplicates == 2


def test_replayed_reliable_frames_do_not_keep_the_link_alive():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    host.link.send(set_pilot(5), 50)
    data = host.link.take()[1]
    for now in range(50, 700, 10):
        mcu.link.receive(data, now)
        mcu.link.tick(now)
    assert not mcu.link.up


def _inject(payload, kind=frame.RELIABLE):
    host, mcu = ends()
    wires.run(host, mcu, 50)
    own, _ = mcu.link.session
    mcu.link.receive(frame.build(kind, own, 1 if kind == frame.RELIABLE else 1000, 1, payload), 50)
    mcu.log.extend(mcu.link.take()[0])
    assert mcu.messages() == [] and mcu.link.refused == 1
    return mcu.refused()[0]


def test_s7_bad_messages_are_refused_with_a_reason():
    assert _inject(b"\x82\x18\x63\x01") == "unknown message"
    assert _inject(b"\x84\x18\x22\x03\x01\x18\x64") == "SET_PILOT.port: not in 1..2"
    assert _inject(b"\x83\x18\x22\x01\x01") == "SET_PILOT: wrong number of fields"
    assert _inject(b"\x84\x18\x21\x01\x07\x18\x64") == "GRANT in the wrong kind of frame"
    assert _inject(b"\x82\x18\x23\x01", frame.CYCLIC) == "CLEAR_FAULTS in the wrong kind of frame"
    assert _inject(b"\x84\x06\x01\x01\x61a") == "LOG from the wrong end"
    assert _inject(b"\xff") == "payload: float or unknown simple value"
    assert _inject(b"") == "payload: cut short"
    assert _inject(b"\xa0") == "payload is not a message"
    assert _inject(b"\x01", 5) == "unknown kind of frame"


def test_refused_message_does_not_block_the_next():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    own, _ = mcu.link.session
    mcu.link.receive(frame.build(frame.RELIABLE, own, 1, 1, b"\x82\x18\x63\x01"), 50)
    mcu.link.receive(frame.build(frame.RELIABLE, own, 2, 1, b"\x82\x18\x23\x01"), 50)
    assert mcu.link.take()[0][-1] == (2, (messages.CLEAR_FAULTS, 1))


def test_send_refuses_our_own_mistakes():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    for message in (cp_state(1), (messages.SET_PILOT, 3, 0, 0), (99,), ()):
        try:
            host.link.send(message, 50)
        except ValueError:
            continue
        raise AssertionError(message)


def test_queue_is_bounded():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    taken = [host.link.send(set_pilot(i), 50) for i in range(100)]
    assert taken.count(True) == 32
    assert len(host.link.take()[1]) <= 8 * frame.FRAME_MAX


def test_newest_cyclic_message_wins():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    for stamp in range(10):
        host.link.send((messages.GRANT, stamp, 1, 500), 50)
    wires.run(host, mcu, 2, start=51)
    assert mcu.messages() == [(messages.GRANT, 9, 1, 500)]


def test_corrupted_length_does_not_stall_the_line():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    host.link.send(set_pilot(1), 50)
    damaged = bytearray(host.link.take()[1])
    damaged[2] = 240
    mcu.link.receive(damaged, 50)
    assert mcu.link.next_deadline() <= 50 + frame.FRAME_TIMEOUT_MS
    wires.run(host, mcu, 150, start=51)
    assert mcu.messages() == [set_pilot(1)]


def test_too_many_repeats_end_the_session():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    host.link.send(set_pilot(1), 50)
    for now in range(50, 5000):
        host.link.tick(now)
        host.link.take()
        if now % 100 == 0:  # the peer is alive, but never acknowledges
            number = 5000 + now
            host.link.receive(frame.build(frame.ACK, host.link.session[0], number, 1), now)
        if not host.link.up:
            break
    assert not host.link.up and host.link.repeats == 13


def test_idle_link_needs_few_frames():
    host, mcu = ends()
    wires.run(host, mcu, 1000)
    assert host.link.parser.good < 15 and mcu.link.parser.good < 15


def test_drop_starts_over():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    host.link.drop("line broke", 50)
    wires.run(host, mcu, 50, start=51)
    assert host.link.up and host.ups() == 2 and host.lost() == ["line broke"]


def test_cyclic_frame_crosses_the_link():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    status = CyclicFrame(messages.STATUS)
    assert Link(MCU, 1, hello()).stamp(status, 0) is None
    status.values[:] = [
        1073741823,
        65535,
        5,
        7,
        0,
        3,
        -12000,
        -32768,
        53,
        255,
        65535,
        1,
        32767,
        0,
        1000,
        0,
        1,
    ]
    host.link.receive(mcu.link.stamp(status, 60), 60)
    status.values[0] = 20
    host.link.receive(mcu.link.stamp(status, 80), 80)
    host.log.extend(host.link.take()[0])
    first, second = host.messages()
    assert first == (
        messages.STATUS,
        1073741823,
        65535,
        5,
        7,
        0,
        3,
        -12000,
        -32768,
        53,
        255,
        65535,
        1,
        32767,
        0,
        1000,
        0,
        1,
    )
    assert second[1] == 20 and second[2:] == first[2:]


def test_watched_message_makes_no_event():
    grants = CyclicReader(messages.GRANT)
    host, mcu = ends(watch=grants)
    wires.run(host, mcu, 50)
    sender = CyclicFrame(messages.GRANT)
    sender.values[:] = [300, 5, 500]
    mcu.link.receive(host.link.stamp(sender, 50), 50)
    assert grants.count == 1 and grants.message() == (messages.GRANT, 300, 5, 500)
    number = 1000  # shortest integers: another layout, same message
    payload = cbor.encode((messages.GRANT, 3, 1, 500))
    mcu.link.receive(frame.build(frame.CYCLIC, mcu.link.session[0], number, 1, payload), 51)
    assert grants.count == 2 and grants.values == [3, 1, 500]
    sender.values[:] = [300, 5, 501]
    sender.patch(mcu.link.session[0], number + 1, 1)
    mcu.link.receive(sender.buffer, 52)
    assert grants.count == 2 and mcu.link.refused == 1


def test_receive_takes_a_part_of_a_buffer():
    host, mcu = ends()
    host.link.tick(0)
    data = host.link.take()[1]
    buffer = bytearray(data) + bytearray(50)
    mcu.link.receive(buffer, 0, len(data))
    assert mcu.link.take()[1] and not mcu.link.parser.partial()


def test_crc_residue():
    body = b"123456789"
    assert crc.crc32(body) == 0xCBF43926
    assert crc.intact(body + struct.pack("<I", crc.crc32(body)))


def test_hello_outside_the_handshake_is_refused():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    own, _ = mcu.link.session
    payload = pack(host_hello("again"), HOST)
    mcu.link.receive(frame.build(frame.RELIABLE, own, 1, 1, payload), 50)
    assert mcu.link.take()[0] == [(REFUSED, "hello outside the handshake")]


def test_handshake_must_be_a_hello_for_this_end():
    host, mcu = ends()
    host.link.tick(0)
    for kind, session, number, message in (
        (frame.HANDSHAKE, 100, 9, (messages.LOG, 1, 1, "no hello")),
        (frame.HANDSHAKE, 100, 0, hello()),
        (frame.HANDSHAKE, 99, 9, hello()),
    ):
        host.link.receive(frame.build(kind, session, number, 0, pack(message, MCU)), 1)
    host.link.receive(frame.build(frame.HANDSHAKE, 100, 9, 0, b"\xff"), 1)
    assert host.link.refused == 4 and not host.link.up
    mcu.link.receive(frame.build(frame.HANDSHAKE, 5, 9, 0, pack(host_hello(""), HOST)), 1)
    assert mcu.link.refused == 1 and not mcu.link.take()[1]


def test_repeated_hello_request_of_the_running_session_is_answered_alike():
    host, mcu = ends()
    host.link.tick(0)
    request = host.link.take()[1]
    mcu.link.receive(request, 0)
    first = mcu.link.take()[1]
    host.link.receive(first, 1)
    mcu.link.receive(host.link.take()[1], 2)
    assert mcu.link.up and mcu.link.session == (201, 100)
    mcu.link.take()
    mcu.link.receive(request, 3)
    assert mcu.link.take() == ([], first) and mcu.link.up


def test_message_that_does_not_fit_a_frame_is_our_mistake():
    mcu = Link(MCU, 1, hello())
    try:
        mcu.send((messages.LOG, 1, 1, "\u20ac" * 120), 0)
    except ValueError as error:
        assert "too long" in str(error)
        return
    raise AssertionError("taken")


def test_refusals_are_counted_beyond_what_is_kept():
    mcu = Link(MCU, 1, hello())
    for _ in range(200):
        mcu.receive(frame.build(frame.ACK, 9, 1, 1), 0)
    assert mcu.refused == 200 and len(mcu.take()[0]) == 64


def test_half_a_frame_at_the_end_of_another_is_given_up():
    host, mcu = ends()
    wires.run(host, mcu, 50)
    own, _ = mcu.link.session
    mcu.link.receive(b"\xa5\x5a\x50\x11" + b"\xa5\x5a\x40\x11", 50)
    mcu.link.tick(95)
    assert mcu.link.parser.partial() and mcu.link.next_deadline() <= 140
    mcu.link.tick(140)
    assert mcu.link.parser.partial() is False
    mcu.link.receive(frame.build(frame.RELIABLE, own, 1, 1, pack((messages.CLEAR_FAULTS, 1), HOST)), 141)
    assert mcu.link.take()[0][-1][1] == (messages.CLEAR_FAULTS, 1)
