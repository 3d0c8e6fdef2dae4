"""Exports of a trace, read back block by block."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_host.records import pcapng
from vsecc_host.records.capture import to_capture
from vsecc_host.records.decoding import decode_payload, is_handshake
from vsecc_host.records.flow import flows_text
from vsecc_host.records.packets import to_pcapng
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.commands import PowerTarget
from vsecc_host.station.events import ChargeTargetRequested
from vsecc_host.station.values import PowerPhase

SDP_REQUEST = bytes.fromhex("01fe9000000000021000")
SDP_RESPONSE = bytes.fromhex("01fe900100000014fe800000000000005610ecfffea1f3e2d1211000")
SAP_REQUEST = bytes.fromhex(
    "01fe8001000000228000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
)
SAP_RESPONSE = bytes.fromhex("01fe80010000000480400040")
SECC = IPv6Address("fe80::5610:ecff:fea1:f3e2")


def session_setup() -> bytes:
    from vsecc_host.v2g import v2gtp
    from vsecc_host.v2g.exi import Protocol, encode
    from vsecc_host.v2g.exi import din70121 as m

    message = m.V2gMessage(m.MessageHeader(b"\0" * 8), m.SessionSetupReq(bytes.fromhex("04656500fffe")))
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.DIN, message))


@pytest.fixture
def trace():
    now = iter(x / 10 for x in range(1000, 2000))
    trace = Trace(lambda: next(now))
    cause = trace.new_cause()
    trace.frame(layer="mcu", direction="rx", raw=b"\x01\x02\x03", cause=cause)
    for layer, direction, raw in (
        ("sdp", "rx", SDP_REQUEST),
        ("sdp", "tx", SDP_RESPONSE),
        ("v2gtp", "rx", SAP_REQUEST),
        ("v2gtp", "tx", SAP_RESPONSE),
        ("v2gtp", "rx", session_setup()),
        ("v2gtp", "rx", SAP_REQUEST),
        ("v2gtp", "tx", SAP_RESPONSE),
    ):
        trace.frame(layer=layer, direction=direction, raw=raw, cause=trace.new_cause(), evse_id=1)
    trace.frame(layer="sdp", direction="rx", raw=SDP_REQUEST, cause=trace.new_cause(), evse_id=2)
    trace.frame(layer="slac", direction="rx", raw=bytes(12) + b"\x88\xe1\x01\x64\x60", cause=9, evse_id=1)
    return trace


# --- recorded session ---------------------------------------------------------------------------------------


def test_a_capture_is_json_of_one_outlet(trace):
    capture = json.loads(json.dumps(to_capture(trace)))
    assert [x["kind"] for x in capture["frames"]] == ["sdp", "sdp"] + 5 * ["v2gtp"]
    assert capture["frames"][0]["t"] == 0.0
    assert capture["frames"][2] == {
        "t": 0.2,
        "dir": "ev->evse",
        "kind": "v2gtp",
        "hex": SAP_REQUEST.hex(),
        "decoded": {
            "supportedAppProtocolReq": {
                "AppProtocol": [
                    {
                        "ProtocolNamespace": "urn:din:70121:2012:MsgDef",
                        "VersionNumberMajor": 2,
                        "VersionNumberMinor": 0,
                        "SchemaID": 1,
                        "Priority": 1,
                    }
                ]
            }
        },
    }


def test_a_capture_names_protocol_and_connections(trace):
    capture = to_capture(trace)
    assert capture["protocol"] == {
        "offered": [
            {"namespace": "urn:din:70121:2012:MsgDef", "version": "2.0", "schema_id": 1, "priority": 1}
        ],
        "answer": "OK_SuccessfulNegotiation",
        "schema_id": 1,
        "chosen": "urn:din:70121:2012:MsgDef",
    }
    assert [(x["t"], x["messages"]) for x in capture["tcp"]] == [
        (0.2, {"ev->evse": 2, "evse->ev": 1}),
        (0.5, {"ev->evse": 1, "evse->ev": 1}),
    ]


def test_a_capture_decodes_messages_and_sdp(trace):
    frames = to_capture(trace)["frames"]
    assert frames[1]["decoded"]["SDPResponse"] == {
        "address": str(SECC),
        "port": 53537,
        "security": "none",
        "transport": "TCP",
    }
    assert list(frames[4]["decoded"]["V2G_Message"]["Body"]) == ["SessionSetupReq"]


def test_homeplug_frames_are_kept_whole(trace):
    assert to_capture(trace)["homeplug"][0]["mmtype"] == "6064"


def test_the_other_outlet_has_a_capture_of_its_own(trace):
    assert len(to_capture(trace, evse_id=2)["frames"]) == 1


def test_an_empty_trace_is_an_empty_capture():
    capture = to_capture([])
    assert (capture["frames"], capture["protocol"], capture["tcp"]) == ([], None, [])


def test_what_does_not_decode_is_counted(trace):
    trace.frame(layer="v2gtp", direction="rx", raw=bytes(8) + b"\x80\xff\xff", cause=1, evse_id=1)
    capture = to_capture(trace)
    assert capture["frames"][-1]["decoded"] is None
    assert capture["notes"] == ['1 frame(s) without "decoded"']


@given(st.binary(max_size=40))
def test_decoding_never_raises(payload):
    decode_payload(payload, None)
    is_handshake(payload)


# --- pcapng -------------------------------------------------------------------------------------------------


def blocks(data: bytes):
    """(kind, body) of every block; checks both lengths."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        yield kind, data[at + 8 : at + length - 4]
        at += length
    assert at == len(data)


