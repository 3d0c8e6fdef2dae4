"""The asyncio shell against a scripted server on real sockets, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from unit.host.pep.given import wire
from unit.host.pep.rig import FLOAT, IDLE, VIEW
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from vsecc_host.pep.codec import MAX_MESSAGE_SIZE
from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.service import PepService, websocket_url
from vsecc_host.pep.versions import OFFERED, PepVersion
from vsecc_host.runtime.trace import Frame, Trace
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, PowerPhase
from vsecc_host.terminals import Terminals
from vsecc_sim import virtual_time
from vsecc_sim.pecc.link import PepConnection
from vsecc_sim.virtual_time import settle

Scene = Callable[["Bench"], Coroutine[Any, Any, None]]
STATUS = wire("info", "status", payload=IDLE)


class Server:
    """Accepts what it is told to, keeps what it hears, answers requests and sends a status."""

    def __init__(self) -> None:
        self.attempts: list[float] = []
        self.offers: list[str] = []
        self.heard: list[dict[str, Any]] = []
        self.pings = 0
        self.connections: list[ServerConnection] = []
        self.accepts: tuple[str, ...] = tuple(version.subprotocol for version in PepVersion)
        self.lists_refused = False
        self.status: int | None = None
        self.answering = True
        self.reading = True

    def admit(self, connection: ServerConnection, request: Any) -> Any:
        offer = request.headers.get("Sec-WebSocket-Protocol", "")
        self.attempts.append(asyncio.get_running_loop().time())
        self.offers.append(offer)
        if self.status is not None:
            return connection.respond(self.status, "no\n")
        if self.lists_refused and ("," in offer or offer not in self.accepts):
            return connection.respond(400, "no such version\n")
        return None

    def choose(self, connection: ServerConnection, offered: Any) -> Any:
        return next((name for name in offered if name in self.accepts), None)

    async def talk(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        if not self.reading:
            connection.transport.pause_reading()
        with contextlib.suppress(ConnectionClosed):
            if self.answering:
                await connection.send(STATUS)
            async for text in connection:
                message = json.loads(text)
                self.heard.append(message)
                if self.answering and message["type"] == "request":
                    payload = FLOAT if message["kind"] == "configuration" else {}
                    await connection.send(
                        wire("response", message["kind"], message["sequenceNumber"], payload)
                    )

    @property
    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]


class Bench:
    """A server, and one service whose events are kept."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.uri = f"http://127.0.0.1:{port}/chargepoint1"
        self.events: list[tuple[e.StationEvent, int]] = []
        self.outputs: list[int] = []
        self.trace = Trace(asyncio.get_running_loop().time)
        self.service: PepService | None = None

    def open(self, **config: Any) -> PepService:
        self.service = PepService(
            1,
            PepConfig(uri=self.uri, **config),
            Terminals(),
            trace=self.trace,
            on_event=lambda event, cause: self.events.append((event, cause)),
            on_outputs=self.outputs.append,
        )
        self.service.update(VIEW, 1)
        self.service.start()
        return self.service

    async def ready(self, **config: Any) -> PepService:
        service = self.open(**config)
        await settle(lambda: bool(self.of(e.PowerLimitsTold)) and bool(self.of(e.PowerMeasured)))
        return service

    async def flood(self, count: int) -> None:
        for _ in range(count):
            await self.server.connections[0].send(STATUS)

    def of(self, kind: type[e.StationEvent]) -> list[Any]:
        return [event for event, _ in self.events if isinstance(event, kind)]


@contextlib.asynccontextmanager
async def bench(**server_options: Any) -> AsyncIterator[Bench]:
    server = Server()
    async with serve(
        server.talk,
        "127.0.0.1",
        0,
        process_request=server.admit,
        select_subprotocol=server.choose,
        create_connection=PepConnection,
        ping_interval=None,
        **server_options,
    ) as listening:
        made = Bench(server, next(iter(listening.sockets)).getsockname()[1])
        try:
            yield made
        finally:
            if made.service is not None:
                await made.service.stop()


def play(scene: Scene, **server_options: Any) -> Bench:
    """Run a scene; afterwards no task is left."""

    async def whole() -> Bench:
        async with bench(**server_options) as made:
            await scene(made)
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return made

    return virtual_time.run(whole())


# --- the connection -----------------------------------------------------------------------------------------


def test_a_connection_is_made_and_limits_are_told() -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()

    made = play(scene)
    assert made.server.offers == ["pep1.2"]
    assert made.server.kinds == ["evConnectionState", "reset", "configuration"]
    assert made.of(e.PowerLimitsTold)[0].limits.max_voltage_v == 920


