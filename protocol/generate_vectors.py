"""Writes vectors/*.json with cbor2 and zlib, not with the code they test; a test keeps them current.

Values in JSON: bytes are {"bytes": hex}, maps {"map": [[key, value], ...]} in encoding order.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import cbor2

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from vsecc_link import messages  # noqa: E402

GOOD_CBOR: list[Any] = [
    *[0, 1, 23, 24, 255, 256, 65535, 65536, 2**30 - 1, 2**30, 2**32 - 1, 2**32, 2**64 - 1],
    *[-1, -24, -25, -256, -257, -32768, -65537, -(2**32), -(2**64)],
    *[True, False, None, b"", b"\x00\xff", b"x" * 24, "", "a", "Zählerstand ä €", "y" * 130],
    *[[], [1, [2, [3, []]]], {}, {1: 2, -1: 3, "a": [4], "bb": {}}, {"z": 1, "aa": 2}],
]
# Longer heads than needed, as cyclic frames use them.
LONG_CBOR = [("1800", 0), ("190005", 5), ("1a00000007", 7), ("390000", -1), ("9800", []), ("5801aa", b"\xaa")]
BAD_CBOR = [
    *[("", "nothing"), ("18", "head cut"), ("1901", "head cut"), ("1b00000000000000", "head cut")],
    *[("42aa", "bytes cut"), ("62c3", "text cut"), ("820", "half a byte"), ("8201", "array cut")],
    *[("a101", "map cut"), ("0000", "trailing byte"), ("1c", "reserved head"), ("1f", "indefinite")],
    *[("5f41aaff", "indefinite bytes"), ("9f01ff", "indefinite array"), ("bfff", "indefinite map")],
    *[
        ("f7", "undefined"),
        ("f97e00", "half float"),
        ("fb3ff0000000000000", "float"),
        ("f8ff", "simple value"),
    ],
    *[
        ("c11a514b67b0", "tag"),
        ("61ff", "not UTF-8"),
        ("a201020103", "key repeated"),
        ("a1810102", "array as key"),
    ],
    *[("a1f602", "null as key"), ("818181818100", "nested too deeply"), ("9affffffff", "huge array")],
    *[("5b7fffffffffffffff", "huge bytes"), ("ff", "lone break")],
]


def plain(value: Any) -> Any:
    """A value as JSON."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: cbor2.dumps(pair[0]))
        return {"map": [[plain(key), plain(item)] for key, item in pairs]}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def ordered(value: Any) -> Any:
    """The same value with its maps in the order of their encoded keys (RFC 8949 4.2.1)."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def cbor_vectors() -> dict[str, Any]:
    """Values, non-shortest forms and malformed items."""
    return {
        "good": [{"hex": cbor2.dumps(ordered(value)).hex(), "value": plain(value)} for value in GOOD_CBOR],
        "not_shortest": [{"hex": text, "value": plain(value)} for text, value in LONG_CBOR],
        "bad": [{"hex": text, "why": why} for text, why in BAD_CBOR if len(text) % 2 == 0],
    }


def sample(field: tuple[str, int, int, int], which: int) -> Any:
    """Lowest (0), middle (1) or highest (2) value of a field."""
    name, kind, low, high = field
    if kind == messages.BOOL:
        return which > 0
    value = (low, (low + high) // 2, high)[which]
    if kind == messages.INT:
        return messages.catalogue_crc() if name == "catalogue_crc" else value
    return ("text " * 40)[:value] if kind == messages.TEXT else bytes(range(value))


def fixed_payload(message_id: int, values: list[int]) -> bytes:
    """A cyclic message in its fixed layout, written down once more from the wire document."""
    fields = messages.CATALOGUE[message_id][3]
    items = [None] * (len(fields) + 1)
    out = cbor2.dumps(items)[: -len(items)] + cbor2.dumps(message_id)
    for (_, _, low, high), value in zip(fields, values, strict=True):
        if low < 0:
            out += struct.pack(">BH", 0x19 if value >= 0 else 0x39, value if value >= 0 else -1 - value)
        elif high < 24:
            out += struct.pack(">B", value)
        elif high < 256:
            out += struct.pack(">BB", 0x18, value)
        elif high < 65536:
            out += struct.pack(">BH", 0x19, value)
        else:
            out += struct.pack(">BI", 0x1A, value)
    return out


def message_vectors() -> list[dict[str, Any]]:
    """Lowest, middle and highest values of every message of the catalogue."""
    vectors = []
    for message_id, (name, sender, travel, fields) in sorted(messages.CATALOGUE.items()):
        for which in range(3):
            values = [sample(field, which) for field in fields]
            cyclic = travel == messages.CYCLIC
            payload = fixed_payload(message_id, values) if cyclic else cbor2.dumps([message_id, *values])
            message = plain([message_id, *values])
            vectors.append({"name": name, "sender": sender, "message": message, "payload": payload.hex()})
    return vectors


def refused_vectors() -> list[dict[str, str]]:
    """Payloads no end may act on (rule S7)."""
    rows: list[tuple[str, Any, str]] = [
        ("host", [99, 1], "unknown message"),
        ("host", [35], "a field is missing"),
        ("host", [35, 1, 2], "a field too many"),
        ("host", [35, 3], "port out of range"),
        ("host", [35, "1"], "text instead of a number"),
        ("host", [37, 1, 1], "number instead of a boolean"),
        ("host", [33, 1, True, 100], "boolean instead of a number"),
        ("host", [33, 1, 8, 100], "a fourth relay"),
        ("host", [33, 1, 7, 501], "grant beyond 500 ms"),
        ("host", [39, 1], "reset without its confirmation"),
        ("host", [6, 1, 1, "log"], "message of the other end"),
        ("mcu", [33, 1, 7, 100], "message of the other end"),
        ("mcu", [6, 1, 1, "x" * 121], "text too long"),
        ("mcu", {6: 1}, "a map"),
        ("mcu", 6, "a number"),
        ("mcu", [], "empty array"),
        ("mcu", [None], "no id"),
        ("mcu", [True], "boolean as id"),
    ]
    return [
        {"sender": sender, "payload": cbor2.dumps(value).hex(), "why": why} for sender, value, why in rows
    ]


def build(control: int, session: int, number: int, ack: int, payload: bytes) -> bytes:
    """A frame, written down once more from the wire document."""
    body = bytes([len(payload), control]) + session.to_bytes(2, "little") + number.to_bytes(4, "little")
    body += bytes([ack]) + payload
    return b"\xa5\x5a" + body + zlib.crc32(body).to_bytes(4, "little")


def frame_vectors() -> dict[str, Any]:
    """Frames with their parts, and byte strings with what a parser finds in them."""
    payload = cbor2.dumps([35, 1])
    parts = [
        (0x10, 0, 4711, 0, cbor2.dumps([32, 1, 0, messages.catalogue_crc(), "0.1.0"])),
        (0x11, 815, 1, 1, payload),
        (0x12, 815, 7, 1, fixed_payload(messages.GRANT, [258, 1, 500])),
        (0x13, 815, 8, 2, b""),
        (0x1B, 65535, 0x3FFFFFFF, 255, b"\x05\x80"),
        (0x11, 1, 2, 3, bytes(241)),
    ]
    good = [
        {
            "control": c,
            "session": s,
            "number": n,
            "ack": a,
            "payload": p.hex(),
            "hex": build(c, s, n, a, p).hex(),
        }
        for c, s, n, a, p in parts
    ]
    one, two = build(0x11, 815, 1, 1, payload), build(0x11, 815, 2, 1, payload)
    damaged = bytearray(one)
    damaged[8] ^= 4
    long = bytearray(one)
    long[2] = 250
    streams = [
        ("two frames", one + two, [1, 2]),
        ("noise before, between and after", b"\x00\xa5" + one + b"\xa5\x5a\x03" + two + b"\xff", [1, 2]),
        ("damaged frame", bytes(damaged) + two, [2]),
        ("length beyond the limit", bytes(long) + two, [2]),
        ("another format version", build(0x21, 815, 9, 1, payload) + two, [2]),
        ("frame inside a false frame", b"\xa5\x5a\x10\x11" + one + two, [1, 2]),
        ("repeated half syncs", b"\xa5\xa5\xa5" + one, [1]),
    ]
    found = [{"why": why, "hex": data.hex(), "numbers": numbers} for why, data, numbers in streams]
    return {"good": good, "streams": found}


def documents() -> dict[str, str]:
    """File name -> content."""
    vectors = {
        "cbor": cbor_vectors(),
        "messages": message_vectors(),
        "refused": refused_vectors(),
        "frames": frame_vectors(),
    }
    return {f"{name}.json": json.dumps(value, indent=1) + "\n" for name, value in vectors.items()}


if __name__ == "__main__":
    (HERE / "vectors").mkdir(exist_ok=True)
    for file_name, content in documents().items():
        (HERE / "vectors" / file_name).write_text(content, encoding="utf-8")
