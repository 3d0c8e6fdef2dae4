"""Recorded bytes as JSON: V2GTP payloads, SDP datagrams, PEP messages; the codec is imported when needed."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from typing import Any

Json = dict[str, Any]

V2GTP_HEADER = 8
PEP_LAYER = "pep"


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


def sdp_json(raw: bytes) -> Json | None:
    """Request or response; None for anything else."""
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


def pep_message(raw: bytes) -> Json | None:
    """The message; None when the text is no JSON object."""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
