"""The service over real TCP streams and pseudo terminals."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from unit.host.mcu_link.bench_mcu import hello

from vsecc_host import transport
from vsecc_host.mcu_link import service
from vsecc_host.mcu_link.service import McuLinkConfig, McuLinkService
from vsecc_host.runtime.clock import loop_clock
from vsecc_host.runtime.loop_watch import LoopWatch
from vsecc_host.runtime.trace import Frame, Trace
from vsecc_host.station.events import McuLinkLost, McuLinkUp, McuLogged, StationEvent
from vsecc_host.station.values import PilotMode
from vsecc_link import messages
from vsecc_link.link import MCU, MESSAGE, Link
from vsecc_link.ticks import MASK


class TcpMcu(asyncio.Protocol):
    """The MCU's link behind a TCP port."""

    def __init__(self) -> None:
        self.link = Link(MCU, 321, hello())
        self.commands: list[tuple[object, ...]] = []
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self.stream: asyncio.Transport | None = None

    def connection_made(self, stream: asyncio.BaseTransport) -> None:
        assert isinstance(stream, asyncio.Transport)
        self.stream = stream

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        self.link.receive(data, self.now())
        self.link.tick(self.now())
        self.flush()

    def flush(self) -> None:
        events, data = self.link.take()
        self.commands += [value for kind, value in events if kind == MESSAGE]
        assert self.stream is not None
        self.stream.write(data)
        self.arrived.set()

    async def say(self, message: tuple[object, ...]) -> None:
        while not self.link.up:
            await self.news()
        assert self.link.send(message, self.now())
        self.flush()

    async def news(self) -> None:
        """Wait for bytes."""
        self.arrived.clear()
        async with asyncio.timeout(5):
            await self.arrived.wait()

    @staticmethod
    def now() -> int:
        return int(asyncio.get_running_loop().time() * 1000) & MASK


class Watcher:
    """Collects events; `until` waits for one that fits."""

    def __init__(self) -> None:
        self.seen: list[tuple[StationEvent, int]] = []
        self._news = asyncio.Event()

    def __call__(self, event: StationEvent, cause: int) -> None:
        self.seen.append((event, cause))
        self._news.set()

    async def until(self, fits: Callable[[StationEvent], bool]) -> tuple[StationEvent, int]:
        async with asyncio.timeout(5):
            while True:
                for found in self.seen:
                    if fits(found[0]):
                        return found
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[McuLinkService, Watcher, Trace]]:
    watcher, trace = Watcher(), Trace(loop_clock())
    link = McuLinkService(McuLinkConfig(url=url, host_version="test"), trace=trace, on_event=watcher)
    await link.start()
    try:
        yield link, watcher, trace
    finally:
        await link.stop()


@asynccontextmanager
async def tcp_mcu() -> AsyncIterator[tuple[list[TcpMcu], str]]:
    made: list[TcpMcu] = []

    def factory() -> TcpMcu:
        made.append(TcpMcu())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    try:
        yield made, f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def is_up(event: StationEvent) -> bool:
    return isinstance(event, McuLinkUp)


async def test_events_and_commands_over_tcp() -> None:
    async with tcp_mcu() as (made, url), running(url) as (link, watcher, trace):
        await watcher.until(is_up)
        await made[0].say((messages.LOG, 1, 1, "hello"))
        _, cause = await watcher.until(lambda event: isinstance(event, McuLogged))
        recorded = [record for record in trace if record.cause == cause]
        assert isinstance(recorded[0], Frame)
        assert (recorded[0].layer, recorded[0].direction) == ("mcu", "rx")
        command = trace.new_cause()
        link.set_pilot(1, PilotMode.PWM, 50, command)
        while (messages.SET_PILOT, 1, 1, 50) not in made[0].commands:
            await made[0].news()
        frames = [record for record in trace if isinstance(record, Frame) and record.cause == command]
        assert [frame.direction for frame in frames] == ["tx"]


