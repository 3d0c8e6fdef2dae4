"""From a profile to a signed certificate; no file and no clock, validity is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a certificate says about its holder; `path_length` and CA rights only for authorities."""

    common_name: str
    organization: str = "vsecc test"
    domain_component: str = ""
    authority: bool = False
    path_length: int | None = None
    usages: frozenset[str]
    purposes: tuple[ObjectIdentifier, ...] = ()  # extended key usage; none: any purpose
    hosts: tuple[str, ...] = ()  # DNS names and IP addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From `begin` to `end`, with time zone."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate with the private key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key in PEM, PKCS #8, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issue(profile: Profile, validity: Validity, issuer: Identity | None = None) -> Identity:
    """A new key on secp256r1 and its certificate, signed with SHA-256 by `issuer`, by itself without one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(profile)
    signer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.begin)
        .not_valid_after(validity.end)
    )
    for extension, critical in _extensions(profile, key, signer_key):
        builder = builder.add_extension(extension, critical)
    return Identity(certificate=builder.sign(signer_key, hashes.SHA256()), key=key)


def revocation_list(issuer: Identity, revoked: Sequence[Identity], at: datetime, valid: timedelta) -> bytes:
    """The issuer's revocation list in PEM."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at)
        .next_update(at + valid)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(_issuer_key_id(issuer.key), critical=False)
    )
    for identity in revoked:
        entry = x509.RevokedCertificateBuilder(identity.certificate.serial_number, at)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(profile: Profile) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COMMON_NAME, profile.common_name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, profile.organization),
    ]
    if profile.domain_component:
        parts.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, profile.domain_component))
    return x509.Name(parts)


def _extensions(
    profile: Profile, key: ec.EllipticCurvePrivateKey, signer_key: ec.EllipticCurvePrivateKey
) -> list[tuple[x509.ExtensionType, bool]]:
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=profile.authority, path_length=profile.path_length), True),
        (x509.KeyUsage(**{usage: usage in profile.usages for usage in _USAGES}), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    if signer_key is not key:
        extensions.append((_issuer_key_id(signer_key), False))
    if profile.purposes:
        extensions.append((x509.ExtendedKeyUsage(profile.purposes), False))
    if profile.hosts:
        extensions.append((x509.SubjectAlternativeName([_host(host) for host in profile.hosts]), False))
    return extensions


def _issuer_key_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
