"""A session with the public EVCC (PyPI package iso15118) on a real interface.

VSECC_ECOG_PYTHON names an interpreter that can import it; its codec needs Java.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from unit.host.v2g.namespaces import Net, inside, ip, net
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station.events import ChargeTargetRequested, V2gSessionStarted
from vsecc_host.station.values import Cause
from vsecc_sim.virtual_time import settle

__all__ = ["net"]

PEER = os.environ.get("VSECC_ECOG_PYTHON", "")
DIN = {"supportedProtocols": ["DIN_SPEC_70121"]}
ISO2 = {"supportedProtocols": ["ISO_15118_2"], "supportedEnergyServices": ["DC"]}
CONFIG: dict[str, Any] = {
    "energyTransferMode": "DC_extended",
    "useTls": False,
    "isCertInstallNeeded": False,
    "chargeLoopCycle": 10,
    "sdpRetryCycles": 1,
}

pytestmark = pytest.mark.skipif(
    not PEER or shutil.which("java") is None, reason="set VSECC_ECOG_PYTHON; needs Java"
)


async def evcc(namespace: str, folder: Path, speaks: dict[str, list[str]]) -> str:
    """Run the car to its end; its log."""
    config = folder / "evcc.json"
    config.write_text(json.dumps(CONFIG | speaks))
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace, "timeout", "90", PEER, "-m", "iso15118.evcc.main", str(config)),
        cwd=folder,
        env={
            **os.environ,
            "NETWORK_INTERFACE": "ev0",
            "LOG_LEVEL": "INFO",
            "MESSAGE_LOG_JSON": "False",
            "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m",
            "PYTHONHASHSEED": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log, _ = await process.communicate()
    return log.decode()


@pytest.mark.parametrize(
    ("speaks", "protocol", "says_at_its_end"),
    [(DIN, "din", "stopped successfully"), (ISO2, "iso2", "Communication session terminated")],
)
async def test_the_public_evcc_charges(
    net: Net, tmp_path: Path, speaks: dict[str, list[str]], protocol: str, says_at_its_end: str
) -> None:
    with inside(net.station):
        async with ScriptedStation(endpoint="iface://se0") as station:
            await settle(lambda: station.v2g.state_name == "listening", within_s=10)
            await settle(lambda: "tentative" not in ip("-n", net.car, "-6", "addr"), within_s=10)
            log = await evcc(net.car, tmp_path, speaks)
    assert says_at_its_end in log, log[-2000:]
    assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_FINISHED, True)]
    started = [event for event, _ in station.events if isinstance(event, V2gSessionStarted)]
    assert [event.protocol for event in started] == [protocol]
    targets = [event for event, _ in station.events if isinstance(event, ChargeTargetRequested)]
    assert len(targets) > CONFIG["chargeLoopCycle"] / 2
