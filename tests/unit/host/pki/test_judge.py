"""What is wrong with a chain is said by name, before any car sees it."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from unit.host.pki.made import LEAF_DAYS, NOW, data

from vsecc_host.pki.certificate import Identity, Profile, Validity, issue, revocation_list
from vsecc_host.pki.judge import CertificateProblem, read_server_chain


def chain(kind: str) -> tuple[bytes, bytes]:
    return data(f"v2g/{kind}/chain.pem"), data(f"v2g/{kind}/key.pem")


def test_the_good_chain() -> None:
    read = read_server_chain(*chain("secc"))
    assert read.subject == "DEVSESECC1" and read.hint == ""
    assert len(read.certificates) == 3
    assert read.problem_at(NOW) == ""
    assert read.valid_until == NOW + timedelta(days=LEAF_DAYS)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("secc-expired", "DEVSESECC1 expired on "), ("secc-not-yet-valid", "DEVSESECC1 is not valid before ")],
)
def test_time(kind: str, problem: str) -> None:
    assert problem in read_server_chain(*chain(kind)).problem_at(NOW)


def test_an_authority_that_expired_is_named() -> None:
    read = read_server_chain(*chain("secc"))
    leaf, *_ = read.certificates
    late = NOW + timedelta(days=3 * 365)
    assert leaf.not_valid_after_utc < late
    only_sub_1 = type(read)(certificates=read.certificates[1:])
    assert "CPOSubCA2 expired" in only_sub_1.problem_at(late)


GOOD_CHAIN, GOOD_KEY = chain("secc")
_BLOCKS = [
    block + b"-----END CERTIFICATE-----\n" for block in GOOD_CHAIN.split(b"-----END CERTIFICATE-----\n")
]
_ENCRYPTED = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"secret"),
)


def pem(kind: str, der: bytes) -> bytes:
    """DER as a PEM block."""
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n".encode()


def der(block: bytes) -> bytes:
    """The content of one PEM block."""
    return base64.b64decode(b"".join(block.splitlines()[1:-1]))


_EC_KEY, _UNKNOWN_KEY = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")
ODD_KEY = pem("PRIVATE KEY", der(GOOD_KEY).replace(_EC_KEY, _UNKNOWN_KEY))
ODD_LEAF = pem("CERTIFICATE", der(_BLOCKS[0]).replace(_EC_KEY, _UNKNOWN_KEY))
NAMED_IN_BITS = pem("CERTIFICATE", der(_BLOCKS[0]).replace(b"\x0c\x0aDEVSESECC1", b"\x03\x0aDEVSESECC1"))


@pytest.mark.parametrize(
    ("chain_pem", "key_pem", "problem"),
    [
        (GOOD_CHAIN, ODD_KEY, "no PEM private key"),
        (ODD_LEAF, GOOD_KEY, "nobody can read"),
        (NAMED_IN_BITS, GOOD_KEY, "nobody can read"),
        (b"", GOOD_KEY, "no PEM certificate"),
        (b"\xff\x00", GOOD_KEY, "no PEM certificate"),
        (GOOD_CHAIN[:-80], GOOD_KEY, "cut short"),
        (GOOD_CHAIN, b"", "no PEM private key"),
        (GOOD_CHAIN, GOOD_CHAIN, "no PEM private key"),
        (GOOD_CHAIN, _ENCRYPTED, "encrypted"),
        (GOOD_CHAIN, data("v2g/secc-expired/key.pem"), "does not belong to certificate DEVSESECC1"),
        (*chain("secc-wrong-purpose"), "DEVSESECC1 is of the wrong purpose: not for TLS servers"),
        (data("v2g/cpo-sub2.pem"), data("v2g/cpo-sub2.key"), "CPOSubCA2 is an authority"),
        (_BLOCKS[0] + _BLOCKS[2], GOOD_KEY, "DEVSESECC1 was not issued by the next one, CPOSubCA1"),
    ],
)
def test_what_is_wrong_is_said(chain_pem: bytes, key_pem: bytes, problem: str) -> None:
    with pytest.raises(CertificateProblem, match=problem) as raised:
        read_server_chain(chain_pem, key_pem)
    assert "\n" not in str(raised.value)


REVOKED = chain("secc-revoked")
REVOKED_LIST = data("v2g/secc-revoked/revoked.crl.pem")


def test_a_revoked_leaf_is_refused_by_name() -> None:
    assert read_server_chain(*REVOKED).problem_at(NOW) == ""  # nobody knows
    with pytest.raises(CertificateProblem, match=f"certificate DEVSESECC1 was revoked on {NOW:%Y-%m-%d}"):
        read_server_chain(*REVOKED, {"a.crl.pem": REVOKED_LIST})


def test_a_revoked_authority_is_refused_too() -> None:
    def made(name: str, issuer: Identity | None, length: int | None) -> Identity:
        usages = frozenset({"key_cert_sign", "crl_sign"} if length is not None else {"digital_signature"})
        authority = length is not None
        profile = Profile(common_name=name, authority=authority, usages=usages, path_length=length)
        return issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)), issuer)

    sub_1 = made("Sub1", None, 1)
    sub_2 = made("Sub2", sub_1, 0)
    leaf = made("Leaf", sub_2, None)
    told = revocation_list(sub_1, [sub_2], NOW, timedelta(days=1))
    pem = b"".join(one.certificate_pem for one in (leaf, sub_2, sub_1))
    with pytest.raises(CertificateProblem, match="certificate Sub2 was revoked on"):
        read_server_chain(pem, leaf.key_pem, {"a": told})


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        (REVOKED_LIST, ""),  # it names another leaf of the same authority
        (data("csms/station-revoked/revoked.crl.pem"), "revocation list a.crl.pem is of no authority in the"),
        (b"", "revocation list a.crl.pem is no PEM revocation list"),
        (REVOKED_LIST[:200], "revocation list a.crl.pem is no PEM revocation list"),
        (GOOD_CHAIN, "revocation list a.crl.pem is no PEM revocation list"),
    ],
)
def test_a_list_that_says_nothing_about_us_is_no_reason_to_refuse(told: bytes, hint: str) -> None:
    read = read_server_chain(GOOD_CHAIN, GOOD_KEY, {"a.crl.pem": told})
    assert read.problem_at(NOW) == ""
    assert read.hint.startswith(hint) and bool(read.hint) == bool(hint)


def test_a_list_somebody_else_signed_in_our_issuers_name_does_not_count() -> None:
    issuer, impostor = (
        issue(
            Profile(
                common_name="CA",
                authority=True,
                usages=frozenset({"key_cert_sign", "crl_sign"}),
                path_length=0,
            ),
            Validity(begin=NOW, end=NOW + timedelta(days=1)),
        )
        for _ in range(2)
    )
    profile = Profile(common_name="X", usages=frozenset({"digital_signature"}))
    leaf = issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)), issuer)
    forged = revocation_list(impostor, [leaf], NOW, timedelta(days=1))
    pem = leaf.certificate_pem + issuer.certificate_pem
    assert "of no authority" in read_server_chain(pem, leaf.key_pem, {"a": forged}).hint


def test_a_leaf_without_domain_component_is_usable_with_a_hint() -> None:
    profile = Profile(common_name="X", usages=frozenset({"digital_signature"}))
    made = issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)))
    assert "domain component CPO" in read_server_chain(made.certificate_pem, made.key_pem).hint


def test_a_leaf_that_may_not_sign() -> None:
    profile = Profile(common_name="X", usages=frozenset({"key_agreement"}))
    made = issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)))
    with pytest.raises(CertificateProblem, match="may not sign"):
        read_server_chain(made.certificate_pem, made.key_pem)
