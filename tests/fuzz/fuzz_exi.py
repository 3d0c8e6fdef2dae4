"""The EXI decoder of every protocol, and the JSON notation of `vsecc exi`.

The first byte chooses the protocol (bit 7: fragment), the rest is the document: only DecodeError escapes,
what was decoded encodes to what decodes to the same, and so does its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi.json_notation import from_json, to_json

MAX_LEN = 2048
PROTOCOLS = list(Protocol)
FRAGMENT = 128
GOLDEN = Path(__file__).parents[1] / "unit" / "host" / "v2g" / "exi" / "golden.json"
_GOLDEN_NAMES = {
    "app_protocol": Protocol.SAP,
    "din70121": Protocol.DIN,
    "iso15118_2": Protocol.ISO2,
    "iso15118_20_common": Protocol.ISO20_COMMON,
    "iso15118_20_dc": Protocol.ISO20_DC,
    "iso15118_20_ac": Protocol.ISO20_AC,
}


def seeds() -> Iterator[bytes]:
    """The golden messages."""
    for entry in json.loads(GOLDEN.read_text()):
        document = entry["kind"] == "document"
        protocol = _GOLDEN_NAMES[entry["protocol"]] if document else Protocol.XMLDSIG
        yield bytes([PROTOCOLS.index(protocol)]) + bytes.fromhex(entry["exi_hex"])


def one_input(data: bytes) -> None:
    """What decodes must encode, and decode to the same message again."""
    if not data:
        return
    protocol = PROTOCOLS[(data[0] & ~FRAGMENT) % len(PROTOCOLS)]
    fragment = bool(data[0] & FRAGMENT) or protocol is Protocol.XMLDSIG
    try:
        message = decode(protocol, data[1:], fragment)
    except DecodeError:
        return
    assert decode(protocol, encode(protocol, message, fragment), fragment) == message
    document = to_json(protocol, message, fragment)
    assert from_json(protocol, json.loads(json.dumps(document)), fragment) == message
