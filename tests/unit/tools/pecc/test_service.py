"""The WebSocket server of the PECC simulator over real loopback sockets, its time virtual."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from vsecc_sim import virtual_time
from vsecc_sim.pecc.control import PeccControl
from vsecc_sim.pecc.faults import Fault
from vsecc_sim.pecc.scenario import parse_scenario
from vsecc_sim.pecc.simulator import PeccSimulator
from vsecc_sim.pecc.states import PeccState

Story = Callable[[PeccSimulator], Awaitable[Any]]


def play(story: Story, table: dict[str, Any] | None = None, **options: Any) -> Any:
    async def scene() -> Any:
        async with PeccSimulator(parse_scenario(table or {}), **options) as pecc:
            return await story(pecc)

    return virtual_time.run(scene())


def client(pecc: PeccSimulator, number: int = 1, offer: tuple[str, ...] = ("pep1.8",)) -> connect:
    return connect(pecc.url(number), subprotocols=list(offer) or None, ping_interval=None, compression=None)


async def ask(link: ClientConnection, kind: str, number: int = 1, **payload: Any) -> dict[str, Any]:
    await link.send(
        json.dumps({"type": "request", "kind": kind, "sequenceNumber": number, "payload": payload})
    )
    while True:
        message = json.loads(await asyncio.wait_for(link.recv(), 2.0))
        if message.get("sequenceNumber") == number:
            return message


async def until_closed(link: ClientConnection) -> None:
    while True:
        await link.recv()


def broken(pecc: PeccSimulator, number: int = 1) -> list[str]:
    return [finding.rule for finding in pecc.point(number).conduct.findings]


def test_n_charge_points_on_n_urls():
    async def story(pecc: PeccSimulator) -> None:
        links = [await client(pecc, number) for number in (1, 2, 3)]
        for number, link in enumerate(links, 1):
            assert json.loads(await link.recv())["kind"] == "status"
            pecc.inject(number, Fault("voltage-limit", value=100.0 * number))
            assert (await ask(link, "configuration"))["payload"]["limitVoltageMax"] == 100 * number
            await link.close()
        with pytest.raises(InvalidStatus, match="404"):
            await client(pecc, 4)

    play(story, charge_points=3)


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [
        (("pep1.8",), "pep1.8"),
        (("pep1.2",), "pep1.2"),
        (("pep9.9", "pep1.6", "pep1.8"), "pep1.6"),
        ((), None),
    ],
)
def test_the_first_version_both_know_is_echoed(offer, chosen):
    async def story(pecc: PeccSimulator) -> None:
        async with client(pecc, offer=offer) as link:
            assert link.subprotocol == chosen
            assert (await ask(link, "configuration"))["type"] == "response"
        assert ("subprotocol" in broken(pecc)) == (not offer)

    play(story)


def test_a_version_that_is_not_accepted_is_refused():
    async def story(pecc: PeccSimulator) -> None:
        with pytest.raises(InvalidStatus, match="400"):
            await client(pecc, offer=("pep1.8",))

    play(story, {"manners": {"versions": ["1.2"]}})


def test_a_second_client_is_refused_while_the_first_lives():
    async def story(pecc: PeccSimulator) -> None:
        async with client(pecc) as first:
            with pytest.raises(InvalidStatus, match="409"):
                await client(pecc)
            assert (await ask(first, "configuration"))["type"] == "response"
        assert "one-connection" in broken(pecc)
        async with client(pecc) as next_one:
            assert (await ask(next_one, "configuration"))["type"] == "response"
        assert "reconnect" in broken(pecc)

    play(story)


def test_a_dead_client_makes_room_after_a_second():
    async def story(pecc: PeccSimulator) -> None:
        first = await client(pecc)
        first.transport.pause_reading()
        async with client(pecc) as second:
            assert (await ask(second, "configuration"))["type"] == "response"
        first.transport.abort()

    play(story)


def test_pings_of_the_secc_are_noticed():
    async def story(pecc: PeccSimulator) -> None:
        async with client(pecc) as link:
            await (await link.ping())
        assert "no-pings" in broken(pecc)

    play(story)


def test_our_pings_keep_an_idle_secc_alive():
    async def story(pecc: PeccSimulator) -> None:
        async with client(pecc) as link:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(until_closed(link), 60.0)
        assert "unresponsive" not in broken(pecc)

    play(story)


LINE = {
    "refused": (InvalidStatus, "503"),
    "wrong-subprotocol": (InvalidHandshake, "subprotocol"),
    "slow-handshake": (TimeoutError, None),
}


@pytest.mark.parametrize("fault", LINE)
def test_faults_of_the_handshake(fault):
    async def story(pecc: PeccSimulator) -> None:
        first = await client(pecc)
        pecc.inject(1, Fault(fault))
        with pytest.raises(ConnectionClosed):
            await until_closed(first)
        kind, text = LINE[fault]
        with pytest.raises(kind, match=text):
            await asyncio.wait_for(client(pecc), 5.0)
        pecc.inject(1, Fault(fault, active=False))
        await asyncio.sleep(10.0)
        async with client(pecc) as link:
            assert (await ask(link, "configuration"))["type"] == "response"
        assert "reconnect" not in broken(pecc)

    play(story)


@pytest.mark.parametrize("fault", ["tcp-reset", "closed"])
def test_the_connection_is_taken_away(fault):
    async def story(pecc: PeccSimulator) -> None:
        link = await client(pecc)
        pecc.inject(1, Fault(fault))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(until_closed(link), 2.0)
        assert not pecc.point(1).linked

    play(story)


def test_half_open_is_silence_and_heals():
    async def story(pecc: PeccSimulator) -> None:
        link = await client(pecc)
        pecc.inject(1, Fault("half-open"))
        await asyncio.sleep(0.05)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_next_after_pause(link), 3.0)
        pecc.inject(1, Fault("half-open", active=False))
        with pytest.raises(ConnectionClosed):
            await until_closed(link)
        async with client(pecc) as other:
            assert (await ask(other, "configuration"))["type"] == "response"

    play(story)


async def _next_after_pause(link: ClientConnection) -> Any:
    while True:  # what was sent before does not count
        message = await link.recv()
        if not isinstance(message, str):
            return message


def test_frames_nobody_should_take():
    async def story(pecc: PeccSimulator) -> None:
        link = await client(pecc)
        pecc.inject(1, Fault("huge-frame"))
        with pytest.raises(ConnectionClosed, match="1009"):
            await until_closed(link)
        async with client(pecc) as other:
            await other.send(b"\x00\x01")
            await other.send("x" * 300_000)
            assert (await ask(other, "configuration"))["type"] == "response"
        async with client(pecc) as other:
            await other.send("x" * 2_000_000)
            with pytest.raises(ConnectionClosed, match="1009"):
                await until_closed(other)
        async with client(pecc) as other:
            assert (await ask(other, "configuration"))["type"] == "response"

    play(story)


def test_a_client_that_never_reads_a_flood_is_dropped():
    async def story(pecc: PeccSimulator) -> None:
        link = await client(pecc)
        link.transport.pause_reading()
        pecc.inject(1, Fault("flood", value=200.0))
        await virtual_time.settle(lambda: not pecc.point(1).linked, within_s=60.0)
        link.transport.abort()

    play(story, {"manners": {"silence_s": 1000.0}})


def test_steps_of_a_scenario_happen():
    table = {
        "step": [
            {"at_state": "cableCheck", "after_s": 1.0, "fault": "isolation-fault"},
            {"at_s": 20.0, "limits": {"max_current_a": 50}},
            {"at_s": 21.0, "fault": "over-temperature", "for_s": 5.0},
            {"at_s": 22.0, "request": "stopCharging"},
            {"at_s": 23.0, "supervision": False},
        ]
    }

    async def story(pecc: PeccSimulator) -> None:
        point = pecc.point(1)
        async with client(pecc) as link:
            await ask(link, "contactorsStatus", contactorsStatus="closed")
            kinds: list[str] = []
            reader = asyncio.create_task(read_kinds(link, kinds))
            assert point.state is PeccState.CABLE_CHECK
            await asyncio.sleep(1.5)
            assert point.faults.names() == ["isolation-fault"]
            await asyncio.sleep(19.0)
            assert point.stage.limits.max_current_a == 50.0
            await asyncio.sleep(1.0)
            assert "over-temperature" in point.faults
            await asyncio.sleep(6.0)
            assert "over-temperature" not in point.faults
            assert not point.supervised
            assert point.state is PeccState.STANDBY
            assert "stopCharging" in kinds
            reader.cancel()

    play(story, table)


async def read_kinds(link: ClientConnection, kinds: list[str]) -> None:
    while True:
        kinds.append(json.loads(await link.recv())["kind"])


def test_supervision_may_follow_the_connection_state_where_it_is_asked_for():
    async def story(pecc: PeccSimulator) -> None:
        point = pecc.point(1)
        async with client(pecc) as link:
            for state, permitted in (("energyTransferAllowed", True), ("connected", False)):
                info = {"type": "info", "kind": "evConnectionState", "payload": {"evConnectionState": state}}
                await link.send(json.dumps(info))
                await asyncio.sleep(0.1)
                assert point.supervised is permitted

    play(story, {"supervision": "ev-state"})
    play(lambda pecc: asyncio.sleep(0, pecc.point(1).supervised), {"supervision": "open"})


def test_the_control_api():
    async def story(pecc: PeccSimulator) -> None:
        control = PeccControl(pecc)
        await control.start("127.0.0.1", 0)
        base = f"http://127.0.0.1:{control.port}/sim"
        async with aiohttp.ClientSession() as http:

            async def post(verb: str, **body: Any) -> tuple[int, dict[str, Any]]:
                async with http.post(f"{base}/{verb}", json=body) as answer:
                    return answer.status, await answer.json()

            assert (await post("fault", charge_point=1, code="silent"))[0] == 202
            status, body = await post("fault", charge_point=1, code="fire")
            assert status == 400 and "no fault fire" in body["error"]
            assert (await post("fault", charge_point=9, code="silent"))[0] == 400
            assert (await post("fault", charge_point=1, code="silent", value=3))[0] == 400
            assert (await post("supervision", charge_point=1, closed=False))[0] == 202
            assert (await post("limits", charge_point=1, max_power_w=1000))[0] == 202
            assert (await post("limits", charge_point=1, max_power_w=-1))[0] == 400
            assert (await post("limits", charge_point=1))[0] == 400
            assert (await post("request", charge_point=1, kind="stopCharging"))[0] == 202
            assert (await post("request", charge_point=1, kind="reset"))[0] == 400
            assert (await post("dance"))[0] == 404
            async with http.get(f"{base}/state") as answer:
                point = (await answer.json())["charge_points"][0]
            assert (point["faults"], point["supervision"]) == (["silent"], False)
            async with http.get(f"{base}/report") as answer:
                assert (await answer.json())["ok"]
            async with http.get(f"{base}/nothing") as answer:
                assert answer.status == 404
        await control.stop()

    play(story)