async def test_closed_stream_is_reported_and_opened_again() -> None:
    async with tcp_mcu() as (made, url), running(url) as (_, watcher, _):
        await watcher.until(is_up)
        stream = made[0].stream
        assert stream is not None
        stream.abort()
        lost, _ = await watcher.until(lambda event: isinstance(event, McuLinkLost))
        assert isinstance(lost, McuLinkLost)
        assert url in lost.reason
        watcher.seen.clear()
        await watcher.until(is_up)
        assert len(made) == 2


async def test_unreachable_mcu_is_reported_once() -> None:
    async with running("tcp://127.0.0.1:1") as (_, watcher, _):
        assert [type(event) for event, _ in watcher.seen] == [McuLinkLost]
        await asyncio.sleep(0)
    assert len(watcher.seen) == 1


async def test_stop_closes_the_stream() -> None:
    async with tcp_mcu() as (made, url):
        async with running(url) as (_, watcher, _):
            await watcher.until(is_up)
        async with asyncio.timeout(5):
            await made[0].gone.wait()


@pytest.mark.parametrize(
    "url", ["/dev/ttyACM0", "tcp://127.0.0.1", "ws://x:1", "pty://", "serial:///dev/x?baud=fast"]
)
def test_bad_url_is_named(url: str) -> None:
    with pytest.raises(transport.BadUrl, match=r"expected|bit rate"):
        transport.check_url(url)


def test_baud_of_a_serial_url() -> None:
    assert transport.baud_of(transport.check_url("serial:///dev/ttyACM0?baud=115200")) == 115200
    assert transport.baud_of(transport.check_url("pty:///run/vsecc/mcu")) == 921600


async def test_missing_device_is_an_os_error() -> None:
    with pytest.raises(OSError, match="no-such-device"):
        await transport.open_stream("serial:///dev/no-such-device", asyncio.Protocol)


async def test_pty_nobody_reads_never_blocks_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, device = os.openpty()
    tty.setraw(device)
    os.set_blocking(controller, False)
    watch = LoopWatch()
    try:
        async with running(f"pty://{os.ttyname(device)}") as (link, _, _):
            watch.start()
            filler = bytes(200)
            for _ in range(4000):  # far more than any kernel buffer takes
                link._write(filler)
                await asyncio.sleep(0)
            assert link.dropped_bytes > 0
            stream = link._transport
            assert stream is not None
            assert stream.get_write_buffer_size() <= service.WRITE_LIMIT + len(filler)
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # the closing callbacks run under the watch, too
    finally:
        watch.stop()
        os.close(controller)
        os.close(device)
    assert watch.longest_block_s < 0.05


async def test_pty_carries_the_link() -> None:
    controller, device = os.openpty()
    tty.setraw(device)
    loop = asyncio.get_running_loop()
    mcu = Link(MCU, 321, hello())

    def serve() -> None:
        mcu.receive(os.read(controller, 4096), TcpMcu.now())
        os.write(controller, mcu.take()[1])

    loop.add_reader(controller, serve)
    try:
        async with running(f"pty://{os.ttyname(device)}") as (_, watcher, _):
            await watcher.until(is_up)
    finally:
        loop.remove_reader(controller)
        os.close(controller)
        os.close(device)


async def test_every_command_goes_out_under_its_cause() -> None:
    async with tcp_mcu() as (made, url), running(url) as (link, watcher, _):
        link.set_outputs(1, 1)  # before the session: dropped, not queued
        await watcher.until(is_up)
        link.clear_faults(2, 11)
        link.set_outputs(3, 1, 12)
        link.set_lock(1, True, 13)
        link.set_led(0, 2, 14)
        link.set_grant(2, True, 15)
        link.reset_mcu(16)
        while not made[0].commands or made[0].commands[-1][0] != messages.RESET:
            await made[0].news()
        ids = [command[0] for command in made[0].commands if command[0] != messages.GRANT]
        assert ids == [
            messages.CLEAR_FAULTS,
            messages.SET_OUTPUTS,
            messages.SET_LOCK,
            messages.SET_LED,
            messages.RESET,
        ]
        grants = [command for command in made[0].commands if command[0] == messages.GRANT]
        assert grants[-1][2] == 2
