"""Certificate chain, private key and revocation lists of a TLS server, as files hand them to us.

The bytes count as each of the three beside good ones; only CertificateProblem escapes, in one line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from unit.host.pki.made import data as made
from unit.host.pki.made import files

from vsecc_host.pki.judge import CertificateProblem, read_server_chain

MAX_LEN = 8192
NOW = datetime.now(UTC)
CHAIN = made("v2g/secc/chain.pem")
KEY = made("v2g/secc/key.pem")


def seeds() -> Iterator[bytes]:
    """Every file of a test PKI."""
    for file in files():
        yield file.data


def one_input(data: bytes) -> None:
    """In every role."""
    for chain, key, lists in (
        (data, KEY, {}),
        (CHAIN, data, {}),
        (CHAIN, KEY, {"a list": data}),
        (CHAIN + data, KEY, {}),
    ):
        with contextlib.suppress(CertificateProblem):
            judged = read_server_chain(chain, key, lists)
            assert "\n" not in judged.problem_at(NOW) + judged.hint + judged.subject
