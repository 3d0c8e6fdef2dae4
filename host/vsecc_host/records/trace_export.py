"""A trace for others: recorded-session JSON (`vsecc replay` plays it), pcapng, a flow as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any

from vsecc_host.records import pcapng
from vsecc_host.runtime.trace import Frame, Hop, Record

Json = dict[str, Any]

V2GTP_HEADER = 8
SDP_PORT = 15118
_SDP_GROUP = IPv6Address("ff02::1").packed
_SDP_GROUP_MAC = bytes.fromhex("333300000001")
_EV_PORT = 50_000
_NOWHERE = IPv6Address("fe80::1").packed

V2G_LAYERS = ("sdp", "v2gtp", "slac")
SERIAL_LAYERS = ("mcu",)
PEP_LAYER = "pep"


# --- recorded session --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Connection:
    """What a TCP connection of the trace was; the trace has its messages, not its packets."""

    start_s: float
    messages: dict[str, int] = field(default_factory=lambda: {"ev->evse": 0, "evse->ev": 0})
    offered: list[Json] = field(default_factory=list)
    answer: str | None = None
    schema_id: int | None = None

    @property
    def namespace(self) -> str | None:
        """The protocol both agreed on."""
        return next((x["namespace"] for x in self.offered if x["schema_id"] == self.schema_id), None)


def to_capture(records: Iterable[Record], evse_id: int | None = None) -> Json:
    """The recorded-session form of one outlet, the first one that talked when none is named."""
    everything = [record for record in records if isinstance(record, Frame)]
    power = [frame for frame in everything if frame.layer == PEP_LAYER]
    frames = [frame for frame in everything if frame.layer in V2G_LAYERS]
    if evse_id is None:
        evse_id = next((frame.evse_id for frame in frames), 0)
    frames = [frame for frame in frames if frame.evse_id == evse_id]
    zero_s = frames[0].at if frames else 0.0
    reader = _Reader()
    rows = [reader.row(frame, frame.at - zero_s) for frame in frames if frame.layer != "slac"]
    connections = reader.connections
    first = connections[0] if connections else None
    return {
        "source": f"trace of EVSE {evse_id}",
        "ev": {"what": "car at this station", "mac": None},
        "evse": {"what": f"vsecc, EVSE {evse_id}", "mac": None},
        "protocol": _protocol(first) if first is not None and first.offered else None,
        "notes": reader.notes(),
        "tcp": [{"t": _rounded(one.start_s), "messages": one.messages, "end": []} for one in connections],
        "frames": rows,
        "homeplug": [_homeplug(frame, frame.at - zero_s) for frame in frames if frame.layer == "slac"],
        "pep": [_pep(frame, frame.at - zero_s) for frame in power if frame.evse_id == evse_id],
    }


def _protocol(connection: _Connection) -> Json:
    return {
        "offered": connection.offered,
        "answer": connection.answer,
        "schema_id": connection.schema_id,
        "chosen": connection.namespace,
    }


def _homeplug(frame: Frame, at_s: float) -> Json:
    raw = frame.raw
    return {
        "t": _rounded(at_s),
        "src": raw[6:12].hex(":"),
        "dst": raw[:6].hex(":"),
        "mmtype": f"{int.from_bytes(raw[15:17], 'little'):04x}",
        "hex": raw.hex(),
    }


def _pep(frame: Frame, at_s: float) -> Json:
    """One message to or from the power electronics; `message` None: it was no JSON object."""
    return {
        "t": _rounded(at_s),
        "dir": "pecc->secc" if frame.direction == "rx" else "secc->pecc",
        "text": frame.raw.decode(errors="replace"),
        "message": _pep_message(frame.raw),
    }


def _pep_message(raw: bytes) -> Json | None:
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _rounded(at_s: float) -> float:
    return round(at_s, 6)


class _Reader:
    """Decodes the frames of one outlet in order; a handshake begins a connection."""

    def __init__(self) -> None:
        self.connections: list[_Connection] = []
        self._undecoded = 0

    def row(self, frame: Frame, at_s: float) -> Json:
        """One entry of `frames`."""
        direction = "ev->evse" if frame.direction == "rx" else "evse->ev"
        decoded = _sdp_json(frame.raw) if frame.layer == "sdp" else self._message(frame, at_s, direction)
        if decoded is None:
            self._undecoded += 1
        return {
            "t": _rounded(at_s),
            "dir": direction,
            "kind": frame.layer,
            "hex": frame.raw.hex(),
            "decoded": decoded,
        }

    def notes(self) -> list[str]:
        """What a reader of the file should know."""
        return [f'{self._undecoded} frame(s) without "decoded"'] if self._undecoded else []

    def _message(self, frame: Frame, at_s: float, direction: str) -> Json | None:
        payload = frame.raw[V2GTP_HEADER:]
        handshake = is_handshake(payload)
        if (handshake and frame.direction == "rx") or not self.connections:
            self.connections.append(_Connection(at_s))
        connection = self.connections[-1]
        connection.messages[direction] += 1
        decoded = decode_payload(payload, connection.namespace)
        if handshake and decoded is not None:
            _note_handshake(connection, decoded)
        return decoded


def _note_handshake(connection: _Connection, decoded: Json) -> None:
    for protocol in decoded.get("supportedAppProtocolReq", {}).get("AppProtocol", ()):
        connection.offered.append(
            {
                "namespace": protocol["ProtocolNamespace"],
                "version": f"{protocol['VersionNumberMajor']}.{protocol['VersionNumberMinor']}",
                "schema_id": protocol["SchemaID"],
                "priority": protocol["Priority"],
            }
        )
    if "supportedAppProtocolRes" in decoded:
        connection.answer = decoded["supportedAppProtocolRes"]["ResponseCode"]
        connection.schema_id = decoded["supportedAppProtocolRes"].get("SchemaID")


def is_handshake(payload: bytes) -> bool:
    """Two elements can begin a handshake document, so its first bit is 0; in the message sets it is 1."""
    return len(payload) > 1 and payload[0] == 0x80 and payload[1] < 0x80


def decode_payload(payload: bytes, namespace: str | None) -> Json | None:
    """The message as JSON; None when it does not fit its schema or the codec has none for it."""
    from vsecc_host.v2g.exi import ExiError, Protocol, decode
    from vsecc_host.v2g.exi.json_notation import to_json

    protocol = Protocol.SAP
    if not is_handshake(payload):
        protocol = Protocol.ISO2 if namespace is not None and ":iso:15118:2:" in namespace else Protocol.DIN
    try:
        return to_json(protocol, decode(protocol, payload))
    except ExiError:
        return None


def _sdp_json(raw: bytes) -> Json | None:
    security = {0x00: "TLS", 0x10: "none"}
    payload, kind = raw[V2GTP_HEADER:], raw[2:4].hex()
    if kind == "9000" and len(payload) == 2:
        return {
            "SDPRequest": {"security": security.get(payload[0], f"{payload[0]:#04x}"), "transport": "TCP"}
        }
    if kind == "9001" and len(payload) == 20:
        return {
            "SDPResponse": {
                "address": str(IPv6Address(payload[:16])),
                "port": int.from_bytes(payload[16:18], "big"),
                "security": security.get(payload[18], f"{payload[18]:#04x}"),
                "transport": "TCP",
            }
        }
    return None


# --- pcapng ------------------------------------------------------------------------------------------------


def to_pcapng(records: Iterable[Record], *, epoch_s: float = 0.0) -> bytes:
    """What crossed the host's borders as a pcapng file; `epoch_s` is wall time minus the trace's time.

    Interface 0 shows SLAC as it was, SDP and V2GTP in packets made up around them; interface 1 the UART
    bytes; interface 2 the JSON texts of PEP. The comment of a packet is its cause id.
    """
    writer = _PcapWriter(epoch_s)
    for record in records:
        if isinstance(record, Frame):
            writer.add(record)
    return writer.finish()


class _PcapWriter:
    def __init__(self, epoch_s: float) -> None:
        self._epoch_s = epoch_s
        self._blocks = [
            pcapng.section_header("vsecc"),
            pcapng.interface(pcapng.LINKTYPE_ETHERNET, "v2g"),
            pcapng.interface(pcapng.LINKTYPE_USER0, "mcu-uart"),
            pcapng.interface(pcapng.LINKTYPE_USER1, "pep"),
        ]
        self._servers: dict[int, pcapng.Endpoint] = {}
        self._talks: dict[int, pcapng.TcpTalk] = {}
        self._connections = 0
        self._last_at = 0.0

    def add(self, frame: Frame) -> None:
        """Write down what crossed a border."""
        self._last_at = frame.at
        if frame.layer in SERIAL_LAYERS:
            self._put(frame, frame.raw, interface=1)
        elif frame.layer == PEP_LAYER:
            self._put(frame, frame.raw, interface=2)
        elif frame.layer == "slac":
            self._put(frame, frame.raw)
        elif frame.layer == "sdp":
            self._sdp(frame)
        elif frame.layer == "v2gtp":
            self._v2gtp(frame)

    def finish(self) -> bytes:
        """The file, open connections closed at the time of the last frame."""
        for evse_id in list(self._talks):
            self._close(evse_id, self._last_at, 0)
        return b"".join(self._blocks)

    def _put(self, frame: Frame, data: bytes, *, interface: int = 0) -> None:
        direction = pcapng.INBOUND if frame.direction == "rx" else pcapng.OUTBOUND
        self._write(interface, frame.at, data, direction, frame.cause)

    def _write(self, interface: int, at: float, data: bytes, direction: int, cause: int) -> None:
        comment = f"cause {cause}" if cause else ""
        self._blocks.append(pcapng.packet(interface, at + self._epoch_s, data, direction, comment))

    def _car(self, evse_id: int, port: int) -> pcapng.Endpoint:
        tail = bytes((0xC0, evse_id & 0xFF))
        return pcapng.Endpoint(b"\x02\x00\x00\x00" + tail, _NOWHERE[:14] + tail, port)

    def _server(self, evse_id: int) -> pcapng.Endpoint:
        unknown = pcapng.Endpoint(bytes((2, 0, 0, 0, 0x5E, evse_id & 0xFF)), _NOWHERE, SDP_PORT)
        return self._servers.get(evse_id, unknown)

    def _sdp(self, frame: Frame) -> None:
        car, server = self._car(frame.evse_id, SDP_PORT), self._server(frame.evse_id)
        payload = frame.raw[V2GTP_HEADER:]
        if frame.direction == "rx":
            group = pcapng.Endpoint(_SDP_GROUP_MAC, _SDP_GROUP, SDP_PORT)
            self._put(frame, pcapng.udp_frame(car, group, frame.raw))
            return
        if len(payload) == 20:
            server = server._replace(address=payload[:16], port=int.from_bytes(payload[16:18], "big"))
            self._servers[frame.evse_id] = server
        self._put(frame, pcapng.udp_frame(server._replace(port=SDP_PORT), car, frame.raw))

    def _v2gtp(self, frame: Frame) -> None:
        evse_id, by_car = frame.evse_id, frame.direction == "rx"
        begins = by_car and is_handshake(frame.raw[V2GTP_HEADER:])
        if begins and evse_id in self._talks:
            self._close(evse_id, frame.at, frame.cause)
        if evse_id not in self._talks:
            self._connections += 1
            car = self._car(evse_id, _EV_PORT + self._connections)
            self._talks[evse_id] = pcapng.TcpTalk(car, self._server(evse_id))
            self._say_all(self._talks[evse_id].open(), frame.at, frame.cause)
        self._put(frame, self._talks[evse_id].say(by_car, frame.raw))

    def _close(self, evse_id: int, at: float, cause: int) -> None:
        self._say_all(self._talks.pop(evse_id).close(), at, cause)

    def _say_all(self, frames: Iterable[tuple[bool, bytes]], at: float, cause: int) -> None:
        for by_car, data in frames:
            self._write(0, at, data, pcapng.INBOUND if by_car else pcapng.OUTBOUND, cause)


# --- one flow ----------------------------------------------------------------------------------------------

_OUTSIDE = {"sdp": "car", "v2gtp": "car", "slac": "car", "mcu": "MCU", "pep": "PECC"}


def flow(records: Iterable[Record], cause: int) -> list[Record]:
    """All hops and frames of one cause id."""
    return [record for record in records if record.cause == cause]


def flow_text(records: Iterable[Record], cause: int) -> str:
    """One line per hop with the time since the first one."""
    hops = flow(records, cause)
    if not hops:
        return f"cause {cause}: nothing recorded"
    zero_s = hops[0].at
    lines = [f"cause {cause} at {zero_s:.6f} s"]
    lines += [f"{(hop.at - zero_s) * 1000:+10.3f} ms  {_where(hop):<10}  {describe(hop)}" for hop in hops]
    return "\n".join(lines)


def flow_mermaid(records: Iterable[Record], cause: int) -> str:
    """The flow as a mermaid sequence diagram; the arrows carry the time since the first hop."""
    hops = flow(records, cause)
    lines = ["sequenceDiagram", *(f"    {line}" for line in _arrows(hops))]
    return "\n".join(lines)


def _arrows(hops: list[Record]) -> Iterator[str]:
    before = ""
    for hop in hops:
        after = f"{describe(hop)} +{(hop.at - hops[0].at) * 1000:.3f} ms".replace(";", ",")
        outside = _OUTSIDE.get(hop.layer, "outside")
        if isinstance(hop, Frame):
            source, target = (outside, hop.layer) if hop.direction == "rx" else (hop.layer, outside)
        else:
            source, target = before or hop.layer, hop.layer
        yield f"{source}->>{target}: {after}"
        before = target if isinstance(hop, Hop) or hop.direction == "rx" else source


def _where(hop: Record) -> str:
    return f"{hop.layer} {hop.direction}" if isinstance(hop, Frame) else hop.layer


def describe(record: Record) -> str:
    """What happened in a few words: the message of a frame, the values of an event or command."""
    if isinstance(record, Hop):
        return f"{type(record.what).__name__} {_values(record.what)}".rstrip()
    if record.layer == "v2gtp":
        payload = record.raw[V2GTP_HEADER:]
        decoded = decode_payload(payload, None) or decode_payload(payload, "urn:iso:15118:2:2013:MsgDef")
        return f"{_name(decoded)}, {len(record.raw)} bytes"
    if record.layer == "sdp":
        return next(iter(_sdp_json(record.raw) or {"SDP": None}))
    if record.layer == PEP_LAYER:
        return _pep_text(record.raw)
    return f"{len(record.raw)} bytes"


def _pep_text(raw: bytes) -> str:
    """Such as "request targetValues 9"."""
    message = _pep_message(raw)
    if message is None:
        return f"no JSON, {len(raw)} bytes"
    words = (message.get("type"), message.get("kind"), message.get("sequenceNumber"))
    return " ".join(str(word) for word in words if word is not None)


def _name(decoded: Json | None) -> str:
    if decoded is None:
        return "undecoded"
    body = decoded.get("V2G_Message", {}).get("Body") or decoded
    return str(next(iter(body)))


def _values(what: object) -> str:
    """Plain values of an event or command; views and snapshots are too long for a line."""
    names = getattr(type(what), "__dataclass_fields__", ())
    pairs = [(name, getattr(what, name)) for name in names if name not in ("at", "evse_id")]
    return ", ".join(f"{name}={value}" for name, value in pairs if isinstance(value, (str, int, float)))
