"""Signatures of ISO 15118-2: digests of fragments and ECDSA over SignedInfo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from unit.host.v2g.exi.given import vectors

from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi.json_notation import to_json

crypto = pytest.importorskip("cryptography.hazmat.primitives")


def signature_is_valid(entry: dict[str, Any], signed_info: bytes, value: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key = serialization.load_pem_public_key(entry["public_key_pem"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(part, "big") for part in (value[:32], value[32:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), signed_info, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def elements_with_id(value: Any) -> Iterator[tuple[str, Any]]:
    """Every element below that can be signed."""
    if isinstance(value, tuple):
        if getattr(value, "id", None):
            yield value.id, value  # type: ignore[attr-defined]
        for inner in value:
            yield from elements_with_id(inner)


def digests_match(message: Any) -> bool:
    """The digest of every reference against the fragment of the element it names."""
    parts = dict(elements_with_id(message.body))
    for reference in message.header.signature.signed_info.reference:
        fragment = encode(Protocol.ISO2, parts[reference.uri.removeprefix("#")], fragment=True)
        if hashlib.sha256(fragment).digest() != reference.digest_value:
            return False
    return True


def test_signed_messages_verify_as_the_vectors_say() -> None:
    entries = vectors("signed")
    assert any(entry["valid"] for entry in entries)
    for entry in entries:
        message = decode(Protocol.ISO2, bytes.fromhex(entry["exi_hex"]))
        assert to_json(Protocol.ISO2, message) == entry["json"]
        assert encode(Protocol.ISO2, message).hex() == entry["exi_hex"]
        signature = message.header.signature
        signed_info = encode(Protocol.XMLDSIG, signature.signed_info, fragment=True)
        valid = signature_is_valid(entry, signed_info, signature.signature_value.value)
        assert (valid and digests_match(message)) is entry["valid"], entry["name"]


def test_fragments_are_those_of_the_vectors() -> None:
    for entry in vectors("signed"):
        for data in map(bytes.fromhex, entry["signed_fragments"].values()):
            assert encode(Protocol.ISO2, decode(Protocol.ISO2, data, True), True) == data
        data = bytes.fromhex(entry["signed_info_exi_hex"])
        assert encode(Protocol.XMLDSIG, decode(Protocol.XMLDSIG, data, True), True) == data
