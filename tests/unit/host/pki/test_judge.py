"""What is wrong with a chain is said by name, before any car sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from unit.host.pki.made import LEAF_DAYS, NOW, data

from vsecc_host.pki.certificate import Profile, Validity, issue
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


@pytest.mark.parametrize(
    ("chain_pem", "key_pem", "problem"),
    [
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


def test_a_leaf_without_domain_component_is_usable_with_a_hint() -> None:
    profile = Profile(common_name="X", usages=frozenset({"digital_signature"}))
    made = issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)))
    assert "domain component CPO" in read_server_chain(made.certificate_pem, made.key_pem).hint


def test_a_leaf_that_may_not_sign() -> None:
    profile = Profile(common_name="X", usages=frozenset({"key_agreement"}))
    made = issue(profile, Validity(begin=NOW, end=NOW + timedelta(days=1)))
    with pytest.raises(CertificateProblem, match="may not sign"):
        read_server_chain(made.certificate_pem, made.key_pem)
