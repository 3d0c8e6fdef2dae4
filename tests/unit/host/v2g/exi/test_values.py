"""Worked examples, and what the encoder refuses of our own."""

from __future__ import annotations

from typing import Any

import pytest

from vsecc_host.v2g.exi import DecodeError, EncodeError, ExiError, Protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.v2g.exi import iso15118_2 as iso2

HEADER = din.MessageHeader(bytes(8))


def din_bytes(body: Any) -> bytes:
    return encode(Protocol.DIN, din.V2gMessage(HEADER, body))


def value(
    number: int, multiplier: int = 0, unit: din.UnitSymbol | None = din.UnitSymbol.V
) -> din.PhysicalValue:
    return din.PhysicalValue(multiplier, number, unit)


def pre_charge_res(present: din.PhysicalValue) -> din.PreChargeRes:
    status = din.DcEvseStatus(
        din.DcEvseStatusCode.EVSE_Ready, 0, din.EvseNotification.None_, din.IsolationLevel.Valid
    )
    return din.PreChargeRes(din.ResponseCode.OK, status, present)


def test_session_setup_req_of_din() -> None:
    message = din.V2gMessage(din.MessageHeader(b"\0"), din.SessionSetupReq(bytes.fromhex("001122334455")))
    data = bytes.fromhex("809a004011d018004488cd115400")
    assert encode(Protocol.DIN, message) == data
    assert decode(Protocol.DIN, data) == message


def test_pre_charge_res_of_din() -> None:
    header = din.MessageHeader(bytes(range(1, 9)))
    message = din.V2gMessage(header, pre_charge_res(value(3985, -1)))
    data = bytes.fromhex("809a02004080c1014181c211600040800001028488f800")
    assert encode(Protocol.DIN, message) == data
    assert decode(Protocol.DIN, data) == message


def test_annex_j_of_iso_15118_2() -> None:
    message = iso2.AuthorizationReq("ID1", b"Some Random Data")
    data = bytes.fromhex("80040152510c40829b7b6b2902930b73237b6902230ba309e8")
    assert encode(Protocol.ISO2, message, fragment=True) == data
    assert decode(Protocol.ISO2, data, fragment=True) == message


@pytest.mark.parametrize("number", [0, 1, 127, 128, 16383, 16384, 32767, -1, -128, -129, -16385, -32768])
def test_signed_integers_round_trip(number: int) -> None:
    message = din.V2gMessage(HEADER, pre_charge_res(value(number)))
    assert decode(Protocol.DIN, encode(Protocol.DIN, message)) == message


def test_enumerations_are_the_schema_text_and_order() -> None:
    assert din.ResponseCode.FAILED_SequenceError == 5
    assert iso2.ResponseCode.FAILED_CertificateRevoked == 25
    assert din.UnitSymbol.W_s == 8


@pytest.mark.parametrize(
    "body",
    [
        pre_charge_res(value(32768)),
        pre_charge_res(value(-32769)),
        pre_charge_res(value(0, 4)),
        pre_charge_res(value(0, unit=10)),  # type: ignore[arg-type]
        pre_charge_res(3985),  # type: ignore[arg-type]
        pre_charge_res(value(1.5)),  # type: ignore[arg-type]
        din.SessionSetupReq(bytes(9)),
        din.SessionSetupReq("001122334455"),  # type: ignore[arg-type]
        din.SessionStopRes(None),  # type: ignore[arg-type]
        din.PowerDeliveryReq(True, din.ChargingProfile(0, ())),
        din.PhysicalValue(0, 0),
    ],
)
def test_invalid_values_of_our_own_are_encode_errors(body: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        din_bytes(body)
    assert caught.value.bit_position is None


def test_messages_of_another_protocol_are_refused() -> None:
    with pytest.raises(EncodeError):
        encode(Protocol.DIN, iso2.V2gMessage(iso2.MessageHeader(b""), None))
    with pytest.raises(EncodeError):
        encode(Protocol.DIN, None)


def test_empty_body_is_none() -> None:
    data = din_bytes(None)
    assert decode(Protocol.DIN, data) == din.V2gMessage(HEADER, None)


def test_string_table_hits_are_refused() -> None:
    # Length code 1 where ISO 15118-2 ServiceScope stands.
    body = iso2.ServiceDiscoveryReq(service_scope="abc")
    data = bytearray(encode(Protocol.ISO2, iso2.V2gMessage(iso2.MessageHeader(b""), body)))
    number = int.from_bytes(data, "big")
    coded = 5 << 24 | int.from_bytes(b"abc", "big")
    shift = next(s for s in range(8 * len(data)) if number >> s & 0xFFFFFFFF == coded)
    hit = (number & ~(0xFF << shift + 24)) | 1 << shift + 24
    with pytest.raises(DecodeError, match="string table"):
        decode(Protocol.ISO2, hit.to_bytes(len(data), "big"))


def test_wildcards_and_untyped_text_are_refused() -> None:
    transform = iso2.DigestMethod("urn:x")
    reference = iso2.Reference(transform, b"digest")
    info = iso2.SignedInfo(iso2.CanonicalizationMethod("urn:c"), iso2.SignatureMethod("urn:s"), (reference,))
    data = encode(Protocol.XMLDSIG, info, fragment=True)
    number = int.from_bytes(data, "big")
    # The end of CanonicalizationMethod is 01 of 2 bits behind its attribute; 00 would be SE(*), 10 text.
    text = int.from_bytes(b"urn:c", "big")
    shift = next(s for s in range(8 * len(data)) if number >> s & 0xFFFFFFFFFF == text) - 2
    assert number >> shift & 3 == 1
    for code in (0, 2, 3):
        wrong = (number & ~(3 << shift) | code << shift).to_bytes(len(data), "big")
        with pytest.raises(DecodeError, match="CanonicalizationMethod"):
            decode(Protocol.XMLDSIG, wrong, fragment=True)


def test_errors_are_value_errors_with_a_position() -> None:
    with pytest.raises(ExiError, match="bit 8: ") as caught:
        decode(Protocol.DIN, b"\x80\x00\x00")
    assert caught.value.bit_position == 8
    assert isinstance(caught.value, ValueError)
