"""The test PKI: the profiles of ISO 15118-2 annex F, and leaves a verifier has to refuse."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from unit.host.pki.made import LEAF_DAYS, NOW, data, files, folder

from vsecc_host.pki.complete import Names, complete

MAX_DER_BYTES = 800  # ISO 15118-2 table F: a certificate in a message has 800 bytes at most


def certificates(path: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(data(path))


def attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    return str(certificate.subject.get_attributes_for_oid(oid)[0].value)


@pytest.mark.clause("ISO15118-2 annex F")
@pytest.mark.parametrize(
    ("path", "name", "component", "path_length"),
    [
        ("v2g/root.pem", "V2GRootCA", "V2G", None),
        ("v2g/cpo-sub1.pem", "CPOSubCA1", "V2G", 1),
        ("v2g/cpo-sub2.pem", "CPOSubCA2", "V2G", 0),
    ],
)
def test_authorities(path: str, name: str, component: str, path_length: int | None) -> None:
    (certificate,) = certificates(path)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical and constraints.value == x509.BasicConstraints(True, path_length)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    assert attribute(certificate, NameOID.COMMON_NAME) == name
    assert attribute(certificate, NameOID.DOMAIN_COMPONENT) == component


@pytest.mark.clause("ISO15118-2 annex F")
def test_the_leaf_of_the_station() -> None:
    leaf, sub_2, sub_1 = certificates("v2g/secc/chain.pem")
    (root,) = certificates("v2g/root.pem")
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (attribute(leaf, NameOID.COMMON_NAME), attribute(leaf, NameOID.DOMAIN_COMPONENT)) == (
        "DEVSESECC1",
        "CPO",
    )
    assert usage.critical and usage.value.digital_signature and usage.value.key_agreement
    assert not usage.value.key_cert_sign
    assert constraints.critical and not constraints.value.ca
    for certificate, issuer in ((leaf, sub_2), (sub_2, sub_1), (sub_1, root), (root, root)):
        certificate.verify_directly_issued_by(issuer)
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
        assert len(certificate.public_bytes(serialization.Encoding.DER)) <= MAX_DER_BYTES


def test_every_private_key_belongs_to_its_certificate_and_only_they_are_private() -> None:
    for file in files():
        assert file.private == (b"PRIVATE KEY" in file.data) == file.path.endswith((".key", "key.pem"))
        if file.private:
            key = serialization.load_pem_private_key(file.data, None)
            path = file.path.replace("key.pem", "chain.pem").replace(".key", ".pem")
            assert certificates(path)[0].public_key() == key.public_key()


@pytest.mark.parametrize(
    ("kind", "begins", "ends"),
    [
        ("expired", timedelta(days=-LEAF_DAYS - 30), timedelta(days=-30)),
        ("not-yet-valid", timedelta(days=30), timedelta(days=LEAF_DAYS + 30)),
    ],
)
def test_leaves_outside_their_time(kind: str, begins: timedelta, ends: timedelta) -> None:
    for who in ("v2g/secc", "csms/station"):
        leaf = certificates(f"{who}-{kind}/chain.pem")[0]
        assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (NOW + begins, NOW + ends)


def test_the_revoked_leaf_is_on_a_list_of_its_issuer_and_the_good_one_is_not() -> None:
    for who, issuer_path in (("v2g/secc", "v2g/cpo-sub2.pem"), ("csms/station", "csms/root.pem")):
        crl = x509.load_pem_x509_crl(data(f"{who}-revoked/revoked.crl.pem"))
        (issuer,) = certificates(issuer_path)
        key = issuer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
        revoked, good = certificates(f"{who}-revoked/chain.pem")[0], certificates(f"{who}/chain.pem")[0]
        assert crl.get_revoked_certificate_by_serial_number(revoked.serial_number) is not None
        assert crl.get_revoked_certificate_by_serial_number(good.serial_number) is None


def verify_csms(path: str, at: datetime = NOW) -> None:
    builder = PolicyBuilder().store(Store(certificates("csms/root.pem"))).time(at)
    leaf, *others = certificates(path)
    if "server" in path:
        builder.build_server_verifier(x509.DNSName("localhost")).verify(leaf, others)
    else:
        builder.build_client_verifier().verify(leaf, others)


def test_the_csms_server_is_accepted_by_name_by_an_independent_verifier() -> None:
    verify_csms("csms/server/chain.pem")
    with pytest.raises(VerificationError):
        verify_csms("csms/server/chain.pem", NOW + timedelta(days=LEAF_DAYS + 1))


@pytest.mark.parametrize(
    ("path", "common_name", "purpose"),
    [
        ("csms/station/chain.pem", "000000", x509.ExtendedKeyUsageOID.CLIENT_AUTH),
        ("csms/station-wrong-purpose/chain.pem", "000000", x509.ExtendedKeyUsageOID.SERVER_AUTH),
        ("csms/server/chain.pem", "localhost", x509.ExtendedKeyUsageOID.SERVER_AUTH),
        ("v2g/secc-wrong-purpose/chain.pem", "DEVSESECC1", x509.ExtendedKeyUsageOID.CLIENT_AUTH),
    ],
)
def test_purposes(path: str, common_name: str, purpose: x509.ObjectIdentifier) -> None:
    leaf = certificates(path)[0]
    assert attribute(leaf, NameOID.COMMON_NAME) == common_name
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]


def test_names_can_be_chosen() -> None:
    made = {
        file.path: file.data
        for file in complete(
            Names(secc_id="NLABC1", serial_number="4711", csms_hosts=("csms.example",)), NOW, 1
        )
    }
    assert list(made) == [file.path for file in files()]  # the lay-out does not depend on names
    names = {
        path: attribute(x509.load_pem_x509_certificates(made[path])[0], NameOID.COMMON_NAME)
        for path in ("v2g/secc/chain.pem", "csms/station/chain.pem", "csms/server/chain.pem")
    }
    assert list(names.values()) == ["NLABC1", "4711", "csms.example"]


def shake_hands(pki: Path, station: str, server: str = "server") -> None:
    """Station and CSMS with security profile 3, without sockets; the error of whoever refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "csms" / server / "chain.pem", pki / "csms" / server / "key.pem")
    context.load_verify_locations(pki / "csms/root.pem")
    context.load_verify_locations(pki / "csms/station-revoked/revoked.crl.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    client = ssl.create_default_context(cafile=str(pki / "csms/root.pem"))
    client.load_cert_chain(pki / "csms" / station / "chain.pem", pki / "csms" / station / "key.pem")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname="127.0.0.1"),
        context.wrap_bio(up, down, server_side=True),
    ]
    for end in ends * 3:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert ends[1].getpeercert()


@pytest.mark.clause("OCPP201 A00 security profile 3")
def test_station_and_csms_accept_each_other(tmp_path: Path) -> None:
    shake_hands(folder(tmp_path), "station")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "expired"),
        ("not-yet-valid", "not yet valid"),
        ("revoked", "revoked"),
        ("wrong-purpose", "purpose"),
    ],
)
def test_the_csms_refuses_a_station(kind: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(folder(tmp_path), f"station-{kind}")
