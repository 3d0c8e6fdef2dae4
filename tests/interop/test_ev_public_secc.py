"""Sessions of the simulated car at a public SECC (PyPI package iso15118) on a real interface.

VSECC_ECOG_PYTHON names an interpreter that can import it; its codec needs Java.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from unit.host.pki import made
from unit.host.v2g.namespaces import Net, inside, ip, net

from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.result import Progress
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd, EvPhase
from vsecc_sim.virtual_time import settle

__all__ = ["net"]

PEER = os.environ.get("VSECC_ECOG_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PEER or shutil.which("java") is None, reason="set VSECC_ECOG_PYTHON; needs Java"
)

# That SECC reports 1 V and 1 A throughout; its codec on a busy machine is slower than the standard allows.
CHANGES = {
    "checks": {"trust": "reported", "pre_charge_tolerance_v": 1000.0, "needs_ready": False},
    "patience": {"message_s": 10.0, "current_demand_s": 5.0, "setup_s": 60.0},
    "discovery": {"attempts": 200},
}
SPOKEN = {"din": "DIN_SPEC_70121", "iso2": "ISO_15118_2"}
LOOPS = 10


def peer_pki(folder: Path) -> str:
    """Our test certificates where that package looks for them; with the trailing slash it wants."""
    certificates, keys = folder / "iso15118_2" / "certs", folder / "iso15118_2" / "private_keys"
    certificates.mkdir(parents=True)
    keys.mkdir()
    (certificates / "cpoCertChain.pem").write_bytes(made.data("v2g/secc/chain.pem"))
    (keys / "seccLeaf.key").write_bytes(made.data("v2g/secc/key.pem"))
    (keys / "seccLeafPassword.txt").write_text("unused")
    return f"{folder}/"


@asynccontextmanager
async def secc(namespace: str, folder: Path, protocol: str) -> AsyncIterator[Path]:
    """The package's SECC on se0; its log."""
    log = folder / "secc.log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", namespace, PEER, "-m", "iso15118.secc.main"),
            cwd=folder,
            env={
                **os.environ,
                "NETWORK_INTERFACE": "se0",
                "PROTOCOLS": SPOKEN[protocol],
                "AUTH_MODES": "EIM",
                "PKI_PATH": peer_pki(folder / "pki"),
                "LOG_LEVEL": "INFO",
                "MESSAGE_LOG_JSON": "False",
                "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m",
                "PYTHONHASHSEED": "0",
            },
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log
    finally:
        process.kill()
        await process.wait()


class Loops:
    """Calls a verb of the car after some rounds of charging."""

    def __init__(self) -> None:
        self.verbs: dict[int, Any] = {}
        self.count = 0

    def __call__(self, progress: Progress) -> None:
        """A round, or another phase."""
        self.count += progress.phase is EvPhase.CHARGING
        verb = self.verbs.pop(self.count, None)
        if verb is not None:
            verb()


def new_car(profile: str, loops: Loops, **more: Any) -> EvSimulator:
    """A car on ev0 that bears this SECC."""
    changed = load_profile(profile, CHANGES)
    return EvSimulator(changed, sdp="iface://ev0", on_progress=loops, **more)


@pytest.mark.parametrize(
    ("profile", "protocol", "tls"),
    [("default", "din", False), ("iso2", "iso2", False), ("iso2-tls", "iso2", True)],
)
async def test_cars_charge_at_the_public_secc(
    net: Net, tmp_path: Path, profile: str, protocol: str, tls: bool
) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(made.data("v2g/root.pem"))
    with inside(net.car):
        await settle(lambda: "tentative" not in ip("-n", net.station, "-6", "addr"), within_s=10)
        await settle(lambda: "tentative" not in ip("-n", net.car, "-6", "addr"), within_s=10)
        async with secc(net.station, tmp_path, protocol) as log:
            loops = Loops()
            car = new_car(profile, loops, v2g_root=root)
            loops.verbs[LOOPS] = car.request_stop
            result = await asyncio.wait_for(car.run(), 120.0)
    told = log.read_text(errors="replace")[-2000:]
    assert (result.end, result.errors) == (EvEnd.STOPPED_BY_DRIVER, ()), told
    assert (result.protocol, result.tls) == (protocol, tls)
    assert len(result.answers["CurrentDemandRes"]) >= LOOPS
    assert "requested to terminate the communication session" in told or protocol == "din"


async def test_a_session_paused_at_the_public_secc_goes_on(net: Net, tmp_path: Path) -> None:
    with inside(net.car):
        async with secc(net.station, tmp_path, "iso2") as log:
            loops = Loops()
            car = new_car("iso2", loops)
            loops.verbs = {LOOPS: car.pause, 2 * LOOPS + 10: car.request_stop}
            task = asyncio.create_task(car.run())
            await settle(lambda: car.paused or task.done(), within_s=100.0)
            car.resume()
            result = await asyncio.wait_for(task, 60.0)
    told = log.read_text(errors="replace")[-2000:]
    assert (result.end, result.errors, result.rounds) == (EvEnd.STOPPED_BY_DRIVER, (), 2), told
