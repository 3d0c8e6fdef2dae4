"""An ISO 15118-2 session over TLS with the public EVCC (PyPI package iso15118) on a real interface.

VSECC_ECOG_PYTHON names an interpreter that can import it; its codec needs Java.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from unit.host.pki import made
from unit.host.v2g.namespaces import Net, inside, ip, net
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station import events as e
from vsecc_host.station.values import Cause
from vsecc_host.v2g.config import TlsConfig, TlsPolicy, V2gConfig
from vsecc_host.v2g.service import V2gService
from vsecc_sim.virtual_time import settle

__all__ = ["net"]

PEER = os.environ.get("VSECC_ECOG_PYTHON", "")
CONFIG = {
    "supportedProtocols": ["ISO_15118_2"],
    "supportedEnergyServices": ["DC"],
    "energyTransferMode": "DC_extended",
    "useTls": True,
    "isCertInstallNeeded": False,
    "chargeLoopCycle": 10,
    "sdpRetryCycles": 1,
}

pytestmark = pytest.mark.skipif(
    not PEER or shutil.which("java") is None, reason="set VSECC_ECOG_PYTHON; needs Java"
)


def peer_pki(folder: Path) -> str:
    """The V2G root where that package looks for it; with the trailing slash it wants."""
    certificates = folder / "iso15118_2" / "certs"
    certificates.mkdir(parents=True)
    (certificates / "v2gRootCACert.pem").write_bytes(made.data("v2g/root.pem"))
    return f"{folder}/"


async def evcc(namespace: str, folder: Path) -> str:
    """Run the car to its end; its log."""
    config = folder / "evcc.json"
    config.write_text(json.dumps(CONFIG))
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace, "timeout", "90", PEER, "-m", "iso15118.evcc.main", str(config)),
        cwd=folder,
        env={
            **os.environ,
            "NETWORK_INTERFACE": "ev0",
            "LOG_LEVEL": "INFO",
            "MESSAGE_LOG_JSON": "False",
            "PKI_PATH": peer_pki(folder / "peer"),
            "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m",
            "PYTHONHASHSEED": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log, _ = await process.communicate()
    return log.decode()


@pytest.mark.parametrize("policy", [TlsPolicy.OFFER, TlsPolicy.REQUIRE])
async def test_the_public_evcc_charges_over_tls(
    net: Net, tmp_path: Path, policy: TlsPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="vsecc_host.v2g")
    secc = made.folder(tmp_path) / "v2g" / "secc"
    config = V2gConfig(
        endpoint="iface://se0",
        protocols=("din", "iso2"),
        tls=TlsConfig(policy=policy, chain=secc / "chain.pem", key=secc / "key.pem"),
    )
    with inside(net.station):
        station = ScriptedStation()
        station.v2g = V2gService(evse_id=1, trace=station.trace, on_event=station._on_event, config=config)
        async with station:
            await settle(lambda: station.v2g.state_name == "listening", within_s=10)
            await settle(lambda: "tentative" not in ip("-n", net.car, "-6", "addr"), within_s=10)
            log = await evcc(net.car, tmp_path)
    assert "EVSE 1: TLSv1.2 ECDHE-ECDSA-AES128-SHA256" in caplog.text
    started = [event for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]
    assert [event.protocol for event in started] == ["iso2"], log[-2000:]
    assert len(started[0].evcc_id) == 12 and started[0].evcc_id == started[0].evcc_id.upper()
    assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_FINISHED, True)], log[-2000:]
