"""What the UART tool reads: bytes of both directions, recordings, filters, requests to the proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from vsecc_host.records import pcapng
from vsecc_host.records.pcapng_read import PcapngError, PcapngReader
from vsecc_link import envelope, frame, messages
from vsecc_uart.compare import compare
from vsecc_uart.decoder import LineDecoder
from vsecc_uart.filters import BadFilter, compile_filter
from vsecc_uart.line_state import LineState
from vsecc_uart.proxy import BadRequest, Request
from vsecc_uart.recording import BadRecording, PacketSorter
from vsecc_uart.script import script_of
from vsecc_uart.show import Clock, as_json, brief, line
from vsecc_uart.statistics import Statistics
from vsecc_uart.values import SENDERS, BadRecord, Chunk, FrameRecord


def seeds() -> Iterator[bytes]:
    """A line, a recording, a filter and a request."""
    status = (messages.STATUS, *[max(0, row[2]) for row in messages.CATALOGUE[messages.STATUS][3]])
    log = (messages.LOG, 1, 1, "a\x1b[31m\r\n")
    said = [
        bytes([0x21]) + frame.build(frame.CYCLIC, 7, 1, 1, envelope.pack(status, envelope.MCU)),
        bytes([0x21]) + frame.build(frame.RELIABLE, 7, 1, 1, envelope.pack(log, envelope.MCU)),
        bytes([0x20])
        + frame.build(frame.CYCLIC, 9, 1, 1, envelope.pack((messages.GRANT, 1, 1, 500), envelope.HOST)),
        bytes([0x20])
        + frame.build(frame.HANDSHAKE, 0, 7, 0, envelope.pack(envelope.host_hello(""), envelope.HOST)),
    ]
    record = pcapng.section_header("x") + pcapng.interface(147, "u") + pcapng.packet(0, 1.0, b"abc", 1, "c")
    yield from (
        *said,
        b"".join(said),
        record,
        b"CP_STATE or not (port==1 and state~'C')",
        b'{"from": "mcu", "hex": ""}',
    )


def one_input(data: bytes) -> None:
    """Nothing may escape; every byte of the line is told once; text never controls a terminal."""
    the_line(chunks_of(data))
    a_recording(data)
    a_filter(data)
    with contextlib.suppress(BadRequest):
        Request.from_json(data)


def chunks_of(data: bytes) -> list[Chunk]:
    """The input as chunks: each begins with a byte that says whose, how long and how much later."""
    chunks, at, at_s = [], 0, 1000.0
    while at < len(data):
        head = data[at]
        size = 1 + (head >> 1 & 0x3F) * 4
        at_s += 0.2 if head & 0x80 else 0.001
        chunks.append(Chunk(at_s, SENDERS[head & 1], data[at + 1 : at + 1 + size], head & 1 & head >> 6))
        at += 1 + size
    return chunks


def the_line(chunks: list[Chunk]) -> None:
    """Decoder, figures, state, lines, comparison."""
    decoder, statistics, state, clock = LineDecoder(), Statistics(), LineState(), Clock()
    told = dict.fromkeys(SENDERS, 0)
    for chunk in chunks:
        decoder.receive(chunk)
    decoder.finish()
    for record in decoder.take():
        statistics.add(record)
        state.add(record)
        if isinstance(record, FrameRecord | BadRecord):
            told[record.sender] += len(record.raw)
        assert line(record, clock).isprintable()
        assert brief(record, clock).isprintable()
        as_json(record)
    for sender in SENDERS:
        assert told[sender] == sum(len(chunk.data) for chunk in chunks if chunk.sender == sender)
        try:
            script = script_of(chunks, sender)
        except BadRecording:
            continue
        assert compare(script.played, script.played) == []
    statistics.table()
    for port in (1, 2):
        assert state.port_line(port).isprintable()
    assert (state.relay_line() + state.grant_line(0.0) + state.device_line()).isprintable()


def a_recording(data: bytes) -> None:
    """Blocks of any content."""
    reader, sorter = PcapngReader(), PacketSorter()
    try:
        for packet in reader.feed(data):
            sorter.chunk(packet)
    except PcapngError:
        return


def a_filter(data: bytes) -> None:
    """Any text."""
    with contextlib.suppress(BadFilter):
        compile_filter(data.decode("latin-1"))
