"""Frames byte by byte: layouts of the standard, every recorded frame, and bytes that mean harm."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.host.slac.rig import CAPTURES, CAR, MODEM, OWN, RUN

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m

PARM_CNF = "48c58db1e43e02a0b0c0d00188e1016560" + "0000" + "ffffffffffff0a060148c58db1e43e0000" + RUN.hex()
SHORTENED = (m.SwVerCnf, m.OpAttributesCnf)  # their tails carry more than we read

BYTES6, BYTES7, BYTES8 = (st.binary(min_size=n, max_size=n) for n in (6, 7, 8))
BYTES16, BYTES17 = (st.binary(min_size=n, max_size=n) for n in (16, 17))
BYTE = st.integers(0, 255)
GROUPS = st.binary(max_size=255)

MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(m.SlacParmReq, BYTES8, BYTE, BYTE),
    st.builds(m.SlacParmCnf, BYTES6, BYTES8, BYTES6, BYTE, BYTE, BYTE),
    st.builds(m.StartAttenCharInd, BYTES6, BYTES8, BYTE, BYTE, BYTE),
    st.builds(m.MnbcSoundInd, BYTE, BYTES8, BYTES16, BYTES17),
    st.builds(m.AttenProfileInd, BYTES6, GROUPS, BYTE),
    st.builds(m.AttenCharInd, BYTES6, BYTES8, BYTE, GROUPS, BYTES17, BYTES17),
    st.builds(m.AttenCharRsp, BYTES6, BYTES8, BYTES17, BYTES17, BYTE),
    st.builds(m.ValidateReq, BYTE, BYTE, BYTE),
    st.builds(m.ValidateCnf, BYTE, BYTE, BYTE),
    st.builds(m.SlacMatchReq, BYTES6, BYTES6, BYTES8, BYTES17, BYTES17, st.integers(0, 65535)),
    st.builds(m.SlacMatchCnf, BYTES6, BYTES6, BYTES8, BYTES7, BYTES16),
    st.builds(m.SetKeyReq, BYTES7, BYTES16),
    st.builds(m.SetKeyCnf, BYTE),
    st.integers(0, 2000).flatmap(
        lambda n: st.builds(m.AmpMapReq, st.just(n), st.binary(min_size=(n + 1) // 2, max_size=(n + 1) // 2))
    ),
    st.builds(m.NwInfoCnf, st.none()),
    st.builds(
        m.NwInfoCnf,
        st.builds(
            m.Network,
            BYTES7,
            BYTE,
            st.lists(st.builds(m.NetworkStation, BYTES6, BYTES6, BYTE), max_size=5).map(tuple),
        ),
    ),
    st.builds(m.LinkStatusCnf, BYTE),
)


def recorded() -> Iterator[tuple[str, bytes]]:
    for path in sorted(CAPTURES.glob("*.json")):
        for frame in json.loads(path.read_text())["homeplug"]:
            yield frame["mmtype"], bytes.fromhex(frame["hex"])


def test_parameters_confirm_is_laid_out_as_the_standard_has_it() -> None:
    raw = codec.encode(CAR, OWN, m.SlacParmCnf(CAR, RUN))
    assert raw == bytes.fromhex(PARM_CNF).ljust(60, b"\0")


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (m.SlacParmReq(RUN), 60),
        (m.StartAttenCharInd(CAR, RUN), 60),
        (m.MnbcSoundInd(9, RUN, bytes(16)), 71),
        (m.AttenProfileInd(CAR, bytes(58)), 85),
        (m.AttenCharInd(CAR, RUN, 10, bytes(58)), 129),
        (m.AttenCharRsp(CAR, RUN), 70),
        (m.SlacMatchReq(CAR, OWN, RUN), 85),
        (m.SlacMatchCnf(CAR, OWN, RUN, bytes(7), bytes(16)), 109),
        (m.SetKeyReq(bytes(7), bytes(16)), 60),
        (m.NwInfoCnf(m.Network(bytes(7), 2, (m.NetworkStation(MODEM, CAR),))), 84),
    ],
)
def test_sizes(message: m.Message, size: int) -> None:
    assert len(codec.encode(CAR, OWN, message)) == size


def test_fields_stand_at_their_offsets() -> None:
    nid, nmk = bytes(range(7)), bytes(range(100, 116))
    raw = codec.encode(CAR, OWN, m.SlacMatchCnf(CAR, OWN, RUN, nid, nmk))
    assert raw[21:23] == b"\x56\x00"
    assert (raw[40:46], raw[63:69], raw[69:77]) == (CAR, OWN, RUN)
    assert (raw[85:92], raw[93:109]) == (nid, nmk)
    key = codec.encode(m.LOCAL_MODEM, OWN, m.SetKeyReq(nid, nmk))
    assert (key[19], key[28], key[33:40], key[40], key[41:57]) == (1, 4, nid, 1, nmk)


@pytest.mark.skipif(not CAPTURES.exists(), reason="recorded sessions are not here")
def test_every_recorded_frame_is_read_and_written_back_to_the_same_bytes() -> None:
    seen: dict[str, int] = {}
    for name, raw in recorded():
        frame = codec.decode(raw)
        if frame is not None and not isinstance(frame.message, SHORTENED):
            assert codec.encode(frame.destination, frame.source, frame.message) == raw
            seen[name] = seen.get(name, 0) + 1
    assert seen["CM_ATTEN_CHAR.IND"] == 34
    assert seen["CM_SLAC_MATCH.CNF"] == 19
    assert seen["CM_SLAC_PARM.CNF"] == 28
    assert seen["CM_SET_KEY.CNF"] == 25


@pytest.mark.skipif(not CAPTURES.exists(), reason="recorded sessions are not here")
def test_a_recorded_modem_tells_version_and_network() -> None:
    frames = [frame for _, raw in recorded() if (frame := codec.decode(raw)) is not None]
    versions = {f.message.version for f in frames if isinstance(f.message, m.SwVerCnf)}
    assert "MAC-QCA7005-1.1.0.730-04-20140815-CS" in versions
    networks = [f.message.network for f in frames if isinstance(f.message, m.NwInfoCnf) and f.message.network]
    linked = next(n for n in networks if n.role == m.Role.COORDINATOR and n.stations)
    assert linked.stations[0].bridged_mac == bytes.fromhex("dc0ea1116708")


@given(MESSAGES)
def test_what_is_written_reads_back(message: m.Message) -> None:
    raw = codec.encode(CAR, OWN, message)
    assert codec.decode(raw) == codec.Frame(CAR, OWN, message)
    assert codec.decode(raw + b"\xff" * 7) == codec.Frame(CAR, OWN, message)


@given(MESSAGES, st.data())
def test_a_cut_frame_is_refused_or_read_but_nothing_else(message: m.Message, data: st.DataObject) -> None:
    raw = codec.encode(CAR, OWN, message)
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    with contextlib.suppress(codec.CodecError):
        read = codec.decode(cut)
        assert read is None or type(read.message) is type(message)


@settings(max_examples=500)
@given(st.sampled_from(sorted(codec._BY_MMTYPE)), st.integers(0, 2), st.binary(max_size=200))
def test_hostile_payloads_raise_nothing_but_codec_error(mmtype: int, mmv: int, payload: bytes) -> None:
    raw = OWN + CAR + b"\x88\xe1" + bytes([mmv]) + mmtype.to_bytes(2, "little") + payload
    try:
        codec.decode(raw)
        codec.redacted(raw)
    except codec.CodecError:
        pass


@given(st.binary(max_size=100))
def test_any_bytes_raise_nothing_but_codec_error(raw: bytes) -> None:
    assert len(codec.redacted(raw)) == len(raw)
    with contextlib.suppress(codec.CodecError):
        codec.decode(raw)


@pytest.mark.parametrize(
    "change",
    [
        {15: 0xEE},  # unknown type
        {14: 0},  # header version 0 has its payload elsewhere
        {17: 0x10},  # a fragment
    ],
)
def test_what_is_not_ours_to_read_is_skipped(change: dict[int, int]) -> None:
    raw = bytearray(codec.encode(CAR, OWN, m.SlacParmReq(RUN)))
    for at, value in change.items():
        raw[at] = value
    assert codec.decode(bytes(raw)) is None


@pytest.mark.parametrize(
    "message", [m.SlacMatchCnf(CAR, OWN, RUN, bytes(7), b"\x77" * 16), m.SetKeyReq(bytes(7), b"\x77" * 16)]
)
def test_redacting_removes_the_key_and_nothing_else(message: m.Message) -> None:
    raw = codec.encode(CAR, OWN, message)
    shown = codec.redacted(raw)
    assert b"\x77" not in shown
    assert len(shown) == len(raw)
    assert [a for a, b in zip(raw, shown, strict=True) if a != b] == [0x77] * 16
    assert "77" not in repr(message)
