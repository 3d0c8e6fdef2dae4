"""Would a car accept what we are about to present? What can be known without the car, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_E = TypeVar("_E", bound=x509.ExtensionType)

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_CPO = "CPO"  # domain component of a station's leaf, annex F
# The library reads a certificate's parts when they are asked for, and raises these then.
_UNREADABLE = (
    ValueError,
    TypeError,  # a name in a string type that does not belong there
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class CertificateProblem(ValueError):
    """Why a certificate chain cannot be used; one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain in order, leaf first, that fits together and belongs to its key."""

    certificates: tuple[x509.Certificate, ...]
    unread: tuple[str, ...] = ()  # what was wrong with revocation lists that could not be followed

    @property
    def subject(self) -> str:
        """Common name of the leaf."""
        return _common_name(self.certificates[0])

    @property
    def valid_until(self) -> datetime:
        """When the first certificate of the chain ends."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def hint(self) -> str:
        """What a strict car may dislike although TLS accepts it; usually empty."""
        return "; ".join(filter(None, (self._strict(), *self.unread)))

    def _strict(self) -> str:
        components = self.certificates[0].subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)
        if any(component.value == _CPO for component in components):
            return ""
        return f"certificate {self.subject} has no domain component {_CPO}: some cars refuse it"

    def problem_at(self, now: datetime) -> str:
        """Which certificate is outside its time; empty when none is."""
        for certificate in self.certificates:
            name = _common_name(certificate)
            if now > certificate.not_valid_after_utc:
                return f"certificate {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            if now < certificate.not_valid_before_utc:
                begin = certificate.not_valid_before_utc
                return f"certificate {name} is not valid before {begin:%Y-%m-%d %H:%M} UTC"
        return ""


def read_server_chain(
    chain_pem: bytes, key_pem: bytes, revocation_lists: Mapping[str, bytes] | None = None
) -> Chain:
    """The chain of a TLS server for ISO 15118-2; CertificateProblem says what is wrong with it.

    `revocation_lists`: PEM by name; one that cannot be followed is no reason to refuse, see `Chain.hint`.
    """
    try:
        certificates = _certificates(chain_pem)
        leaf = certificates[0]
        _check_key(leaf, _public_key(key_pem))
        _check_purpose(leaf)
        for certificate, issuer in pairwise(certificates):
            _check_issued(certificate, issuer)
        unread = tuple(
            filter(None, (_check_revoked(certificates, *one) for one in (revocation_lists or {}).items()))
        )
        return Chain(certificates=certificates, unread=unread)
    except CertificateProblem:
        raise
    except _UNREADABLE as error:
        raise CertificateProblem(f"the certificates hold what nobody can read: {error}") from error


def _public_key(key_pem: bytes) -> object:
    try:
        return serialization.load_pem_private_key(key_pem, password=None).public_key()
    except TypeError:
        raise CertificateProblem("the private key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem("the private key is no PEM private key") from None


def _certificates(chain_pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        certificates = tuple(x509.load_pem_x509_certificates(chain_pem))
    except ValueError:
        raise CertificateProblem("the certificate chain is no PEM certificate") from None
    if len(certificates) != chain_pem.count(_BEGIN):  # the loader passes over a block that is cut short
        raise CertificateProblem("the certificate chain is cut short")
    for certificate in certificates:  # what `Chain` shows later can be read
        _common_name(certificate)
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificates


def _check_key(leaf: x509.Certificate, public_key: object) -> None:
    name = _common_name(leaf)
    own = leaf.public_key()
    if not isinstance(own, ec.EllipticCurvePublicKey) or not isinstance(own.curve, ec.SECP256R1):
        raise CertificateProblem(f"certificate {name} has no key on secp256r1")
    if public_key != own:
        raise CertificateProblem(f"the private key does not belong to certificate {name}")


def _check_purpose(leaf: x509.Certificate) -> None:
    name = _common_name(leaf)
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CertificateProblem(f"certificate {name} is an authority, no leaf (leaf first in the chain)")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise CertificateProblem(f"certificate {name} is of the wrong purpose: it may not sign")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is not None and not {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    } & set(purposes):
        raise CertificateProblem(f"certificate {name} is of the wrong purpose: not for TLS servers")


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise CertificateProblem(
            f"certificate {_common_name(certificate)} was not issued by the next one, {_common_name(issuer)}"
        ) from None


def _check_revoked(chain: tuple[x509.Certificate, ...], name: str, pem: bytes) -> str:
    """CertificateProblem if the list names one of the chain; else why it says nothing about it, or nothing.

    A list that is past its time still counts: what was revoked stays revoked.
    """
    try:
        revocations = x509.load_pem_x509_crl(pem)
    except ValueError:
        return f"revocation list {name} is no PEM revocation list"
    issued = [certificate for certificate, issuer in pairwise(chain) if _signed(revocations, issuer)]
    for certificate in issued:
        entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            raise CertificateProblem(
                f"certificate {_common_name(certificate)} was revoked on {entry.revocation_date_utc:%Y-%m-%d}"
            )
    return "" if issued else f"revocation list {name} is of no authority in the chain"


def _signed(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return (
        revocations.issuer == issuer.subject
        and isinstance(key, ec.EllipticCurvePublicKey)
        and revocations.is_signature_valid(key)
    )


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
