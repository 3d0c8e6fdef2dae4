"""The decoder against the link machine's own frames, damaged ones, and the real firmware's line."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.tools.uart.lines import built, charged, decoded

from vsecc_link import frame, messages
from vsecc_link.link import HOST as HOST_ROLE
from vsecc_link.link import MCU as MCU_ROLE
from vsecc_link.link import Link, host_hello
from vsecc_uart.decoder import ADOPT_AFTER, LineDecoder
from vsecc_uart.values import HOST, MARKS, MCU, REASONS, BadRecord, Chunk, FrameRecord, GapRecord, NoteRecord

STATUS = (
    messages.STATUS,
    *[field[2] if field[2] >= 0 else 0 for field in messages.CATALOGUE[messages.STATUS][3]],
)
CLEAR = (messages.CLEAR_FAULTS, 1)


def frames(records):
    return [record for record in records if isinstance(record, FrameRecord)]


def one(data, sender=MCU, at_s=1.0):
    """The only record of these bytes."""
    (record,) = decoded([Chunk(at_s, sender, data)])
    return record


def test_the_line_of_a_charge_reads_without_an_error():
    chunks = charged()
    records = decoded(chunks)
    assert not [record for record in records if isinstance(record, BadRecord | GapRecord)]
    assert b"".join(chunk.data for chunk in chunks if chunk.sender == MCU) == b"".join(
        record.raw for record in frames(records) if record.sender == MCU
    )
    names = [record.name for record in frames(records)]
    assert names[:2] == ["HELLO_REQUEST", "HELLO"]
    closed = [
        record for record in frames(records) if record.name == "RELAY_STATE" and record.fields()["closed"]
    ]
    assert [record.fields()["relay"] for record in closed] == [1]
    assert not [record for record in frames(records) if record.marks or record.problem]
    begun = [record.sender for record in records if isinstance(record, NoteRecord)]
    assert begun == [HOST, MCU]


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_how_the_bytes_are_cut_into_chunks_changes_nothing(seed, longest):
    chunks = CHARGED
    rng = random.Random(seed)
    pieces = []
    for chunk in chunks:
        at = 0
        while at < len(chunk.data):
            size = rng.randint(1, longest)
            pieces.append(chunk._replace(data=chunk.data[at : at + size]))
            at += size
    assert decoded(pieces) == decoded(chunks)


CHARGED = charged(60)


@given(
    st.lists(st.tuples(st.sampled_from([HOST, MCU]), st.binary(max_size=300), st.floats(0, 0.2)), max_size=12)
)
@settings(max_examples=200, deadline=None)
def test_every_byte_is_told_exactly_once_whatever_comes(spans):
    chunks, at_s = [], 100.0
    for sender, data, pause_s in spans:
        at_s += pause_s
        chunks.append(Chunk(at_s, sender, data))
    records = decoded(chunks)
    for sender in (HOST, MCU):
        told = [r.raw for r in records if isinstance(r, FrameRecord | BadRecord) and r.sender == sender]
        assert b"".join(told) == b"".join(chunk.data for chunk in chunks if chunk.sender == sender)
    for record in records:
        if isinstance(record, BadRecord):
            assert record.reason in REASONS
        elif isinstance(record, FrameRecord):
            assert set(record.marks) <= set(MARKS)


def test_damaged_frames_are_told_with_reason_and_bytes():
    good = built(MCU, STATUS, kind=frame.CYCLIC, number=5)
    flipped = bytearray(good)
    flipped[20] ^= 4
    record = one(bytes(flipped))
    assert (record.reason, record.raw, record.looks_like) == ("crc", bytes(flipped), "cyclic 5 STATUS")
    assert "CRC" in record.text
    assert one(good[:30]).reason == "short"
    assert "30 of" in one(good[:30]).text
    assert one(b"\xa5\x5a\xff" + bytes(300)).reason == "length"
    assert one(b"\xa5\x5a\x04\x72" + bytes(20)).reason == "format"
    assert one(b"hello").reason == "noise"


def test_two_damaged_frames_are_two_records():
    data = b""
    for number in (1, 2):
        damaged = bytearray(built(MCU, STATUS, kind=frame.CYCLIC, number=number))
        damaged[30] ^= 1
        data += damaged
    good = built(MCU, STATUS, kind=frame.CYCLIC, number=3)
    records = decoded([Chunk(1.0, MCU, data + good)])
    assert [type(record) for record in records] == [BadRecord, BadRecord, FrameRecord]
    assert [record.looks_like for record in records[:2]] == ["cyclic 1 STATUS", "cyclic 2 STATUS"]


def test_a_frame_that_does_not_end_is_given_up_when_its_time_is_over():
    good = built(MCU, STATUS, kind=frame.CYCLIC, number=1)
    decoder = LineDecoder()
    decoder.receive(Chunk(10.0, MCU, good[:40]))
    assert decoder.take() == []
    due = decoder.next_deadline()
    assert due == pytest.approx(10.0 + frame.FRAME_TIMEOUT_MS / 1000)
    decoder.tick(due)
    (record,) = decoder.take()
    assert (record.reason, record.at_s) == ("short", 10.0)
    assert decoder.next_deadline() is None
    decoder.receive(Chunk(11.0, MCU, good))
    assert [type(record) for record in decoder.take()] == [FrameRecord]


def test_a_sync_inside_a_damaged_frame_does_not_cut_it():
    good = built(MCU, STATUS, kind=frame.CYCLIC)
    spoilt = bytearray(frame.build(frame.RELIABLE, 7, 1, 1, b"\x00\x01" + frame.SYNC + b"\x05" * 20))
    spoilt[-1] ^= 1
    records = decoded([Chunk(1.0, MCU, bytes(spoilt) + good)])
    assert [type(record) for record in records if not isinstance(record, NoteRecord)] == [
        BadRecord,
        FrameRecord,
    ]
    assert records[0].reason == "crc" and records[0].raw == bytes(spoilt)


def test_noise_without_end_is_told_in_bounded_pieces():
    records = decoded([Chunk(index / 1000, MCU, bytes(64)) for index in range(100)])
    assert all(record.reason == "noise" and len(record.raw) <= 1024 + 64 for record in records)
    assert sum(len(record.raw) for record in records) == 6400


def test_repeats_and_duplicates_are_told_apart():
    first = built(HOST, CLEAR, kind=frame.RELIABLE, number=1)
    acked = frame.build(frame.ACK, 9, 1, 2)
    records = decoded(
        [
            Chunk(1.0, HOST, first),
            Chunk(1.1, HOST, first),
            Chunk(1.2, MCU, acked),
            Chunk(1.3, HOST, first),
        ]
    )
    assert [record.marks for record in records] == [(), ("repeat",), (), ("repeat", "duplicate")]


def test_early_and_missing_frames():
    def reliable(number):
        return built(HOST, CLEAR, kind=frame.RELIABLE, number=number)

    sent = b"".join(reliable(number) for number in (1, 3, 3, 2, 4))
    records = frames(decoded([Chunk(1.0, HOST, sent)]))
    assert [record.marks for record in records] == [(), ("early",), ("repeat",), (), ()]
    statuses = [built(MCU, STATUS, kind=frame.CYCLIC, number=number) for number in (1, 5, 5, 4, 6)]
    records = decoded([Chunk(2.0, MCU, b"".join(statuses))])
    (gap,) = [record for record in records if isinstance(record, GapRecord)]
    assert (gap.count, gap.text) == (3, "cyclic or ack frames 2..4 missing")
    assert [record.marks for record in frames(records)] == [(), (), ("replay",), ("replay",), ()]


def test_what_an_ack_asks_for():
    data = frame.build(frame.ACK | frame.FLAG_MISSING, 7, 1, 4, b"\x05\x00")
    assert one(data).wants == (4, 6)


def test_what_the_receiver_has_to_refuse():
    wrong_end = built(HOST, CLEAR, kind=frame.RELIABLE)
    assert one(wrong_end, MCU).problem == "CLEAR_FAULTS from the wrong end"
    assert one(wrong_end, MCU).marks == ("refused",)
    travel = built(HOST, CLEAR, kind=frame.CYCLIC)
    assert one(travel, HOST).problem == "CLEAR_FAULTS in the wrong kind of frame"
    garbage = frame.build(frame.RELIABLE, 7, 1, 1, b"\xff\xff")
    assert one(garbage, HOST).problem.startswith("payload: ")
    assert one(frame.build(6, 7, 1, 1), HOST).problem == "unknown kind of frame"


def test_a_stray_frame_is_marked_and_a_session_met_in_its_middle_is_taken_up():
    mine = built(MCU, STATUS, kind=frame.CYCLIC, number=1, session=7)
    other = [built(MCU, STATUS, kind=frame.CYCLIC, number=number, session=8) for number in range(1, 9)]
    assert frames(decoded([Chunk(1.0, MCU, mine + other[0])]))[1].marks == ("stray",)
    records = decoded([Chunk(1.0, MCU, mine + b"".join(other))])
    assert [record.marks for record in frames(records)].count(("stray",)) == ADOPT_AFTER - 1
    assert any("in its middle" in r.text for r in records if isinstance(r, NoteRecord))


def test_a_new_session_starts_all_numbers_anew():
    chunks = []
    for life in range(2):
        host, mcu = Link(HOST_ROLE, 10 + life, host_hello("t")), Link(MCU_ROLE, 50 + life, hello())
        for step in range(40):
            now = life * 1000 + step
            host.tick(now)
            mcu.tick(now)
            if host.up:
                host.send((messages.CLEAR_FAULTS, 1), now)
            for sender, source, target in ((HOST, host, mcu), (MCU, mcu, host)):
                data = source.take()[1]
                if data:
                    chunks.append(Chunk(now / 1000, sender, data))
                    target.receive(data, now)
        assert host.up
        assert mcu.up
    records = decoded(chunks)
    assert not [record for record in frames(records) if record.marks or record.problem]
    assert len([record for record in records if isinstance(record, NoteRecord)]) == 4


def hello():
    return (messages.HELLO, 1, 0, messages.catalogue_crc(), 1000000, b"", "", "", "", 0, 7, 5)


def test_chunks_the_observer_left_out_are_told():
    records = decoded([Chunk(1.0, MCU, b"", 3)])
    assert [(record.count, record.observer) for record in records] == [(3, True)]
