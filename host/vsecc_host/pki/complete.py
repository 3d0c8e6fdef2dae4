"""A complete test PKI as files by name: good identities and those a peer has to refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vsecc_host.pki import profiles
from vsecc_host.pki.certificate import Identity, Profile, Validity, issue, revocation_list

CHAIN, KEY = "chain.pem", "key.pem"  # in the folder of every leaf

# Annex F: the root lives 40 years, authority 1 four, authority 2 at most two.
_ROOT, _SUB_1, _SUB_2 = timedelta(days=40 * 365), timedelta(days=4 * 365), timedelta(days=2 * 365)
_CLOCK_SKEW = timedelta(hours=1)  # a peer whose clock is a little behind shall not refuse
_LONG_AGO = timedelta(days=400)  # authorities began before the expired leaves ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Who the leaves are made for; `csms_hosts[0]` becomes the common name."""

    secc_id: str = "DEVSESECC1"
    serial_number: str = "000000"
    csms_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiFile:
    """One file: `path` below the PKI's folder, what it is for, whether only the owner may read it."""

    path: str
    data: bytes
    meaning: str
    private: bool = False


def complete(names: Names, now: datetime, leaf_days: int) -> list[PkiFile]:
    """Both hierarchies, always in the same lay-out; keys are new each time."""
    return [*_v2g(names, now, leaf_days), *_csms(names, now, leaf_days)]


def _v2g(names: Names, now: datetime, leaf_days: int) -> Iterator[PkiFile]:
    begin = now - _LONG_AGO
    root = issue(profiles.v2g_root(), Validity(begin=begin, end=now + _ROOT))
    sub_1 = issue(profiles.cpo_sub_ca(1), Validity(begin=begin, end=now + _SUB_1), root)
    sub_2 = issue(profiles.cpo_sub_ca(2), Validity(begin=begin, end=now + _SUB_2), sub_1)
    yield from _authority("v2g/root", root, "V2G root: what cars trust")
    yield from _authority("v2g/cpo-sub1", sub_1, "operator's authority 1")
    yield from _authority("v2g/cpo-sub2", sub_2, "operator's authority 2, issues the leaves")
    yield from _leaves(
        "v2g/secc", profiles.secc(names.secc_id), [sub_2, sub_1], now, leaf_days, "station towards cars"
    )
    wrong = issue(profiles.secc_of_wrong_purpose(names.secc_id), _current(now, leaf_days), sub_2)
    yield from _leaf("v2g/secc-wrong-purpose", wrong, [sub_2, sub_1], "for TLS clients only")


def _csms(names: Names, now: datetime, leaf_days: int) -> Iterator[PkiFile]:
    root = issue(profiles.csms_root(), Validity(begin=now - _LONG_AGO, end=now + _ROOT))
    yield from _authority("csms/root", root, "CSMS root: what station and CSMS trust")
    server = issue(profiles.csms_server(names.csms_hosts), _current(now, leaf_days), root)
    yield from _leaf("csms/server", server, [], "CSMS towards stations")
    client = profiles.station_client(names.serial_number)
    yield from _leaves("csms/station", client, [root], now, leaf_days, "station towards the CSMS")
    wrong = issue(profiles.station_of_wrong_purpose(names.serial_number), _current(now, leaf_days), root)
    yield from _leaf("csms/station-wrong-purpose", wrong, [], "for TLS servers only")


def _leaves(
    path: str, profile: Profile, issuers: Sequence[Identity], now: datetime, leaf_days: int, meaning: str
) -> Iterator[PkiFile]:
    """The good leaf, the ones outside their time, and the revoked one with the list that says so."""
    issuer = issuers[0]
    intermediates = [] if len(issuers) == 1 else issuers
    past = Validity(begin=now - timedelta(days=leaf_days + 30), end=now - timedelta(days=30))
    future = Validity(begin=now + timedelta(days=30), end=now + timedelta(days=leaf_days + 30))
    yield from _leaf(path, issue(profile, _current(now, leaf_days), issuer), intermediates, meaning)
    yield from _leaf(f"{path}-expired", issue(profile, past, issuer), intermediates, "ended 30 days ago")
    yield from _leaf(
        f"{path}-not-yet-valid", issue(profile, future, issuer), intermediates, "begins in 30 days"
    )
    revoked = issue(profile, _current(now, leaf_days), issuer)
    yield from _leaf(f"{path}-revoked", revoked, intermediates, "listed in revoked.crl.pem")
    crl = revocation_list(issuer, [revoked], now, timedelta(days=leaf_days))
    yield PkiFile(path=f"{path}-revoked/revoked.crl.pem", data=crl, meaning="revocation list of the issuer")


def _current(now: datetime, leaf_days: int) -> Validity:
    return Validity(begin=now - _CLOCK_SKEW, end=now + timedelta(days=leaf_days))


def _authority(path: str, authority: Identity, meaning: str) -> Iterator[PkiFile]:
    yield PkiFile(path=f"{path}.pem", data=authority.certificate_pem, meaning=meaning)
    yield PkiFile(path=f"{path}.key", data=authority.key_pem, meaning="its private key", private=True)


def _leaf(path: str, leaf: Identity, intermediates: Sequence[Identity], meaning: str) -> Iterator[PkiFile]:
    chain = b"".join(identity.certificate_pem for identity in [leaf, *intermediates])
    yield PkiFile(path=f"{path}/{CHAIN}", data=chain, meaning=meaning)
    yield PkiFile(path=f"{path}/{KEY}", data=leaf.key_pem, meaning="its private key", private=True)
