"""The EXI decoder of every protocol, and the JSON notation of `vsecc exi`.

The first byte chooses the protocol (bit 7: fragment), the rest is the document: only DecodeError escapes,
what was decoded encodes to what decodes to the same, and so does its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from unit.host.v2g.exi.given import PROTOCOLS as BY_NAME
from unit.host.v2g.exi.given import golden

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi.json_notation import from_json, to_json

MAX_LEN = 2048
PROTOCOLS = list(Protocol)
FRAGMENT = 128


def seeds() -> Iterator[bytes]:
    """The golden messages."""
    for entry in golden():
        document = entry["kind"] == "document"
        protocol = BY_NAME[entry["protocol"]] if document else Protocol.XMLDSIG
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
