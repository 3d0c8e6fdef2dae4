"""The EcoG EVCC (PyPI, own environment, Java) charges at the whole simulated station over a veth pair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vsecc_bench import ecog
from vsecc_bench.own_station import station_in_namespace
from vsecc_bench.peers import PeerUnavailable, need_java

VSECC = (sys.executable, "-m", "vsecc_cli.main")
LOOPS = 10  # chargeLoopCycle; the car ends its loop by its own count of them

pytestmark = pytest.mark.skipif(
    not os.environ.get("VSECC_INTEROP"), reason="interop tests download peers: set VSECC_INTEROP=1"
)


@pytest.fixture(scope="module")
def peer() -> Path:
    try:
        need_java()
        return ecog.installed(print)
    except PeerUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def pair() -> Iterator[ecog.VethPair]:
    try:
        with ecog.veth_pair() as made:
            yield made
    except PeerUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_a_session_without_tls_ends_normally(peer: Path, pair: ecog.VethPair, protocol: str) -> None:
    with station_in_namespace(pair):
        run = ecog.run_evcc(peer, pair, LOOPS, protocol=protocol)
    assert run.finished, run.log[-3000:]
    assert len(run.answers_ms["CurrentDemandRes"]) > LOOPS // 2
    assert len(run.answers_ms["SessionStopRes"]) == 1


def test_a_session_over_tls_ends_normally(peer: Path, pair: ecog.VethPair, tmp_path: Path) -> None:
    subprocess.run([*VSECC, "pki", "--out", str(tmp_path / "pki")], check=True, capture_output=True)
    secc = tmp_path / "pki" / "v2g" / "secc"
    factory = tmp_path / "factory.json"
    entries = [
        ("TlsPolicy", "require"),
        ("TlsCertificateChain", secc / "chain.pem"),
        ("TlsPrivateKey", secc / "key.pem"),
    ]
    factory.write_text(
        json.dumps(
            [{"component": "ISO15118Ctrlr", "variable": name, "value": str(value)} for name, value in entries]
        )
    )
    with station_in_namespace(pair, "--factory", str(factory)):
        root = tmp_path / "pki" / "v2g" / "root.pem"
        run = ecog.run_evcc(peer, pair, LOOPS, protocol="iso2", v2g_root=root)
    assert run.finished, run.log[-3000:]
    assert len(run.answers_ms["CurrentDemandRes"]) > LOOPS // 2
    assert len(run.answers_ms["SessionStopRes"]) == 1
