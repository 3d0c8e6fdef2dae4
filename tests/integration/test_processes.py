"""Real processes on the real clock: the commands as a user runs them, killed where it hurts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from vsecc_host.station.values import Cause, Phase
from vsecc_sim.ev.profiles import profile_names
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.station import report
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.outlet import EmulatedPilot
from vsecc_sim.station.station import SimulatedStation

VSECC = (sys.executable, "-m", "vsecc_cli.main")
UP_S = 20.0
GRANT_LIFE_US = 500_000  # rule S3
CONTACT_US = 20_000  # the contact needs its time to move; the drive stops within the grant's life


async def until(condition, within_s: float = 60.0) -> None:
    """Poll on the real clock; TimeoutError when it does not come true."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("profile", profile_names())
def test_demo_once_json(profile: str) -> None:
    done = subprocess.run(
        [*VSECC, "demo", "--once", "--json", "--profile", profile],
        capture_output=True,
        text=True,
        timeout=180,
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert summary["goal"] and summary["end"] == "charged" and summary["errors"] == []
    assert summary["profile"] == profile and summary["protocol"] == "din"
    assert summary["answers"]["count"] > 50
    assert summary["relay"][0]["closed_s"] > 3.0
    assert set(summary["mcu"]) == {"interpreter", "version", "arch"}


@asynccontextmanager
async def host_process(
    mcu: McuEmulator, folder: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`vsecc run` with one outlet; yields the process and the SDP URL of EVSE 1."""
    config = folder / "vsecc.toml"
    config.write_text(f'[Mcu]\nUrl = "{mcu.url}"\n')
    process = await asyncio.create_subprocess_exec(
        *VSECC, "run", "--config", str(config), "--evses", "1", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(UP_S):
            line = (await process.stdout.readline()).decode()
        yield process, f"sdp://{line.split()[-1]}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_s3_killing_the_host_while_charging_opens_the_relay(tmp_path: Path) -> None:
    async with McuEmulator() as mcu, host_process(mcu, tmp_path) as (host, sdp):
        car = EvSimulator("model-y", sdp=sdp, pilot=EmulatedPilot(mcu, 1), soc_percent=30.0)
        drive = asyncio.create_task(car.run())
        await until(lambda: mcu.relay(1).closed and str(car.phase) == "charging")
        marks: dict[str, int] = {}
        mcu.on_change.append(lambda entry: marks.setdefault(entry.name, entry.at_us))
        host.send_signal(signal.SIGKILL)
        mcu.inject("supply", value=24_000)  # the supply as it is: a mark in the emulator's own time
        await until(lambda: not mcu.relay(1).closed, 5.0)
        assert marks["relay1.closed"] - marks["fault.supply"] <= GRANT_LIFE_US + CONTACT_US
        car.unplug()
        await drive


async def test_killing_the_emulator_while_charging_ends_the_session_and_says_why() -> None:
    async with SimulatedStation(StationOptions(evses=1)) as station:
        station.plug(1)
        await until(lambda: station.view(1).phase is Phase.CHARGING)
        pid = station.mcu.pid
        if pid is None:
            pytest.skip("the emulator has no process of its own here")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not station.mcu.relay(1).closed, 5.0)
        await asyncio.wait_for(station.session_over(1), 30.0)
        assert station.view(1).cause in (Cause.MCU_LINK_LOST, Cause.CP_LEFT_C)
        assert station.outlets[1].bus.current_a == 0.0
        said = report.summary(station)["errors"]
        assert any("safety controller" in error or "pilot" in error.lower() for error in said), said


async def test_control_api_over_http(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *VSECC, "sim", "station", "--control", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(UP_S):
            while b"control API" not in (line := await process.stdout.readline()):
                assert line, "the station ended"
        base = line.decode().split()[-1].removesuffix("/sim/state")
        async with aiohttp.ClientSession(base) as http:
            await _drive(http)
    finally:
        process.terminate()
        assert await process.wait() == 0


async def _drive(http: aiohttp.ClientSession) -> None:
    async def post(verb: str, body: object, status: int) -> dict[str, object]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with http.post(f"/sim/{verb}", data=data) as response:
            assert response.status == status, await response.text()
            answer: dict[str, object] = await response.json()
            return answer

    async def evse(number: int) -> dict[str, object]:
        async with http.get("/sim/state") as response:
            return (await response.json())["evses"][number - 1]

    assert "evse is missing" in str(await post("plug", {}, 400))
    assert "no outlet 7" in str(await post("plug", {"evse": 7}, 400))
    assert "not JSON" in str(await post("plug", b"\xff{", 400))
    assert "unknown: color" in str(await post("plug", {"evse": 1, "color": "red"}, 400))
    assert "no fault" in str(await post("fault", {"evse": 1, "code": "gremlins"}, 400))
    assert "--virtual-time" in str(await post("clock", {"advance_s": 1}, 400))
    await post("fly", {}, 404)
    await post("plug", {"evse": 1, "profile": "model-x-plaid", "soc": 50}, 202)
    async with asyncio.timeout(60):
        while (await evse(1))["phase"] != "charging":
            await asyncio.sleep(0.05)
    assert "has a car" in str(await post("plug", {"evse": 1}, 400))
    await post("unplug", {"evse": 1, "orderly": True}, 202)
    async with asyncio.timeout(30):
        while (await evse(1))["phase"] != "idle":
            await asyncio.sleep(0.05)
    assert (await evse(1))["relay_contact"] is False