def options(data: bytes):
    found = {}
    while data:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert data[4:] == b""
            return found
        found[code] = data[4 : 4 + length]
        data = data[4 + length + -length % 4 :]
    raise AssertionError("options without an end")


def packets(data: bytes):
    """(interface, time in s, frame, options) of every packet."""
    for kind, body in blocks(data):
        if kind == 6:
            interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
            assert captured == original
            end = 20 + captured + -captured % 4
            yield interface, (high << 32 | low) / 1e6, body[20 : 20 + captured], options(body[end:])


def ip_payload(frame: bytes):
    """(protocol, source, target, segment) of an Ethernet frame with IPv6; checks length and checksum."""
    assert frame[12:14] == b"\x86\xdd"
    ip = frame[14:]
    version, length, protocol, _ = struct.unpack_from(">IHBB", ip)
    assert version >> 28 == 6
    segment = ip[40:]
    assert length == len(segment)
    data = ip[8:40] + struct.pack(">II", len(segment), protocol) + segment + b"\0" * (len(segment) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    return protocol, IPv6Address(ip[8:24]), IPv6Address(ip[24:40]), segment


def test_the_file_begins_with_section_and_its_interfaces(trace):
    found = list(blocks(to_pcapng(trace)))
    assert [kind for kind, _ in found[:4]] == [0x0A0D0D0A, 1, 1, 1]
    assert struct.unpack_from("<IHHq", found[0][1]) == (0x1A2B3C4D, 1, 0, -1)
    assert options(found[0][1][16:])[4] == b"vsecc"
    ethernet, uart, pep = found[1][1], found[2][1], found[3][1]
    assert struct.unpack_from("<H", ethernet)[0] == pcapng.LINKTYPE_ETHERNET
    assert struct.unpack_from("<H", uart)[0] == pcapng.LINKTYPE_USER0
    assert struct.unpack_from("<H", pep)[0] == pcapng.LINKTYPE_USER1
    assert (options(ethernet[8:])[2], options(uart[8:])[2]) == (b"v2g", b"mcu-uart")
    assert {kind for kind, _ in found[4:]} == {6}


def test_uart_bytes_go_to_the_second_interface(trace):
    uart = [(frame, found) for interface, _, frame, found in packets(to_pcapng(trace)) if interface == 1]
    assert [frame for frame, _ in uart] == [b"\x01\x02\x03"]
    assert uart[0][1] == {1: b"cause 1", 2: struct.pack("<I", pcapng.INBOUND)}


def test_sdp_is_udp_on_its_port(trace):
    found = [ip_payload(x) for i, _, x, _ in packets(to_pcapng(trace)) if i == 0 and x[12:14] == b"\x86\xdd"]
    udp = [x for x in found if x[0] == 17]
    assert next((str(x[2]), x[3][8:]) for x in udp if x[3][8:] == SDP_REQUEST)[0] == "ff02::1"
    answer = next(x for x in udp if x[3][8:] == SDP_RESPONSE)
    assert answer[1] == SECC
    assert struct.unpack_from(">HHH", answer[3]) == (15118, 15118, 8 + len(SDP_RESPONSE))


def test_v2gtp_streams_can_be_put_together_again(trace):
    streams: dict[tuple[int, int], bytes] = {}
    expected: dict[tuple[int, int], int] = {}
    flags_seen = []
    for interface, _, frame, _ in packets(to_pcapng(trace)):
        if interface or frame[12:14] != b"\x86\xdd":
            continue
        protocol, _, _, segment = ip_payload(frame)
        if protocol != 6:
            continue
        source, target, sequence, acknowledged = struct.unpack_from(">HHII", segment)
        flags, payload, side = segment[13], segment[20:], (source, target)
        flags_seen.append(flags)
        if flags & pcapng.SYN:
            expected[side] = sequence + 1
            streams[side] = b""
            continue
        assert sequence == expected[side]
        assert acknowledged == expected[target, source]
        streams[side] += payload
        expected[side] += len(payload) + bool(flags & pcapng.FIN)
    assert list(streams) == [(50001, 53537), (53537, 50001), (50002, 53537), (53537, 50002)]
    assert streams[50001, 53537] == SAP_REQUEST + session_setup()
    assert streams[53537, 50001] == SAP_RESPONSE
    assert flags_seen.count(pcapng.SYN) == 2
    assert flags_seen.count(pcapng.FIN | pcapng.ACK) == 4


def test_times_are_wall_clock_and_never_run_backwards(trace):
    times = [at for _, at, _, _ in packets(to_pcapng(trace, epoch_s=1_700_000_000.0))]
    assert times == sorted(times)
    assert times[0] == pytest.approx(1_700_000_100.0)


def test_slac_frames_are_written_as_they_were(trace):
    frames = [frame for interface, _, frame, _ in packets(to_pcapng(trace)) if interface == 0]
    assert bytes(12) + b"\x88\xe1\x01\x64\x60" in frames


@given(st.lists(st.binary(max_size=70), max_size=5))
def test_any_bytes_make_a_sound_file(pieces):
    trace = Trace(lambda: 1.0)
    for index, piece in enumerate(pieces):
        layer = ("mcu", "sdp", "v2gtp", "slac", "other")[index % 5]
        trace.frame(layer=layer, direction="rx", raw=piece, cause=index, evse_id=1)
    written = list(packets(to_pcapng(trace)))
    assert set(pieces[3::5]) <= {frame for _, _, frame, _ in written}  # matching, as it was on the wire
    for interface, at, frame, _ in written:
        assert at == pytest.approx(written[0][1])
        if interface == 0 and frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
            ip_payload(frame)


# --- one flow -----------------------------------------------------------------------------------------------


@pytest.fixture
def loop_trace():
    times = iter((10.0, 10.0001, 10.0002, 10.0003, 10.0004))
    trace = Trace(lambda: next(times))
    trace.frame(layer="v2gtp", direction="rx", raw=session_setup(), cause=5, evse_id=1)
    trace.hop(4, "station", "noise of another flow")
    asked = ChargeTargetRequested(at=10.0, evse_id=1, voltage_v=400.0, current_a=50.0, soc_percent=40)
    trace.hop(5, "station", asked)
    target = PowerTarget(evse_id=1, voltage_v=400.0, current_a=50.0, soc_percent=40, phase=PowerPhase.CHARGE)
    trace.hop(5, "command", target)
    trace.frame(layer="v2gtp", direction="tx", raw=SAP_RESPONSE, cause=5, evse_id=1)
    return trace


def test_flows_as_text_one_after_the_other(loop_trace):
    other, lines = (flow.splitlines() for flow in reversed(flows_text(loop_trace).split("\n\n")))
    assert lines[0] == "cause 5 at 10.000000 s"
    assert lines[1].split()[:4] == ["+0.000", "ms", "v2gtp", "rx"]
    assert lines[1].endswith(f"SessionSetupReq, {len(session_setup())} bytes")
    assert "+0.200 ms  station     ChargeTargetRequested voltage_v=400.0, current_a=50.0" in lines[2]
    assert "command     PowerTarget voltage_v=400.0" in lines[3]
    assert lines[4].endswith("supportedAppProtocolRes, 12 bytes")
    assert len(lines) == 5
    assert other[0].startswith("cause 4 at 10.") and len(other) == 2


def test_no_flow_is_no_text():
    assert flows_text([]) == ""


# --- power electronics --------------------------------------------------------------------------------------

ASKED = b'{"type":"request","kind":"targetValues","sequenceNumber":9,"payload":{}}'
TOLD = b'{"type":"info","kind":"status","payload":{}}'


def test_pep_is_part_of_every_form(trace):
    cause = trace.new_cause()
    for direction, raw in (("tx", ASKED), ("rx", TOLD), ("rx", b"\xff nonsense"), ("rx", b"[1]")):
        trace.frame(layer="pep", direction=direction, raw=raw, cause=cause, evse_id=1)
    trace.frame(layer="pep", direction="rx", raw=TOLD, cause=trace.new_cause(), evse_id=2)
    rows = json.loads(json.dumps(to_capture(trace)))["pep"]
    assert [(row["dir"], row["message"] and row["message"]["kind"]) for row in rows] == [
        ("secc->pecc", "targetValues"),
        ("pecc->secc", "status"),
        ("pecc->secc", None),
        ("pecc->secc", None),
    ]
    assert rows[0]["text"] == ASKED.decode()
    assert ASKED in to_pcapng(trace)
    text = flows_text(trace)
    assert "pep tx      request targetValues 9" in text
    assert "pep rx      info status" in text
    assert "pep rx      no JSON, 10 bytes" in text
