"""Whose time a session takes: segments in any order, twice or cut, give the same sums."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_bench import session_whole, wire
from vsecc_bench.wire_tap import segment
from vsecc_bench.wire_tcp import Segment
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.exi.app_protocol import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

CAR, CHARGER = 40_000, 50_000
SESSION = bytes(8)
STATUS = m.DcEvseStatus(0, m.EvseNotification.None_, m.DcEvseStatusCode.EVSE_Ready)


def packed(codec: Protocol, message: object) -> bytes:
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(codec, message))


def iso2(body: object) -> bytes:
    return packed(Protocol.ISO2, m.V2gMessage(m.MessageHeader(SESSION), body))


def cable_check(processing: m.EvseProcessing) -> bytes:
    return iso2(m.CableCheckRes(m.ResponseCode.OK, STATUS, processing))


ASK = iso2(m.CableCheckReq(m.DcEvStatus(True, m.DcEvErrorCode.NO_ERROR, 50)))
HELLO = packed(
    Protocol.SAP, SupportedAppProtocolReq((AppProtocol("urn:iso:15118:2:2013:MsgDef", 2, 0, 1, 1),))
)
AGREED = packed(Protocol.SAP, SupportedAppProtocolRes(ResponseCode.OK_SuccessfulNegotiation, 1))

# (request at, answer at, answer): the car thinks 1 s before the second and 3 s before the third request
TALK = [
    (10.0, 10.1, HELLO, AGREED),
    (11.1, 11.3, ASK, cable_check(m.EvseProcessing.Ongoing)),
    (14.3, 14.35, ASK, cable_check(m.EvseProcessing.Finished)),
]


def recorded(pieces: int = 1) -> list[Segment]:
    """The talk as segments; the sequence numbers wrap in the middle of it."""
    at = {CAR: 2**32 - 20, CHARGER: 2**32 - 5}
    segments = [
        Segment(9.0, CAR, CHARGER, at[CAR] - 1, True, b""),
        Segment(9.0, CHARGER, CAR, at[CHARGER] - 1, True, b""),
    ]

    def send(source: int, other: int, when: float, data: bytes) -> None:
        size = -(-len(data) // pieces)
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            segments.append(Segment(when, source, other, at[source] % 2**32, False, piece))
            at[source] += len(piece)

    for asked, answered, request, answer in TALK:
        send(CAR, CHARGER, asked, request)
        send(CHARGER, CAR, answered, answer)
    return segments


def check(segments: list[Segment]) -> None:
    times = wire.session_times(segments, "iso2")
    assert times is not None
    names = [exchange.name for exchange in times.exchanges]
    assert names == ["SupportedAppProtocolRes", "CableCheckRes", "CableCheckRes"]
    assert times.session_s == pytest.approx(4.35)
    assert times.charger_s == pytest.approx(0.35)
    assert times.car_s == pytest.approx(4.0)
    assert times.ongoing_s == pytest.approx(3.0)
    assert times.share_percent == pytest.approx(100 * 0.35 / 4.35)
    assert times.answers_ms("CableCheckRes") == pytest.approx([200.0, 50.0])


@pytest.mark.parametrize("pieces", [1, 2, 5, 100])
def test_whole_messages_or_pieces(pieces: int) -> None:
    check(recorded(pieces))


def test_what_is_sent_twice_counts_once() -> None:
    check([copy for segment in recorded(3) for copy in (segment, segment)])


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_a_message_in_any_order(seed: int) -> None:
    random, segments = Random(seed), recorded(4)
    for first, second in pairwise(range(2, len(segments))):
        if segments[first][:2] == segments[second][:2] and random.random() < 0.5:
            segments[first], segments[second] = segments[second], segments[first]
    check(segments)


def test_other_connections_and_unencrypted_noise_are_not_counted() -> None:
    other = Segment(9.5, 41_000, CHARGER, 7, True, b"")
    noise = Segment(10.05, 41_000, CHARGER, 8, False, HELLO)
    first, *rest = recorded()
    check([first, other, noise, *rest])


def test_nothing_recorded() -> None:
    assert wire.session_times([], "din") is None
    assert wire.session_times([Segment(1.0, CAR, CHARGER, 1, True, b"")], "din") is None


def frame(data: bytes, flags: int = 0x18, kind: bytes = b"\x86\xdd") -> bytes:
    tcp = CAR.to_bytes(2, "big") + CHARGER.to_bytes(2, "big") + bytes((0, 0, 0, 9, 0, 0, 0, 0, 0x50, flags))
    tcp += bytes(6) + data
    ipv6 = b"\x60\0\0\0" + len(tcp).to_bytes(2, "big") + b"\x06\xff" + bytes(32)
    return bytes(12) + kind + ipv6 + tcp


def test_segments_of_frames() -> None:
    assert segment(frame(b"abc")) == (CAR, CHARGER, 9, False, b"abc")
    assert segment(frame(b"abc") + bytes(10)) == (CAR, CHARGER, 9, False, b"abc")  # padding of Ethernet
    assert segment(frame(b"", flags=0x02)) == (CAR, CHARGER, 9, True, b"")
    assert segment(frame(b"", flags=0x12)) == (CAR, CHARGER, 9, True, b"")
    assert segment(frame(b"", flags=0x10)) == (CAR, CHARGER, 9, False, b"")
    assert segment(frame(b"", kind=b"\x08\x00")) is None
    assert segment(b"") is None and segment(frame(b"")[:40]) is None


@given(st.binary(max_size=120), st.data())
def test_whatever_is_on_the_wire_the_tap_goes_on(noise: bytes, draw: st.DataObject) -> None:
    segment(noise)
    broken = bytearray(frame(b"abc"))
    for _ in range(3):
        broken[draw.draw(st.integers(0, len(broken) - 1))] = draw.draw(st.integers(0, 255))
    segment(bytes(broken[: draw.draw(st.integers(0, len(broken)))]))


def test_the_verdict_names_share_and_ratio() -> None:
    times = wire.session_times(recorded(), "iso2")
    assert times is not None
    slow = wire.SessionTimes(tuple(one._replace(asked_at=one.asked_at - 1.0) for one in times.exchanges))
    rows = [
        session_whole.Whole(session_whole.OURS, "iso2", (times,), 36.0, 0).row(),
        session_whole.Whole(session_whole.THEIRS, "iso2", (slow,), 240.0, 1).row(),
    ]
    assert rows[0]["secc_percent"] == pytest.approx(8.046)
    assert (rows[1]["failed"], rows[0]["current_demand_ms"]) == (1, None)
    (line,) = session_whole.verdicts(rows)
    assert line.startswith("iso2: our share 8.05 %, goal 5 %: missed; the EcoG SECC takes 10 times")
    assert session_whole.ratios(rows)["iso2"]["peer_times"] == pytest.approx(9.6, abs=0.1)
    empty = session_whole.Whole(session_whole.THEIRS, "iso2", (), 0.0, 3).row()
    assert session_whole.verdicts([rows[0], empty]) == []
