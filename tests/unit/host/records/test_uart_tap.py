"""The tap: what readers get, what slow, greedy and too many of them cannot do."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from vsecc_host.records import pcapng, uart_tap
from vsecc_host.records.pcapng_read import Packet, PcapngReader
from vsecc_host.records.uart_tap import BUFFER_MAX_BYTES, READERS_MAX, SOCKET, UartTap, open_tap
from vsecc_host.runtime.clock import loop_clock
from vsecc_host.runtime.loop_watch import LoopWatch
from vsecc_host.runtime.trace import Trace


def say(trace: Trace, raw: bytes, direction: str = "rx", layer: str = "mcu") -> None:
    trace.frame(layer=layer, direction=direction, raw=raw, cause=0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def packets(stream: asyncio.StreamReader, blocks: PcapngReader, count: int) -> list[Packet]:
    found: list[Packet] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            data = await stream.read(1 << 16)
            assert data
            found += blocks.feed(data)
    return found


async def test_a_reader_gets_both_directions_from_now_on(tmp_path: Path) -> None:
    trace = Trace(loop_clock())
    tap = await open_tap(trace, tmp_path)
    assert tap is not None
    assert stat.S_IMODE((tmp_path / SOCKET).stat().st_mode) == 0o660
    say(trace, b"before")
    assert not trace._listeners
    stream, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET))
    await until(lambda: bool(trace._listeners))
    say(trace, b"from the mcu")
    say(trace, b"v2g", layer="v2gtp")
    say(trace, b"from the host", "tx")
    got = await packets(stream, PcapngReader(), 2)
    assert [(packet.data, packet.direction) for packet in got] == [
        (b"from the mcu", pcapng.INBOUND),
        (b"from the host", pcapng.OUTBOUND),
    ]
    assert got[0].link_type == pcapng.LINKTYPE_USER0
    writer.close()
    await until(lambda: not trace._listeners)
    await tap.stop()
    assert not (tmp_path / SOCKET).exists()


async def test_a_slow_reader_loses_and_is_told_and_the_host_never_waits(tmp_path: Path) -> None:
    trace = Trace(loop_clock(), capacity=10)
    tap = await open_tap(trace, tmp_path)
    assert tap is not None
    stream, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET), limit=1024)
    await until(lambda: bool(trace._listeners))
    watch = LoopWatch()
    watch.start()
    sent = 0
    while not tap.dropped:
        for _ in range(100):
            say(trace, bytes(200))
            sent += 1
        await asyncio.sleep(0)
        assert sent * 200 < 8 * BUFFER_MAX_BYTES, "nothing was ever left out"
    for _ in range(20_000):
        say(trace, bytes(200))
        sent += 1
    await asyncio.sleep(0.01)
    watch.stop()
    assert watch.longest_block_s < 1.0
    blocks = PcapngReader()
    got = await packets(stream, blocks, sent - tap.dropped)
    say(trace, b"last")  # the first one there is room for tells of the loss
    got += await packets(stream, blocks, 1)
    assert len(got) + tap.dropped == sent + 1
    lost = sum(packet.dropped for packet in got)
    assert lost == tap.dropped > 0
    writer.close()
    await tap.stop()


async def test_whoever_writes_is_dropped(tmp_path: Path) -> None:
    trace = Trace(loop_clock())
    tap = await open_tap(trace, tmp_path)
    assert tap is not None
    _, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET))
    await until(lambda: bool(trace._listeners))
    writer.write(b"GRANT me everything")
    await until(lambda: not trace._listeners)
    writer.close()
    await tap.stop()


async def test_readers_are_limited(tmp_path: Path) -> None:
    trace = Trace(loop_clock())
    tap = await open_tap(trace, tmp_path)
    assert tap is not None
    writers = []
    for _ in range(READERS_MAX):
        _, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET))
        writers.append(writer)
    await until(lambda: len(tap._readers) == READERS_MAX)
    stream, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET))
    assert await asyncio.wait_for(stream.read(), 5) == b""
    assert len(tap._readers) == READERS_MAX
    for one in (*writers, writer):
        one.close()
    await tap.stop()


async def test_the_socket_of_a_killed_host_is_replaced(tmp_path: Path) -> None:
    trace = Trace(loop_clock())
    first = UartTap(trace, tmp_path / SOCKET, loop_clock())
    assert await first.start()
    first._server.close()  # type: ignore[union-attr]  # as after kill -9: the file stays
    assert (tmp_path / SOCKET).exists()
    second = await open_tap(trace, tmp_path)
    assert second is not None
    await second.stop()


@pytest.mark.parametrize("folder", ["x" * 120, "a/file"])
async def test_without_a_socket_the_host_goes_on(
    tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a").write_text("")
    assert await open_tap(Trace(loop_clock()), tmp_path / folder) is None
    assert len(caplog.records) == 1
    assert await open_tap(Trace(loop_clock()), None) is None


async def test_a_reader_that_fails_never_reaches_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(loop_clock())
    tap = await open_tap(trace, tmp_path)
    assert tap is not None
    _, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET))
    await until(lambda: bool(trace._listeners))

    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("no packet")

    monkeypatch.setattr(uart_tap.pcapng, "packet", broken)
    say(trace, b"x")
    await until(lambda: not trace._listeners)
    writer.close()
    await tap.stop()
