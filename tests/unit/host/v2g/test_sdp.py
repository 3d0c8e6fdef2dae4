"""SDP messages and the security decision."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_host.v2g.sdp import (
    SdpRequest,
    SdpResponse,
    Security,
    answer_security,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)


def test_request_of_a_real_car() -> None:
    assert decode_request(bytes.fromhex("01fe9000000000021000")) == SdpRequest(Security.NONE)
    assert decode_request(bytes.fromhex("01fe9000000000020000")) == SdpRequest(Security.TLS)


def test_response_byte_by_byte() -> None:
    address = IPv6Address("fe80::e080:dfff:fe96:ae2a").packed
    response = SdpResponse(address, 0xD6D8, Security.NONE)
    raw = bytes.fromhex("01fe900100000014fe80000000000000e080dffffe96ae2ad6d81000")
    assert encode_response(response) == raw
    assert decode_response(raw) == response


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01fe9000",
        "01fe900000000002 10",  # cut short
        "01fe900000000001 10",  # one byte
        "01fe900000000003 100000",  # three bytes
        "01fe900000000002 1010",  # UDP is reserved
        "01fe900000000002 4200",  # unknown security
        "01fe900100000002 1000",  # a response
        "02fe900000000002 1000",  # another version
        "01ff900000000002 1000",  # wrong inverse
        "01fe9000ffffffff 1000",  # announced too long
    ],
)
def test_anything_else_is_not_answered(text: str) -> None:
    assert decode_request(bytes.fromhex(text)) is None


@given(st.binary(max_size=80))
def test_random_datagrams_never_raise(data: bytes) -> None:
    decode_request(data)
    decode_response(data)


@pytest.mark.parametrize("security", list(Security))
def test_request_survives_the_round_trip(security: Security) -> None:
    assert decode_request(encode_request(security)) == SdpRequest(security)


T, N = Security.TLS, Security.NONE


@pytest.mark.parametrize(
    ("asked", "required", "ready", "answer"),
    [
        (N, False, False, N),
        (T, False, False, N),  # accepted by a Model X Plaid
        (N, False, True, N),
        (T, False, True, T),
        (N, True, True, T),
        (T, True, True, T),
        (N, True, False, None),
        (T, True, False, None),
    ],
)
def test_security_is_the_seccs_decision(
    asked: Security, required: bool, ready: bool, answer: Security | None
) -> None:
    assert answer_security(SdpRequest(asked), required=required, ready=ready) is answer
