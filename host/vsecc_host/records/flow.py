"""What one cause led to, hop by hop: as text, as a mermaid diagram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vsecc_host.records.decoding import PEP_LAYER, V2GTP_HEADER, Json, decode_payload, pep_message, sdp_json
from vsecc_host.runtime.trace import Frame, Hop, Record

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
