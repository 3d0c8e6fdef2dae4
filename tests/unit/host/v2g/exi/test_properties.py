"""Random messages round trip; random bytes raise nothing but DecodeError, in bounded time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.host.v2g.exi.given import MESSAGE_PROTOCOLS, golden, messages, protocol_of

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi.codec import MAX_DOCUMENT_BYTES
from vsecc_host.v2g.exi.json_notation import from_json, to_json

MODEST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("protocol", MESSAGE_PROTOCOLS)
def test_random_messages_round_trip(protocol: Protocol) -> None:
    @MODEST
    @given(messages(protocol))
    def check(message: Any) -> None:
        assert decode(protocol, encode(protocol, message)) == message
        document = to_json(protocol, message)
        assert from_json(protocol, json.loads(json.dumps(document))) == message

    check()


@pytest.mark.parametrize("protocol", [Protocol.ISO2, Protocol.ISO20_COMMON, Protocol.XMLDSIG])
def test_random_fragments_round_trip(protocol: Protocol) -> None:
    @MODEST
    @given(messages(protocol, fragment=True))
    def check(message: Any) -> None:
        assert decode(protocol, encode(protocol, message, True), True) == message

    check()


def refused_or_decoded(protocol: Protocol, data: bytes, fragment: bool) -> None:
    position: int | None = 0
    try:
        decode(protocol, data, fragment)
    except DecodeError as error:
        position = error.bit_position
    assert position is not None
    assert 0 <= position <= 8 * len(data)


@MODEST
@given(st.sampled_from(list(Protocol)), st.binary(max_size=300), st.booleans())
def test_random_bytes_raise_only_decode_errors(protocol: Protocol, data: bytes, fragment: bool) -> None:
    refused_or_decoded(protocol, b"\x80" + data, fragment)


@settings(MODEST, max_examples=300)
@given(st.sampled_from(golden()), st.lists(st.integers(8, 4000), min_size=1, max_size=4))
def test_flipped_bits_raise_only_decode_errors(entry: dict[str, Any], flips: list[int]) -> None:
    data = bytearray.fromhex(entry["exi_hex"])
    for flip in flips:
        position = flip % (8 * len(data))
        data[position // 8] ^= 128 >> position % 8
    refused_or_decoded(*protocol_of(entry)[:1], bytes(data), protocol_of(entry)[1])


def endless_list() -> bytes:
    """A DIN CertificateInstallationReq with 12,000 root certificates of one letter."""
    start = {
        "V2G_Message": {
            "Header": {"SessionID": "01"},
            "Body": {
                "CertificateInstallationReq": {
                    "OEMProvisioningCert": "",
                    "ListOfRootCertificateIDs": {"RootCertificateID": ["a"] * 12000},
                    "DHParams": "",
                }
            },
        }
    }
    return encode(Protocol.DIN, from_json(Protocol.DIN, start))


def test_hostile_lists_take_bounded_time() -> None:
    data = endless_list()
    assert len(data) < MAX_DOCUMENT_BYTES
    began = time.process_time()
    assert len(decode(Protocol.DIN, data).body.list_of_root_certificate_ids.root_certificate_id) == 12000
    assert time.process_time() - began < 0.2


def test_oversized_input_is_refused() -> None:
    with pytest.raises(DecodeError, match="bytes"):
        decode(Protocol.DIN, b"\x80" + bytes(MAX_DOCUMENT_BYTES))


def test_a_length_beyond_the_input_takes_no_memory() -> None:
    # SessionSetupReq whose EVCCID claims 2**63 bytes.
    data = bytes.fromhex("809a004011d0") + b"\x3f" + b"\xff" * 64
    with pytest.raises(DecodeError):
        decode(Protocol.DIN, data)
