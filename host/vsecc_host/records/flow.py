"""What each cause led to, hop by hop, as text."""

from __future__ import annotations

from collections.abc import Iterable

from vsecc_host.records.decoding import PEP_LAYER, V2GTP_HEADER, Json, decode_payload, pep_message, sdp_json
from vsecc_host.runtime.trace import Frame, Hop, Record


def flows_text(records: Iterable[Record]) -> str:
    """Every cause in the order of its first hop: a line each hop, with the time since the first one."""
    flows: dict[int, list[Record]] = {}
    for record in records:
        flows.setdefault(record.cause, []).append(record)
    return "\n".join(_flow_text(cause, hops) for cause, hops in flows.items())


def _flow_text(cause: int, hops: list[Record]) -> str:
    zero_s = hops[0].at
    lines = [f"cause {cause} at {zero_s:.6f} s"]
    lines += [f"{(hop.at - zero_s) * 1000:+10.3f} ms  {_where(hop):<10}  {describe(hop)}" for hop in hops]
    return "".join(f"{line}\n" for line in lines)


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
        return next(iter(sdp_json(record.raw) or {"SDP": None}))
    if record.layer == PEP_LAYER:
        return _pep_text(record.raw)
    return f"{len(record.raw)} bytes"


def _pep_text(raw: bytes) -> str:
    """Such as "request targetValues 9"."""
    message = pep_message(raw)
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
