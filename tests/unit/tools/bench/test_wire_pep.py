"""From a car's wish to its target, read off the wire: masked frames, cut segments, overtaken wishes."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from vsecc_bench.wire_pep import Wish, delays_ms, wishes
from vsecc_bench.wire_tcp import Segment
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.v2g.exi.app_protocol import AppProtocol, SupportedAppProtocolReq

CAR, SECC, CLIENT, PECC = 40_000, 50_000, 41_000, 7_000
UPGRADE = b"GET /chargepoint1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
STATUS = din.DcEvStatus(True, din.DcEvErrorCode.NO_ERROR, 50)


def packed(codec: Protocol, message: object) -> bytes:
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(codec, message))


HELLO = packed(Protocol.SAP, SupportedAppProtocolReq((AppProtocol("urn:din:70121:2012:MsgDef", 2, 0, 1, 1),)))


def demand(tenths_a: int) -> bytes:
    current = din.PhysicalValue(-1, tenths_a, din.UnitSymbol.A)
    voltage = din.PhysicalValue(0, 400, din.UnitSymbol.V)
    body = din.CurrentDemandReq(STATUS, current, False, voltage)
    return packed(Protocol.DIN, din.V2gMessage(din.MessageHeader(bytes(8)), body))


def frame(text: str, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, text.encode()).serialize(mask=True)


def target(current_a: float, state: str = "charge", padding: str = "") -> bytes:
    payload = {
        "targetVoltage": 400,
        "targetCurrent": current_a,
        "batteryStateOfCharge": 50,
        "chargingState": state,
        "padding": padding,
    }
    message = {"type": "request", "kind": "targetValues", "sequenceNumber": 1, "payload": payload}
    return frame(json.dumps(message))


class Recorder:
    """Two connections as a tap sees them on the loopback: everything twice, optionally in pieces."""

    def __init__(self, piece: int = 10_000) -> None:
        self.segments: list[Segment] = []
        self._next = {CAR: 2**32 - 30, CLIENT: 7}
        self._piece = piece
        for source, destination in ((CAR, SECC), (CLIENT, PECC)):
            self._add(Segment(0.0, source, destination, self._next[source] - 1, True, b""))
        self.say(CLIENT, 0.1, UPGRADE)

    def say(self, source: int, at: float, data: bytes) -> None:
        for begin in range(0, len(data), self._piece):
            piece = data[begin : begin + self._piece]
            destination = SECC if source == CAR else PECC
            self._add(Segment(at, source, destination, self._next[source] % 2**32, False, piece))
            self._next[source] += len(piece)

    def _add(self, segment: Segment) -> None:
        self.segments += [segment, segment._replace(at=segment.at + 1e-5)]

    def wishes(self) -> tuple[list[Wish], list[Wish]]:
        return wishes(self.segments, PECC, {SECC})


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_wish_and_its_target_are_found_whatever_the_segments(piece: int) -> None:
    wire = Recorder(piece)
    wire.say(CAR, 0.5, HELLO)
    wire.say(CAR, 1.0, demand(253))
    wire.say(CLIENT, 1.001, frame('{"type":"info","kind":"chargingSession","payload":{}}'))
    wire.say(CLIENT, 1.002, target(25.3))
    assert wire.wishes() == ([Wish(1.0, 400.0, 25.3)], [Wish(1.002, 400, 25.3)])


@pytest.mark.parametrize("size", [0, 124, 200, 70_000])
def test_frames_of_every_length_form(size: int) -> None:
    wire = Recorder()
    wire.say(CLIENT, 1.0, target(20.0, padding="x" * size))
    wire.say(CLIENT, 2.0, target(21.0))
    assert wire.wishes()[1] == [Wish(1.0, 400, 20.0), Wish(2.0, 400, 21.0)]


def test_pings_other_phases_and_other_connections_are_no_targets() -> None:
    wire = Recorder()
    wire.say(CLIENT, 1.0, frame("are you there", Opcode.PONG))
    wire.say(CLIENT, 1.1, target(2.0, "preCharge"))
    wire.say(CLIENT, 1.2, target(0.0, "postCharge"))
    other = [segment._replace(source=CLIENT + 1, destination=PECC + 1) for segment in wire.segments]
    assert wishes([*other, *wire.segments], PECC, {SECC}) == ([], [])


def test_each_target_counts_for_the_wish_with_its_values() -> None:
    asked = [Wish(1.0, 400, 20.0), Wish(1.04, 400, 20.1), Wish(1.08, 400, 20.2)]
    sent = [Wish(1.041, 400, 20.0), Wish(1.042, 400, 20.1), Wish(1.083, 400, 20.2), Wish(1.09, 400, 20.2)]
    assert delays_ms(asked, sent) == pytest.approx([41.0, 2.0, 3.0])


def test_an_overtaken_wish_is_in_no_figure_and_makes_no_other_look_fast() -> None:
    asked = [Wish(1.0, 400, 20.0), Wish(1.04, 400, 20.1), Wish(2.0, 400, 20.0)]
    assert delays_ms(asked, [Wish(1.06, 400, 20.1), Wish(2.005, 400, 20.0)]) == pytest.approx([20.0, 5.0])
    assert delays_ms([Wish(1.0, 400, 20.0)], [Wish(0.9, 400, 20.0), Wish(1.1, 400, 50.0)]) == []


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_the_order_of_segments_of_one_moment_does_not_matter(seed: int, piece: int) -> None:
    wire = Recorder(piece)
    wire.say(CLIENT, 1.0, target(20.0))
    opening, rest = wire.segments[:4], wire.segments[4:]
    Random(seed).shuffle(rest)
    assert [wish.current_a for wish in wishes([*opening, *rest], PECC, {SECC})[1]] == [20.0]
