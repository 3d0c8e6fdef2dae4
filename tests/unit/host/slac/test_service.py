"""The service around the machine: sockets that come and go, causes, bounds; on cables inside this process."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest
from unit.host.slac.rig import mac

from vsecc_host.runtime.clock import loop_clock
from vsecc_host.runtime.trace import Frame, Trace
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import DlinkReady, ModemState, PilotRequest, SlacMatched
from vsecc_host.slac.service import FRAMES_PER_TURN, SlacService
from vsecc_host.slac.table import PortState
from vsecc_host.station.values import CpState, PilotMode
from vsecc_sim import virtual_time
from vsecc_sim.plc import habits
from vsecc_sim.plc.ev_machine import EvState
from vsecc_sim.plc.loopback import CableEnd, cable
from vsecc_sim.plc.medium import Medium
from vsecc_sim.plc.shell import EvSlac, MediumShell

HOST, CAR = mac(1, 1), mac(3, 1)


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a clock that jumps."""

    @wraps(test)
    def run() -> None:
        virtual_time.run(test())

    return run


class Home:
    """An outlet and a car on one powerline in this process."""

    def __init__(self) -> None:
        self.medium = Medium()
        self.medium.add("outlet", mac(2, 1), evse=True)
        self.medium.add("car", mac(4, 1), evse=False)
        self.medium.connect("car", "outlet", 30)
        self.shell = MediumShell(self.medium)
        self.trace = Trace(loop_clock())
        self.events: list[tuple[Any, int]] = []
        self.openings = 0
        self.missing = False
        self.host_mac = HOST
        self.service = SlacService(
            evse_id=1,
            config=SlacConfig(interface="plc1"),
            trace=self.trace,
            on_event=self._event,
            open_socket=self._open,
        )

    def _open(self, interface: str) -> CableEnd:
        self.openings += 1
        if self.missing:
            raise OSError(19, "No such device")
        host, modem = cable(self.host_mac)
        self.shell.detach("outlet")
        self.shell.attach("outlet", modem)
        return host

    def _event(self, event: Any, cause: int) -> None:
        self.events.append((event, cause))
        if isinstance(event, PilotRequest):
            state = CpState.F if event.mode is PilotMode.STEADY_NEGATIVE else CpState.B
            self.service.cp_changed(state, event.duty_permille, cause)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event, _ in self.events if isinstance(event, kind)]

    def car(self, like: str = "default") -> EvSlac:
        host, modem = cable(CAR)
        self.shell.attach("car", modem)
        return EvSlac(host, habits.load(like))

    def plug(self, car: EvSlac) -> None:
        """The car is there, 5 % is on."""
        self.service.cp_changed(CpState.B, 0)
        self.service.begin()
        car.begin()

    async def matched(self, like: str) -> EvSlac:
        """A car that is plugged in and linked."""
        await self.ready()
        car = self.car(like)
        self.plug(car)
        await virtual_time.settle(lambda: bool(self.of(DlinkReady)))
        return car

    async def ready(self) -> None:
        await virtual_time.settle(lambda: self.service.machine.modem.ready)


@asynccontextmanager
async def home() -> AsyncIterator[Home]:
    made = Home()
    await made.service.start()
    try:
        yield made
    finally:
        await made.service.stop()
        made.shell.close()


@in_virtual_time
async def test_a_car_matches_and_every_hop_has_its_cause() -> None:
    async with home() as site:
        car = await site.matched("model-y")
        await car.reached(EvState.LINKED, 5.0)
        assert site.service.machine.state is PortState.MATCHED
        records = [record for record in site.trace if isinstance(record, Frame)]
        assert all(record.cause and record.layer == "slac" and record.evse_id == 1 for record in records)
        (cause,) = [cause for event, cause in site.events if isinstance(event, SlacMatched)]
        kinds = [
            (record.direction, type(frame.message))
            for record in records
            if record.cause == cause and (frame := codec.decode(record.raw)) is not None
        ]
        assert kinds[:2] == [("rx", m.SlacMatchReq), ("tx", m.SlacMatchCnf)]
        car.close()


@in_virtual_time
async def test_the_primitives_reach_the_machine() -> None:
    async with home() as site:
        car = await site.matched("audi-q4")
        site.service.pause()
        assert site.service.machine.state is PortState.PAUSED
        site.service.begin()
        await virtual_time.settle(lambda: site.service.machine.state is PortState.MATCHED)
        site.service.error()
        assert site.service.machine.state is PortState.LEAVING
        await virtual_time.settle(lambda: site.service.machine.state is PortState.LISTENING)
        site.service.terminate()
        assert site.service.machine.state is PortState.HELD
        site.service.cp_changed(CpState.A, 0)
        assert site.service.machine.state is PortState.IDLE
        car.close()


