"""`vsecc sim pecc` as a process: an SECC that keeps the rules, one that does not, files that are wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vsecc_cli.main", "sim", "pecc", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(await asyncio.wait_for(process.stdout.readline(), 20.0)))


async def ask(link: ClientConnection, kind: str, number: int, **payload: Any) -> dict[str, Any]:
    await link.send(
        json.dumps({"type": "request", "kind": kind, "sequenceNumber": number, "payload": payload})
    )
    while True:
        message = json.loads(await asyncio.wait_for(link.recv(), 5.0))
        if message.get("sequenceNumber") == number:
            return dict(message)


async def stop(process: asyncio.subprocess.Process) -> tuple[int, list[str]]:
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.wait_for(process.communicate(), 20.0)
    assert process.returncode is not None
    return process.returncode, output.decode().splitlines()


@pytest.mark.parametrize("naughty", [False, True])
async def test_exit_status_and_report_say_whether_the_rules_were_kept(tmp_path: Path, naughty: bool) -> None:
    port, control, chart = free_port(), free_port(), tmp_path / "run.svg"
    process = await start(
        "--listen", f"ws://127.0.0.1:{port}", "--charge-points", "2", "--json",
        "--control", f"127.0.0.1:{control}", "--chart", str(chart), "--version", "1.8",
    )  # fmt: skip
    assert (await line(process))["url"] == f"ws://127.0.0.1:{port}/chargepoint1"
    assert (await line(process))["charge_point"] == 2
    assert (await line(process))["control"].endswith("/sim/state")
    async with connect(
        f"ws://127.0.0.1:{port}/chargepoint2", subprotocols=["pep1.8"], ping_interval=None
    ) as link:  # type: ignore[list-item]
        assert (await ask(link, "configuration", 1))["payload"]["limitVoltageMax"] == 1000
        body = {"charge_point": 2, "code": "voltage-limit", "value": 450}
        url = f"http://127.0.0.1:{control}/sim/fault"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            assert answer.status == 202
        assert (await ask(link, "configuration", 9 if naughty else 2))["payload"]["limitVoltageMax"] == 450
    status, lines = await stop(process)
    report = json.loads(lines[-1])
    assert status == (1 if naughty else 0)
    assert report["ok"] is not naughty
    assert ("number-step" in report["charge_points"][1]["broken"]) is naughty
    assert chart.read_text().startswith("<svg") and (tmp_path / "run-2.svg").exists()


async def test_text_for_people_and_a_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "one.toml"
    scenario.write_text('[[step]]\nat_s = 0.1\nfault = "over-temperature"\n')
    process = await start(
        "--listen", f"ws://127.0.0.1:{free_port()}", "--scenario", str(scenario), "--duration", "1"
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20.0)
    assert process.returncode == 0
    assert "over-temperature on" in output.decode()
    assert "the SECC kept the rules" in output.decode()


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (("--listen", "http://x"), 2, "--listen takes ws://HOST:PORT"),
        (("--listen", "ws://127.0.0.1"), 2, "--listen takes HOST:PORT"),
        (("--listen", "ws://127.0.0.1:99999"), 2, "Port out of range"),
        (("--charge-points", "0"), 2, "must be at least 1"),
        (("--version", "7.0"), 2, "no PEP version 7.0"),
        (("--control", "here"), 2, "--control takes HOST:PORT"),
        (("--chart", "/nowhere/run.svg"), 2, "there is no folder /nowhere"),
        (("--scenario", "nowhere.toml"), 1, "nowhere.toml"),
    ],
)
async def test_mistakes_are_one_line_and_nothing_is_served(
    options: tuple[str, ...], status: int, text: str
) -> None:
    listen = () if "--listen" in options else ("--listen", f"ws://127.0.0.1:{free_port()}")
    process = await start(*listen, *options)
    output, errors = await asyncio.wait_for(process.communicate(), 20.0)
    assert (process.returncode, output) == (status, b"")
    assert text in errors.decode() and errors.decode().count("\n") == 1


async def test_port_0_takes_a_free_one_and_tells_it() -> None:
    process = await start("--listen", "ws://127.0.0.1:0", "--json")
    url = (await line(process))["url"]
    async with connect(url, subprotocols=["pep1.8"], ping_interval=None) as link:  # type: ignore[list-item]
        assert (await ask(link, "configuration", 1))["type"] == "response"
    assert urlsplit(url).port not in (0, 80)
    assert (await stop(process))[0] == 0


async def test_the_list_of_faults() -> None:
    process = await start("--faults")
    output, _ = await asyncio.wait_for(process.communicate(), 20.0)
    assert process.returncode == 0
    assert "isolation-fault" in output.decode()
