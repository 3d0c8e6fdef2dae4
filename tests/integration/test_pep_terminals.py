"""A PECC reads and writes the device's terminals: its requests reach the emulated MCU and come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from vsecc_sim import virtual_time
from vsecc_sim.mcu.trace import Entry
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.virtual_time import settle

Json = dict[str, Any]


class Pecc:
    """Answers nothing, asks what it is told to."""

    def __init__(self) -> None:
        self.connection: ServerConnection | None = None
        self.answers: dict[int, Json] = {}
        self._number = 0

    async def talk(self, connection: ServerConnection) -> None:
        self.connection = connection
        with suppress(ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                if message["type"] in ("response", "error") and "sequenceNumber" in message:
                    self.answers[message["sequenceNumber"]] = message

    async def ask(self, kind: str, payload: Json) -> Json:
        assert self.connection is not None
        self._number = number = self._number + 1
        asked = {"type": "request", "kind": kind, "sequenceNumber": number, "payload": payload}
        await self.connection.send(json.dumps(asked))
        await settle(lambda: number in self.answers, within_s=0.5)
        return self.answers[number]


class Bench:
    """A station whose outlets have one scripted PECC each."""

    def __init__(self, station: SimulatedStation, peccs: list[Pecc]) -> None:
        self.station = station
        self.peccs = peccs
        self.outputs = 0
        station.mcu.on_change.append(self._hear)

    def _hear(self, entry: Entry) -> None:
        if entry.name == "outputs":
            self.outputs = int(entry.value)

    async def shows(self, outputs: int, within_s: float = 1.0) -> None:
        await settle(lambda: self.outputs == outputs, within_s=within_s)


def play(scene: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        peccs = [Pecc(), Pecc()]
        servers = [await serve(pecc.talk, "127.0.0.1", 0, ping_interval=None) for pecc in peccs]
        urls = tuple(f"ws://127.0.0.1:{next(iter(s.sockets)).getsockname()[1]}/x" for s in servers)
        async with SimulatedStation(
            StationOptions(interpreter="cpython", capacity_wh=None, pecc=urls)
        ) as station:
            await settle(
                lambda: all(pecc.connection for pecc in peccs) and station.app.snapshot().mcu is not None
            )
            await asyncio.sleep(1.0)  # the first telemetry
            await scene(Bench(station, peccs))
        for server in servers:
            server.close()

    virtual_time.run(whole())


def test_inputs_of_the_emulated_terminals() -> None:
    async def scene(bench: Bench) -> None:
        bench.station.mcu.drive_inputs({"d3": True, "a1": 5.2, "t2": 60.0, "tr9": 1385.1})
        await asyncio.sleep(2.0)
        for pecc in bench.peccs:
            asked = ["d1", "d3", "a1", "t2", "tr9"]
            values = (await pecc.ask("getInput", {"inputIdentifiers": asked}))["payload"]["inputValues"]
            assert (values["d1"], values["d3"]) == (0, 1)
            assert values["a1"] == pytest.approx(5.2, abs=0.05)
            assert values["t2"] == pytest.approx(60.0, abs=0.5)
            assert values["tr9"] == pytest.approx(1385.1, abs=2.0)
        refused = await bench.peccs[0].ask("getInput", {"inputIdentifiers": ["d1", "d9"]})
        assert refused["payload"]["errorCategory"] == "value"

    play(scene)


def test_outputs_are_shared_and_go_off_with_their_writer() -> None:
    async def scene(bench: Bench) -> None:
        one, two = bench.peccs
        assert (await one.ask("setOutput", {"outputValues": {"d1": 1, "d16": 1}}))["type"] == "response"
        assert (await two.ask("setOutput", {"outputValues": {"d16": 1, "d2": 1}}))["type"] == "response"
        await bench.shows(0x8003)
        refused = await two.ask("setOutput", {"outputValues": {"d1": 0, "d3": 2}})
        assert refused["payload"]["errorCategory"] == "value"
        assert one.connection is not None
        one.connection.transport.abort()
        await bench.shows(0x8002, within_s=6.0)

    play(scene)
