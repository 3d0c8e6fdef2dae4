"""Network keys: the membership key of an outlet's powerline network and the id derived from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

NMK_SIZE = 16
NID_SIZE = 7
_HASH_ROUNDS = 5

Randomness = Callable[[int], bytes]


def nid_of(nmk: bytes) -> bytes:
    """Network id of a key, HomePlug AV 1.1 4.4.3.1; security level 0 in the high nibble."""
    digest = nmk
    for _ in range(_HASH_ROUNDS):
        digest = sha256(digest).digest()
    return digest[: NID_SIZE - 1] + bytes([digest[NID_SIZE - 1] >> 4])


@dataclass(frozen=True, slots=True)
class NetworkKey:
    """A key with its id; printing it shows the id alone."""

    nmk: bytes = field(repr=False)
    nid: bytes


def new_key(randomness: Randomness) -> NetworkKey:
    """A fresh key for one session."""
    nmk = randomness(NMK_SIZE)
    return NetworkKey(nmk, nid_of(nmk))
