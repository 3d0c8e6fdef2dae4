"""A trace in the recorded-session form, which `vsecc replay` plays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vsecc_host.records.decoding import (
    PEP_LAYER,
    V2GTP_HEADER,
    Json,
    decode_payload,
    is_handshake,
    pep_message,
    sdp_json,
)
from vsecc_host.runtime.trace import Frame, Record

V2G_LAYERS = ("sdp", "v2gtp", "slac")


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
        "message": pep_message(frame.raw),
    }


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
        decoded = sdp_json(frame.raw) if frame.layer == "sdp" else self._message(frame, at_s, direction)
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
