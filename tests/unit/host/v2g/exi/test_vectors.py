"""The reference vectors, both ways, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.v2g.exi.given import PROTOCOLS, golden, protocol_of, vectors

from vsecc_host.v2g.exi import DecodeError, decode, encode
from vsecc_host.v2g.exi.json_notation import from_json, to_json


def wrong(entries: list[dict[str, Any]]) -> list[str]:
    """Names of the vectors that do not come out as they should."""
    return [entry["name"] for entry in entries if not (decodes(entry) and encodes(entry))]


def decodes(entry: dict[str, Any]) -> bool:
    protocol, fragment = protocol_of(entry)
    message = decode(protocol, bytes.fromhex(entry["exi_hex"]), fragment)
    return to_json(protocol, message, fragment) == entry["json"]


def encodes(entry: dict[str, Any]) -> bool:
    protocol, fragment = protocol_of(entry)
    return encode(protocol, from_json(protocol, entry["json"], fragment), fragment).hex() == entry["exi_hex"]


def test_golden_vectors_of_the_repository() -> None:
    entries = golden()
    assert len(entries) > 60
    assert wrong(entries) == []


@pytest.mark.parametrize("name", PROTOCOLS)
def test_all_vectors_both_ways(name: str) -> None:
    assert wrong(vectors(name)) == []


def test_disputed_list_lengths_follow_the_specification() -> None:
    entries = [entry for entry in vectors("disputed") if entry["kind"] == "document"]
    assert len(entries) == 25
    assert wrong(entries) == []


def test_an_element_with_two_types_is_no_fragment() -> None:
    (entry,) = (entry for entry in vectors("disputed") if entry["kind"] == "fragment")
    protocol, _ = protocol_of(entry)
    with pytest.raises(DecodeError, match="root element"):
        decode(protocol, bytes.fromhex(entry["exi_hex"]), True)


def test_invalid_documents_are_refused_with_a_position() -> None:
    for entry in vectors("invalid"):
        data = bytes.fromhex(entry["exi_hex"])
        with pytest.raises(DecodeError) as caught:
            decode(protocol_of(entry)[0], data)
        assert caught.value.bit_position is not None, entry["name"]
        assert 0 <= caught.value.bit_position <= 8 * len(data), entry["name"]


def test_trailing_bytes_are_ignored() -> None:
    for entry in golden():
        protocol, fragment = protocol_of(entry)
        data = bytes.fromhex(entry["exi_hex"])
        assert decode(protocol, data + b"\xff\x00", fragment) == decode(protocol, data, fragment)


def test_every_truncation_is_refused() -> None:
    for entry in golden():
        protocol, fragment = protocol_of(entry)
        data = bytes.fromhex(entry["exi_hex"])
        for size in range(0, len(data) - 1, 1 + len(data) // 50):
            with pytest.raises(DecodeError):
                decode(protocol, data[:size], fragment)
