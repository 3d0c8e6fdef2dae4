"""Certificate profiles: ISO 15118-2 annex F for the car's side, OCPP 2.0.1 A00 for the CSMS's side."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.x509.oid import ExtendedKeyUsageOID

from vsecc_host.pki.certificate import Profile

_AUTHORITY = frozenset({"key_cert_sign", "crl_sign"})
_V2G_LEAF = frozenset({"digital_signature", "key_agreement"})
_TLS_LEAF = frozenset({"digital_signature"})


def v2g_root() -> Profile:
    """Trust anchor of cars."""
    return Profile(common_name="V2GRootCA", domain_component="V2G", authority=True, usages=_AUTHORITY)


def cpo_sub_ca(number: int) -> Profile:
    """Operator's authority 1 (below the root, one more may follow) or 2 (issues leaves only)."""
    return Profile(
        common_name=f"CPOSubCA{number}",
        domain_component="V2G",
        authority=True,
        path_length=2 - number,
        usages=_AUTHORITY,
    )


def secc(secc_id: str) -> Profile:
    """Leaf of a station; annex F names no extended key usage, so any purpose is allowed."""
    return Profile(common_name=secc_id, domain_component="CPO", usages=_V2G_LEAF)


def secc_of_wrong_purpose(secc_id: str) -> Profile:
    """As `secc`, but for TLS clients only: every TLS library refuses it as a server."""
    return Profile(
        common_name=secc_id,
        domain_component="CPO",
        usages=_V2G_LEAF,
        purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,),
    )


def csms_root() -> Profile:
    """Trust anchor of the station for its CSMS, and of the CSMS for its stations."""
    return Profile(common_name="CSMSRootCA", authority=True, path_length=0, usages=_AUTHORITY)


def csms_server(hosts: Sequence[str]) -> Profile:
    """The CSMS; the common name is the host name as well (OCPP 2.0.1 A00.FR.412)."""
    return Profile(
        common_name=hosts[0],
        usages=_TLS_LEAF,
        purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
        hosts=tuple(hosts),
    )


def station_client(serial_number: str) -> Profile:
    """The station at its CSMS, security profile 3: the common name is its serial number."""
    return Profile(common_name=serial_number, usages=_TLS_LEAF, purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,))


def station_of_wrong_purpose(serial_number: str) -> Profile:
    """As `station_client`, but for TLS servers only."""
    return Profile(common_name=serial_number, usages=_TLS_LEAF, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))