@in_virtual_time
async def test_an_interface_that_is_not_there_yet_is_tried_again() -> None:
    site = Home()
    site.missing = True
    await site.service.start()
    assert site.service.machine.modem.state is ModemState.DEAD
    await virtual_time.settle(lambda: site.openings >= 5)
    site.missing = False
    await site.ready()
    await site.service.stop()
    site.shell.close()


@in_virtual_time
async def test_a_pulled_cable_is_noticed_and_the_interface_opened_again() -> None:
    async with home() as site:
        await site.ready()
        site.shell.detach("outlet")
        await virtual_time.settle(lambda: site.service.machine.modem.state is ModemState.DEAD)
        await virtual_time.settle(lambda: site.openings == 2)
        await site.ready()


@in_virtual_time
async def test_polls_are_recorded_only_when_something_changed() -> None:
    async with home() as site:
        car = await site.matched("audi-q4")
        before = len(site.trace)
        await asyncio.sleep(600.0)  # of virtual time: 3000 polls
        assert len(site.trace) - before < 10
        site.medium.part("car", "outlet", asyncio.get_running_loop().time())
        await virtual_time.settle(lambda: not site.of(DlinkReady)[-1].link)
        (last, *_) = [r for r in reversed([*site.trace]) if isinstance(r, Frame) and r.direction == "rx"]
        frame = codec.decode(last.raw)
        assert frame is not None
        assert isinstance(frame.message, m.NwInfoCnf | m.LinkStatusCnf)
        car.close()


@in_virtual_time
async def test_a_flood_leaves_the_loop_its_turns_and_every_frame_is_counted() -> None:
    async with home() as site:
        await site.ready()
        car = site.car()
        frames = 10 * FRAMES_PER_TURN
        for number in range(frames):
            site.medium.receive(
                "car", codec.encode(m.BROADCAST, mac(3, number % 200), m.SlacParmReq(bytes(8))), 0.0
            )
        site.shell._flush()
        turns = 0
        while site.service.counters().get("not listening", 0) + site.shell.lost < frames:
            turns += 1
            await asyncio.sleep(0)
        assert turns >= (frames - site.shell.lost) // FRAMES_PER_TURN
        car.close()


class SmallMtu(CableEnd):
    """Takes no frame above the smallest."""

    def send(self, raw: bytes) -> bool:
        if len(raw) > codec.MIN_FRAME_SIZE:
            raise OSError(errno.EMSGSIZE, "Message too long")
        return super().send(raw)


def test_frames_an_interface_refuses_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with home() as site:
            await site.ready()
            car = site.car("model-y")
            assert isinstance(site.service._socket, CableEnd)
            site.service._socket.__class__ = SmallMtu
            for _ in range(2):
                site.plug(car)
                await virtual_time.settle(lambda: site.service.machine.state is PortState.MATCHING)
                await virtual_time.settle(lambda: site.service.machine.state is PortState.LISTENING)
                site.service.cp_changed(CpState.A, 0)
            assert site.service.counters()["dropped"] == 6, "two reports, three sends each"
            site.service._socket.__class__ = CableEnd
            site.plug(car)
            await virtual_time.settle(lambda: site.service.machine.state is PortState.MATCHED)
            car.close()

    with caplog.at_level(logging.WARNING):
        virtual_time.run(story())
    said = [record.getMessage() for record in caplog.records if "not sent" in record.getMessage()]
    assert said == ["EVSE 1: plc1: frame of 129 bytes not sent: Message too long"]


def test_an_interface_with_another_address_is_opened_anew_and_answers_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with home() as site:
            await site.ready()
            given = site.service.machine.modem.key.nmk
            assert isinstance(site.service._socket, CableEnd)
            site.service._socket.mac = mac(1, 7)
            site.host_mac = mac(1, 7)
            await virtual_time.settle(lambda: site.openings == 2)
            await site.ready()
            assert site.service.machine.modem.key.nmk != given
            car = site.car("model-y")
            site.plug(car)
            await virtual_time.settle(lambda: bool(site.of(DlinkReady)))
            assert car.machine.chosen == mac(1, 7)
            car.close()

    with caplog.at_level(logging.WARNING):
        virtual_time.run(story())
    assert [r.getMessage() for r in caplog.records] == ["EVSE 1: modem dead plc1: its address changed"]


@in_virtual_time
async def test_frames_that_cannot_be_sent_are_counted() -> None:
    site = Home()
    site.missing = True
    await site.service.start()
    site.service.machine.connected(HOST, asyncio.get_running_loop().time())
    site.service.cp_changed(CpState.A, 0)
    assert site.service.counters()["dropped"] == 2
    await site.service.stop()
    site.shell.close()
