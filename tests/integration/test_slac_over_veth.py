"""SLAC over real interfaces: services in the station's namespace, cars in theirs, modems in between."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from vsecc_host.runtime.clock import loop_clock
from vsecc_host.runtime.trace import Frame, Trace
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import DlinkReady, ModemChanged, ModemState, PilotRequest, SlacFailed, SlacMatched
from vsecc_host.slac.raw_socket import RawSocket
from vsecc_host.slac.service import SlacService
from vsecc_host.slac.table import PortState
from vsecc_host.station.values import CpState, PilotMode
from vsecc_host.v2g.endpoint import link_local_address
from vsecc_sim.plc import habits, namespaces
from vsecc_sim.plc.ev_machine import EvState
from vsecc_sim.plc.powerline import EV_INTERFACE, Powerline
from vsecc_sim.plc.shell import EvSlac, MediumShell
from vsecc_sim.plc.site import outlet_interface

WAIT_S = 20.0


@pytest.fixture
def line() -> Iterator[Powerline]:
    try:
        with Powerline(outlets=2, cars=2) as made:
            yield made
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))


class Outlet:
    """A service with its events; waits are for events, never for time."""

    def __init__(self, number: int, line: Powerline) -> None:
        self.trace = Trace(loop_clock())
        self.events: list[Any] = []
        self.changed = asyncio.Event()
        self.service = SlacService(
            evse_id=number,
            config=SlacConfig(interface=outlet_interface(number)),
            trace=self.trace,
            on_event=self._event,
            open_socket=line.outlet_socket,
        )

    def _event(self, event: Any, cause: int) -> None:
        assert cause
        self.events.append(event)
        self.changed.set()
        if isinstance(event, PilotRequest):
            state = CpState.F if event.mode is PilotMode.STEADY_NEGATIVE else CpState.B
            self.service.cp_changed(state, event.duty_permille, cause)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def plug(self) -> None:
        self.service.cp_changed(CpState.B, 0)
        self.service.begin()


@asynccontextmanager
async def running(line: Powerline, outlets: int = 2) -> AsyncIterator[tuple[MediumShell, list[Outlet]]]:
    async with AsyncExitStack() as stack:
        shell = line.shell()
        stack.callback(shell.close)
        made = [Outlet(number, line) for number in range(1, outlets + 1)]
        for outlet in made:
            await outlet.service.start()
            stack.push_async_callback(outlet.service.stop)
        for outlet in made:
            await outlet.until(lambda outlet=outlet: outlet.service.machine.modem.ready)
        yield shell, made


@pytest.mark.clause("ISO15118-3 A.9")
async def test_two_cars_match_their_own_ports_through_real_interfaces(line: Powerline) -> None:
    async with running(line) as (_, outlets), AsyncExitStack() as stack:
        cars = [EvSlac(line.ev_socket(n), habits.load(name)) for n, name in ((1, "audi-q4"), (2, "model-y"))]
        for car in cars:
            stack.callback(car.close)
        for outlet in outlets:
            outlet.plug()
        for car in cars:
            car.begin()
        for outlet, car in zip(outlets, cars, strict=True):
            await outlet.until(lambda outlet=outlet: outlet.of(DlinkReady))
            await car.reached(EvState.LINKED, WAIT_S)
            matched = outlet.of(SlacMatched)[0]
            assert matched.ev_mac == car.machine.mac.hex().upper()
            assert matched.attenuation.average_db == 30.0
            assert outlet.of(DlinkReady)[0].proven


async def test_ipv6_passes_only_while_the_link_is_up(line: Powerline) -> None:
    async with running(line, outlets=1) as (_, (outlet,)), AsyncExitStack() as stack:
        receiver = namespaces.inside(line.station, lambda: _udp(outlet_interface(1), bind=True))
        sender = namespaces.inside(line.car(1), lambda: _udp(EV_INTERFACE, bind=False))
        stack.callback(receiver.close)
        stack.callback(sender.close)
        loop = asyncio.get_running_loop()
        sender.send(b"before")
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        stack.callback(car.close)
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.of(DlinkReady))
        sender.send(b"linked")
        async with asyncio.timeout(WAIT_S):
            assert await loop.sock_recv(receiver, 100) == b"linked"


async def test_tcp_runs_over_the_link_in_software(line: Powerline) -> None:
    """Checksums and segment sizes survive: what V2G will travel on."""
    async with running(line, outlets=1) as (_, (outlet,)), AsyncExitStack() as stack:
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        stack.callback(car.close)
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.of(DlinkReady))
        listener = namespaces.inside(line.station, lambda: _listener(outlet_interface(1)))
        stack.callback(listener.close)
        client, scope = namespaces.inside(line.car(1), _client)
        stack.callback(client.close)
        host, port, *_ = listener.getsockname()
        loop = asyncio.get_running_loop()
        sent = bytes(range(256)) * 400
        async with asyncio.timeout(WAIT_S):
            (server, _peer), _none = await asyncio.gather(
                loop.sock_accept(listener),
                loop.sock_connect(client, (host.split("%")[0], port, 0, scope)),
            )
            stack.callback(server.close)
            received, _none = await asyncio.gather(_read(server, len(sent)), loop.sock_sendall(client, sent))
        assert received == sent


async def _read(side: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await asyncio.get_running_loop().sock_recv(side, 65536)
    return data


def _client() -> tuple[socket.socket, int]:
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    made.setblocking(False)
    return made, socket.if_nametoindex(EV_INTERFACE)


def _listener(interface: str) -> socket.socket:
    address = link_local_address(interface, Path("/proc/thread-self/net/if_inet6"))
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    made.setblocking(False)
    made.bind((address, 0, 0, socket.if_nametoindex(interface)))
    made.listen()
    return made


async def test_the_key_is_in_no_trace(line: Powerline) -> None:
    async with running(line, outlets=1) as (_, (outlet,)):
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.of(DlinkReady))
        car.close()
        nmk = outlet.service.machine.modem.key.nmk
        frames = [record for record in outlet.trace if isinstance(record, Frame)]
        kinds = {type(seen.message) for f in frames if (seen := codec.decode(f.raw)) is not None}
        assert {m.SetKeyReq, m.SlacParmReq, m.SlacMatchCnf} <= kinds
        assert not any(nmk in frame.raw for frame in frames)
        assert nmk.hex() not in repr([*outlet.trace, *outlet.events])


async def test_an_interface_that_went_away_is_opened_again(
    line: Powerline, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(line, outlets=1) as (_, (outlet,)):
        namespaces.ip("-n", line.station, "link", "del", outlet_interface(1))
        await outlet.until(lambda: outlet.of(ModemChanged)[-1].state is ModemState.DEAD)
        line.replace_outlet(1)
        await outlet.until(lambda: outlet.service.machine.modem.ready)
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.service.machine.state is PortState.MATCHED)
        car.close()
        states = [event.state for event in outlet.of(ModemChanged)]
        dead = states.index(ModemState.DEAD)
        assert ModemState.DEAD not in states[dead + 1 :], "once gone, once back"
    assert complaints(caplog) == ["EVSE 1: modem dead plc1: Network is down"]


def change(line: Powerline, *what: str) -> None:
    """`ip link set` on the first outlet's interface."""
    namespaces.ip("-n", line.station, "link", "set", outlet_interface(1), *what)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines of the service above information."""
    service = [r for r in caplog.records if r.name == "vsecc_host.slac.service"]
    return [record.getMessage() for record in service if record.levelno > logging.INFO]


async def test_an_interface_that_is_down_for_a_while(
    line: Powerline, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(line, outlets=1) as (_, (outlet,)):
        change(line, "down")
        await outlet.until(lambda: outlet.of(ModemChanged)[-1].state is ModemState.DEAD)
        with pytest.raises(OSError, match="down"):
            line.outlet_socket(outlet_interface(1))
        change(line, "up")
        await outlet.until(lambda: outlet.service.machine.modem.ready)
    assert complaints(caplog) == ["EVSE 1: modem dead plc1: Network is down"]


async def test_an_interface_that_gets_another_address_answers_from_it(
    line: Powerline, caplog: pytest.LogCaptureFixture
) -> None:
    """Changed while it is up: nothing breaks, so it has to be looked at."""
    async with running(line, outlets=1) as (_, (outlet,)), AsyncExitStack() as stack:
        change(line, "address", "02:00:00:00:01:77")
        await outlet.until(lambda: outlet.of(ModemChanged)[-1].state is ModemState.DEAD)
        await outlet.until(lambda: outlet.service.machine.modem.ready)
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        stack.callback(car.close)
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.of(DlinkReady))
        assert car.machine.chosen == bytes.fromhex("020000000177")
    assert complaints(caplog) == ["EVSE 1: modem dead plc1: its address changed"]


async def test_an_interface_that_takes_small_frames_only_says_so_and_serves_again(
    line: Powerline, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(line, outlets=1) as (_, (outlet,)), AsyncExitStack() as stack:
        change(line, "mtu", "100")
        car = EvSlac(line.ev_socket(1), habits.load("audi-q4"))
        stack.callback(car.close)
        outlet.plug()
        car.begin()
        await outlet.until(lambda: outlet.of(SlacFailed))
        assert outlet.of(SlacFailed)[0].detail == "no CM_ATTEN_CHAR.RSP"
        assert outlet.service.counters()["dropped"] == 3
        change(line, "mtu", "1500")
        car.begin()
        await outlet.until(lambda: outlet.of(DlinkReady))
    assert complaints(caplog) == [
        "EVSE 1: plc1: frame of 129 bytes not sent: Message too long",
        "EVSE 1: no link: sessions_failed no CM_ATTEN_CHAR.RSP",
    ]


def test_only_an_ethernet_interface_will_do() -> None:
    with pytest.raises(OSError, match="not an Ethernet interface"):
        RawSocket("lo", codec.ETHERTYPE)


def test_nothing_is_left_behind() -> None:
    try:
        with Powerline() as line:
            namespace = line.station
            assert Path("/run/netns", namespace).exists()
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))
    assert not Path("/run/netns", namespace).exists()
    done = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert namespace not in done.stdout


def test_the_program_takes_commands_and_removes_everything_when_it_is_ended() -> None:
    try:
        namespaces.need_namespaces()
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))
    process = subprocess.Popen(
        [sys.executable, "-m", "vsecc_sim.plc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    station, car = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (station["interfaces"], car["interface"]) == (["plc1"], "plc0")
    for command in (
        "set outlet1 drop_sounds [1,2]",
        "unplug 1",
        "set outlet1 nonsense 1",
        "plug 1 nobody",
        "plug 1 taycan",
    ):
        process.stdin.write(command + "\n")
    process.stdin.flush()
    said = [json.loads(process.stdout.readline()) for _ in range(4)]
    assert [line["what"] for line in said] == ["error", "error", "error", "event"]
    process.terminate()
    assert process.wait(WAIT_S) == 0
    assert not Path("/run/netns", station["namespace"]).exists()
    assert not Path("/run/netns", car["namespace"]).exists()


def test_leftovers_of_a_dead_process_are_swept() -> None:
    try:
        namespaces.need_namespaces()
    except namespaces.NamespacesUnavailable as reason:
        pytest.skip(str(reason))
    dead = "vsecc4194305-station"  # above the largest process id there is
    namespaces.add(dead)
    assert dead in namespaces.sweep()
    assert not Path("/run/netns", dead).exists()


def _udp(interface: str, *, bind: bool) -> socket.socket:
    """A datagram socket on the interface's SDP group."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setblocking(False)
    index = socket.if_nametoindex(interface)
    if bind:
        made.bind(("::", 15118, 0, index))
        made.setsockopt(
            socket.IPPROTO_IPV6,
            socket.IPV6_JOIN_GROUP,
            socket.inet_pton(socket.AF_INET6, "ff02::1") + index.to_bytes(4, "little"),
        )
    else:
        made.connect(("ff02::1", 15118, 0, index))
    return made
