"""Recordings: what is written is read back; rings stay bounded; damage is told and never more than that."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.tools.uart.lines import charged, decoded

from vsecc_host.records import pcapng
from vsecc_host.records.pcapng_read import BLOCK_MAX, PcapngError, PcapngReader
from vsecc_uart.recorder import Recorder
from vsecc_uart.recording import (
    SIZE_MIN_BYTES,
    BadRecording,
    RecordingWriter,
    older_file,
    parse_size,
    read_chunks,
    ring_of,
)
from vsecc_uart.values import HOST, MCU, BadRecord, Chunk, FrameRecord, GapRecord

CHARGED = charged(60)


def recorded(path, chunks, **ring):
    writer = RecordingWriter(path, **ring)
    recorder = Recorder(writer)
    for record in decoded(chunks):
        recorder.record(record)
    recorder.finish()


def frames(records):
    return [record for record in records if isinstance(record, FrameRecord)]


def test_a_recording_decodes_to_the_same_frames(tmp_path):
    path = tmp_path / "line.pcapng"
    noisy = [
        *CHARGED,
        Chunk(CHARGED[-1].at_s + 0.1, MCU, b"noise"),
        Chunk(CHARGED[-1].at_s + 0.3, HOST, b"", 5),
    ]
    noisy.append(CHARGED[-1]._replace(at_s=noisy[-1].at_s))
    recorded(path, noisy)
    problems = []
    again = decoded(read_chunks(path, problems))
    assert problems == []
    wanted = decoded(noisy)
    assert len(again) == len(wanted)
    for before, after in zip(frames(wanted), frames(again), strict=True):
        assert after.at_s == pytest.approx(before.at_s, abs=1e-6)
        assert (before.raw, before.sender, before.marks) == (after.raw, after.sender, after.marks)
    assert [r.count for r in again if isinstance(r, GapRecord) and r.observer] == [5]
    assert [r.raw for r in again if isinstance(r, BadRecord)] == [b"noise"]


def test_a_ring_is_bounded_and_reads_as_one(tmp_path):
    path, size = tmp_path / "line.pcapng", 4 * SIZE_MIN_BYTES
    writer = RecordingWriter(path, size_bytes=size, files=4)
    for number in range(5000):
        writer.add(Chunk(1000 + number, MCU, struct.pack("<I", number) * 4))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= size
    writer.close()
    assert ring_of(path) == [older_file(path, index) for index in (3, 2, 1, 0)]
    numbers = [struct.unpack_from("<I", chunk.data)[0] for chunk in read_chunks(path)]
    assert numbers == list(range(numbers[0], 5000))
    assert len(numbers) > 600


def test_a_new_recording_does_not_inherit_an_older_ring(tmp_path):
    path = tmp_path / "line.pcapng"
    older_file(path, 1).write_bytes(b"old")
    RecordingWriter(path).close()
    assert ring_of(path) == [path]


@pytest.mark.parametrize(("size", "files"), [(1000, 1), (1 << 20, 0), (1 << 30, 101)])
def test_a_ring_that_makes_no_sense_is_refused(tmp_path, size, files):
    with pytest.raises(ValueError, match="ring"):
        RecordingWriter(tmp_path / "a.pcapng", size_bytes=size, files=files)


def test_what_was_recorded_survives_a_kill(tmp_path):
    path = tmp_path / "line.pcapng"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from vsecc_uart.recording import RecordingWriter\n"
        "from vsecc_uart.values import Chunk, MCU\n"
        "writer = RecordingWriter(Path(sys.argv[1]))\n"
        "for number in range(100000):\n"
        "    writer.add(Chunk(number, MCU, b'x' * 50))\n"
        "    if number == 500: print('there', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    problems = []
    chunks = list(read_chunks(path, problems))
    assert [chunk.at_s for chunk in chunks] == list(range(len(chunks)))
    assert len(chunks) >= 501
    assert problems == []


def test_a_cut_off_file_is_read_to_its_last_whole_block(tmp_path):
    path = tmp_path / "line.pcapng"
    recorded(path, CHARGED)
    whole = path.read_bytes()
    count = len(list(read_chunks(path)))
    rng = random.Random(1)
    for size in [len(whole) - 1, len(whole) - 5, *(rng.randrange(300, len(whole)) for _ in range(30))]:
        path.write_bytes(whole[:size])
        problems = []
        chunks = list(read_chunks(path, problems))
        assert len(chunks) < count
        assert problems == [] or "cut off" in problems[0]


@pytest.mark.parametrize(
    "data", [b"not a recording", b"\x0a\x0d\x0d\x0a" + bytes(20), b"\xd4\xc3\xb2\xa1" + bytes(40), bytes(100)]
)
def test_what_is_no_recording_is_named(tmp_path, data):
    path = tmp_path / "x.pcapng"
    path.write_bytes(data)
    with pytest.raises(BadRecording, match="not a pcapng file"):
        list(read_chunks(path))


def test_a_huge_block_is_damage_not_memory():
    reader = PcapngReader()
    reader.feed(pcapng.section_header("x"))
    with pytest.raises(PcapngError, match="block of"):
        reader.feed(struct.pack("<II", 6, BLOCK_MAX + 4) + bytes(100))


def test_both_byte_orders_and_other_time_resolutions():
    order = ">"
    block = struct.pack(order + "IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    options = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    size = 20 + len(options)
    block += struct.pack(order + "IIHHI", 1, size, 147, 0, 0) + options + struct.pack(order + "I", size)
    at_ns = 1_700_000_000_123_456_789
    flags = struct.pack(order + "HHIHH", 2, 4, 1, 0, 0)
    size = 32 + 4 + len(flags)
    block += struct.pack(order + "IIIIIII", 6, size, 0, at_ns >> 32, at_ns & 0xFFFFFFFF, 3, 3) + b"abc\0"
    block += flags + struct.pack(order + "I", size)
    (packet,) = PcapngReader().feed(block)
    assert (packet.link_type, packet.direction, packet.data) == (147, 1, b"abc")
    assert packet.at_s == pytest.approx(at_ns / 1e9, abs=1e-6)


GOOD = (
    pcapng.section_header("x")
    + pcapng.interface(147, "u")
    + pcapng.packet(0, 5.0, b"abcdef", 1, "c", dropped=2)
)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_end_in_packets_or_an_error(data):
    raw = bytearray(GOOD * 3)
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    reader = PcapngReader()
    try:
        for at in range(0, len(raw), 7):
            for packet in reader.feed(bytes(raw[at : at + 7])):
                assert len(packet.data) <= len(raw)
    except PcapngError:
        return


@pytest.mark.parametrize(
    ("text", "size"), [("64M", 64 << 20), ("500k", 512000), ("1G", 1 << 30), ("4096", 4096)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5M", "64T", "9" * 20])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


def test_reading_a_recording_is_quick_enough_for_an_hour_of_line(tmp_path):
    """An hour is about 250,000 frames; the figure guards against something quadratic."""
    path = tmp_path / "line.pcapng"
    recorded(path, CHARGED * 3)
    began = time.process_time()
    for _ in range(10):
        list(read_chunks(path))
    assert time.process_time() - began < 5


def test_what_the_observer_left_out_is_told_once_and_of_its_side(tmp_path):
    gap = GapRecord(at_s=1.0, sender=MCU, count=3, text="3 chunks not seen", observer=True)
    missing = GapRecord(at_s=1.0, sender=MCU, count=9, text="frames missing by their numbers")
    sent = [BadRecord(at_s=1.0 + number, sender=sender, raw=b"x", reason="noise", text="no frame begins here")
            for number, sender in enumerate((HOST, MCU, MCU))]  # fmt: skip
    recorder = Recorder(RecordingWriter(tmp_path / "a.pcapng"))
    for record in (gap, gap, missing, *sent, gap):
        recorder.record(record)
    recorder.finish()
    found = [(chunk.sender, chunk.data, chunk.lost) for chunk in read_chunks(tmp_path / "a.pcapng")]
    assert found == [(HOST, b"x", 0), (MCU, b"x", 6), (MCU, b"x", 0), (MCU, b"", 3)]