@pytest.mark.parametrize(
    ("accepts", "spoken"),
    [(("pep1.8", "pep1.5"), PepVersion.V1_8), (("pep1.5",), PepVersion.V1_5), (("pep1.2",), PepVersion.V1_2)],
)
@pytest.mark.parametrize("lists_refused", [False, True])
def test_the_newest_both_know_is_spoken(
    accepts: tuple[str, ...], spoken: PepVersion, lists_refused: bool
) -> None:
    async def scene(bench: Bench) -> None:
        bench.server.accepts, bench.server.lists_refused = accepts, lists_refused
        service = await bench.ready(version=None)
        assert service.machine.version is spoken

    made = play(scene)
    assert made.server.offers[0] == ", ".join(version.subprotocol for version in OFFERED)
    assert (len(made.server.offers) > 1) is lists_refused


@pytest.mark.parametrize(("version", "spoken"), [(PepVersion.V1_5, "1.5"), (None, "1.2")])
def test_a_server_that_chooses_nothing(version: PepVersion | None, spoken: str) -> None:
    async def scene(bench: Bench) -> None:
        bench.server.accepts = ()
        service = await bench.ready(version=version)
        assert service.machine.version.text == spoken

    play(scene)


def test_or_is_refused_where_the_operator_says_so() -> None:
    async def scene(bench: Bench) -> None:
        bench.server.accepts = ()
        bench.open(require_subprotocol=True)
        await asyncio.sleep(25)

    made = play(scene)
    assert len(made.server.attempts) == 3
    assert "chose no subprotocol" in made.of(e.PowerLost)[0].detail
    assert not made.of(e.PowerMeasured)


def test_a_refusal_that_is_not_about_versions_is_one_attempt() -> None:
    async def scene(bench: Bench) -> None:
        bench.uri += "/elsewhere"
        bench.server.status = 404
        bench.open(version=None)
        await asyncio.sleep(15)

    made = play(scene)
    assert len(made.server.attempts) == 2
    assert "404" in made.of(e.PowerLost)[0].detail


def test_attempts_are_ten_seconds_apart() -> None:
    async def scene(bench: Bench) -> None:
        bench.server.accepts, bench.server.lists_refused = (), True
        bench.open()
        await asyncio.sleep(35)

    made = play(scene)
    gaps = [b - a for a, b in zip(made.server.attempts, made.server.attempts[1:], strict=False)]
    assert gaps == pytest.approx([10, 10, 10], abs=0.05)
    assert len(made.of(e.PowerLost)) == 1  # told once


def test_after_a_long_connection_the_next_attempt_is_at_once() -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()
        for _ in range(4):
            await asyncio.sleep(4)
            await bench.server.connections[0].send(STATUS)
        await bench.server.connections[0].close()
        await settle(lambda: len(bench.server.connections) == 2, within_s=1)

    made = play(scene)
    assert made.of(e.PowerLost)[0].cause is Cause.POWER_STALE
    assert made.server.kinds.count("reset") == 2


def test_nobody_listens() -> None:
    async def scene(bench: Bench) -> None:
        bench.uri = "ws://127.0.0.1:1/"
        bench.open()
        await asyncio.sleep(0.1)

    assert "refused" in play(scene).of(e.PowerLost)[0].detail.lower()


def test_a_handshake_may_not_take_for_ever() -> None:
    async def scene(bench: Bench) -> None:
        silent = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
        bench.uri = f"ws://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
        bench.open()
        await asyncio.sleep(5.5)
        silent.close()

    assert "no handshake in time" in play(scene).of(e.PowerLost)[0].detail


@pytest.mark.parametrize("uri", ["", "localhost:8080", "ftp://host/x", "http://", "ws:///x"])
def test_an_address_that_is_none(uri: str) -> None:
    with pytest.raises(ValueError, match="no address of power electronics"):
        websocket_url(uri)


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("http://localhost:8080/PowerElectronics", "ws://localhost:8080/PowerElectronics"),
        ("https://pe/x?y=1", "wss://pe/x?y=1"),
        ("ws://[::1]:7000/chargepoint1", "ws://[::1]:7000/chargepoint1"),
    ],
)
def test_http_is_read_as_ws(uri: str, url: str) -> None:
    assert websocket_url(uri) == url


# --- a PECC that dies, stalls or talks nonsense -------------------------------------------------------------


def test_a_connection_without_status_is_opened_again() -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()
        await settle(lambda: len(bench.server.connections) == 2, within_s=12)

    made = play(scene)
    assert [x.detail for x in made.of(e.PowerLost)] == ["no status for 5 s"]


