"""Fuzz target of the EXI decoder: only DecodeError escapes, and what was decoded encodes.

The first byte chooses the protocol, the rest is the document.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode

PROTOCOLS = list(Protocol)
GOLDEN = Path(__file__).parents[1] / "unit" / "host" / "v2g" / "exi" / "golden.json"
COUNT = 50_000


def one_input(data: bytes) -> None:
    """What decodes must encode, and decode to the same message again."""
    if not data:
        return
    protocol = PROTOCOLS[data[0] % len(PROTOCOLS)]
    fragment = bool(data[0] & 128) or protocol is Protocol.XMLDSIG
    try:
        message = decode(protocol, data[1:], fragment)
    except DecodeError:
        return
    assert decode(protocol, encode(protocol, message, fragment), fragment) == message


def mutated(seeds: list[bytes], source: random.Random) -> bytes:
    """A seed with a few bits flipped, bytes inserted or the end cut off."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 6)):
        place = source.randrange(1, len(data))
        data[place] ^= 1 << source.randrange(8)
        if source.random() < 0.1:
            del data[place + 1 :]
        if source.random() < 0.1:
            data[place:place] = source.randbytes(source.randint(1, 8))
    return bytes(data)


def inputs() -> Iterator[bytes]:
    """Mutated vectors."""
    names = [
        "app_protocol",
        "din70121",
        "iso15118_2",
        "iso15118_20_common",
        "iso15118_20_dc",
        "iso15118_20_ac",
    ]
    seeds = []
    for entry in json.loads(GOLDEN.read_text()):
        first = names.index(entry["protocol"]) if entry["kind"] == "document" else 6
        seeds.append(bytes([first]) + bytes.fromhex(entry["exi_hex"]))
    source = random.Random(15118)
    while True:
        yield mutated(seeds, source)
