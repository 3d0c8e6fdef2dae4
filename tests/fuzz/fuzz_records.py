"""Recordings: capture files of `vsecc replay`, frames of our own trace, pcapng."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fuzz import engine
from unit.host.v2g.car import handshake, request
from unit.host.v2g.given import REQUESTS

from vsecc_host.records import pcapng
from vsecc_host.records.capture import to_capture
from vsecc_host.records.flow import flows_text
from vsecc_host.records.packets import to_pcapng
from vsecc_host.records.pcapng_read import PcapngError, PcapngReader
from vsecc_host.runtime.trace import Frame
from vsecc_host.v2g import sdp
from vsecc_sim.replay.capture import NotReplayable, load

JSON = True
FILE = engine.scratch() / "capture.json"
LAYERS = ("sdp", "v2gtp", "slac", "pep", "mcu")


def seeds() -> Iterator[bytes]:
    """A capture, frames of a trace, a packet file."""
    raws = [handshake(), *(request(body) for body in REQUESTS.values())]
    frames = [
        {"t": 0.1 * number, "dir": "ev->evse", "kind": "v2gtp", "hex": raw.hex()}
        for number, raw in enumerate(raws)
    ]
    frames.insert(
        1, {"t": 0.05, "dir": "evse->ev", "kind": "v2gtp", "hex": raws[0].hex(), "decoded": {"a": {}}}
    )
    answer = {"dir": "evse->ev", "kind": "v2gtp", "hex": "ff"}
    frames += [
        {**answer, "t": 9, "dir": "ev->evse", "decoded": {"V2G_Message": {"Body": {"SessionSetupReq": {}}}}},
        {**answer, "t": 9.5},
    ]
    content = {
        "ev": {"what": "a car"},
        "evse": {"what": "ours"},
        "tcp": [{"t": 0}, {"t": 8}],
        "frames": frames,
    }
    yield json.dumps(content).encode()
    yield b"\0" + sdp.encode_request(sdp.Security.TLS)
    yield from (b"\1" + raw for raw in raws)
    yield b'\3{"type":"request","kind":"reset","sequenceNumber":1,"payload":{}}'
    yield pcapng.section_header("x") + pcapng.interface(1, "u") + pcapng.packet(0, 1.0, b"abc", 1, "c")


def one_input(data: bytes) -> None:
    """As each of the three."""
    a_capture(data)
    a_trace(data)
    a_packet_file(data)


def a_capture(data: bytes) -> None:
    """Refused in one line, or something to play."""
    FILE.write_bytes(data)
    try:
        capture = load(FILE)
    except NotReplayable as error:
        assert str(error).isprintable()
        return
    assert all(session.exchanges for session in capture.sessions)


def a_trace(data: bytes) -> None:
    """Whatever a peer sent while we recorded: the exports tell it and do not fail."""
    if not data:
        return
    layer = LAYERS[data[0] % len(LAYERS)]
    frames = [
        Frame(1.0 + number, 1, layer, direction, data[1:], 1) for number, direction in enumerate(("rx", "tx"))
    ]
    json.dumps(to_capture(frames))
    PcapngReader().feed(to_pcapng(frames))
    assert flows_text(frames)


def a_packet_file(data: bytes) -> None:
    """Whole and in two halves it is the same."""
    try:
        whole = PcapngReader().feed(data)
    except PcapngError:
        return
    halves = PcapngReader()
    middle = len(data) // 2
    assert [*halves.feed(data[:middle]), *halves.feed(data[middle:])] == whole