def test_pings_are_answered_and_none_are_sent() -> None:
    pings: list[float] = []

    async def scene(bench: Bench) -> None:
        await bench.ready()
        bench.server.connections[0].on_ping = lambda: pings.append(asyncio.get_running_loop().time())
        for _ in range(30):
            pong = await bench.server.connections[0].ping()
            await asyncio.wait_for(pong, 1.0)
            await bench.server.connections[0].send(STATUS)
            await asyncio.sleep(1.0)

    made = play(scene)
    assert pings == []
    assert made.server.connections[0].latency < 0.1
    assert len(made.server.connections) == 1


@pytest.mark.parametrize(
    "frame",
    ["nonsense", b"\x00binary", "[" * 50_000, json.dumps("x" * 70_000), wire("request", "fly", 3)],
    ids=["text", "binary", "nested", "64 KiB", "unknown"],
)
def test_nonsense_is_answered_and_nothing_else_moves(frame: str | bytes) -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()
        bench.events.clear()
        await bench.server.connections[0].send(frame)
        await settle(lambda: bench.server.heard[-1]["type"] == "error")
        assert bench.server.heard[-1]["payload"]["errorCategory"] == "format"
        assert bench.events == []
        await bench.server.connections[0].send(STATUS)
        await settle(lambda: bool(bench.of(e.PowerMeasured)))
        assert len(bench.server.connections) == 1

    play(scene)


def test_a_frame_beyond_all_bounds_ends_the_connection_not_the_host() -> None:
    async def scene(bench: Bench) -> None:
        service = await bench.ready(reconnect_s=0.5)
        with contextlib.suppress(ConnectionClosed):
            await bench.server.connections[0].send("x" * 10_000_000)
        await settle(lambda: len(bench.server.connections) == 2)
        await settle(lambda: service.is_connected)

    made = play(scene)
    assert "1009" in made.of(e.PowerLost)[0].detail
    assert MAX_MESSAGE_SIZE < 10_000_000


def test_a_pecc_that_does_not_read_is_given_up() -> None:
    async def scene(bench: Bench) -> None:
        bench.server.reading = False
        service = bench.open()
        await settle(lambda: service.is_connected)
        asked = wire("request", "getInput", 1, {"inputIdentifiers": ["x" * 2000]})
        for _ in range(4000):  # what fills the buffers of the system, and then some
            for _ in range(50):
                service._received(asked)
            await asyncio.sleep(0)
            if bench.of(e.PowerLost):
                return

    assert play(scene).of(e.PowerLost)[0].detail == "the PECC does not read"


def test_a_flood_leaves_the_loop_to_others() -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()
        sender = asyncio.create_task(bench.flood(2000))
        turns = 0
        while len(bench.of(e.PowerMeasured)) < 2000:
            before = len(bench.events)
            await asyncio.sleep(0)
            turns += 1
            assert len(bench.events) - before <= 2  # a frame, then somebody else
        await sender
        assert turns > 1000

    play(scene)


# --- commands and the trace ---------------------------------------------------------------------------------


def test_a_target_is_on_the_wire_under_the_cause_of_its_command() -> None:
    async def scene(bench: Bench) -> None:
        service = await bench.ready()
        service.execute(c.PowerSupervision(evse_id=1, relay_closed=True), 70)
        for cause in (77, 78):
            service.execute(
                c.PowerTarget(
                    evse_id=1, voltage_v=400.0, current_a=9.0, soc_percent=1, phase=PowerPhase.CHARGE
                ),
                cause,
            )
        await settle(lambda: bench.server.kinds.count("targetValues") == 2)

    made = play(scene)
    sent = [record for record in made.trace if isinstance(record, Frame) and record.direction == "tx"]
    frames = [frame for frame in sent if b"targetValues" in frame.raw]
    assert [(frame.layer, frame.evse_id, frame.cause) for frame in frames] == [("pep", 1, 77), ("pep", 1, 78)]


def test_every_frame_is_recorded_and_events_carry_its_cause() -> None:
    async def scene(bench: Bench) -> None:
        await bench.ready()

    made = play(scene)
    frames = [record for record in made.trace if isinstance(record, Frame)]
    assert len([f for f in frames if f.direction == "tx"]) == len(made.server.heard)
    event, cause = next((x, cause) for x, cause in made.events if isinstance(x, e.PowerMeasured))
    assert any(f.cause == cause and b"status" in f.raw and f.direction == "rx" for f in frames)
    assert event.evse_id == 1


def test_a_loss_in_a_session_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(bench: Bench) -> None:
        service = await bench.ready()
        service.execute(c.PowerSupervision(evse_id=1, relay_closed=True), 1)
        service.execute(c.PowerContactors(evse_id=1, closed=True), 2)
        bench.server.connections[0].transport.abort()
        await settle(lambda: bool(bench.of(e.PowerLost)), within_s=0.2)

    with caplog.at_level(logging.WARNING):
        assert play(scene).of(e.PowerLost)[0].cause is Cause.POWER_STALE
    assert "PECC gone" in caplog.text
