"""Runs in the environment of the peers: bellows (ASH framing and repeats) and cobs + cbor2 by hand.

`python link_peer.py JSON` with keys `sizes messages goodput_size rates baud seconds` prints a JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import selectors
import sys
import time
import types
import zlib
from typing import Any

import bellows.ash as ash
import cbor2
from cobs import cobs  # type: ignore[import-not-found]
from link_line import Noise, Wire  # type: ignore[import-not-found]

POLL_S = 0.001
SENDERS = 8
CPU_FRAMES = 1500
CPU_ROUNDS = 8


class VirtualSelector(selectors.DefaultSelector):
    """Waits by moving the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing left to do")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


class Application:
    """Counts what arrives above the framing."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.wrong = 0
        self.failed = False

    def connection_made(self, _protocol: Any) -> None:
        """Nothing to do."""

    def data_received(self, data: bytes) -> None:
        """A payload: its first four bytes are its number."""
        number = int.from_bytes(data[:4], "big")
        if bytes(data[4:]) != filler(number, len(data)):
            self.wrong += 1
        self.seen[number] = self.seen.get(number, 0) + 1

    def error_received(self, _code: Any) -> None:
        """The framing gave up."""
        self.failed = True


class WireTransport:
    """What the framing writes goes onto the line."""

    def __init__(self, wire: Wire, loop: VirtualLoop) -> None:
        self._wire = wire
        self._loop = loop

    def write(self, data: bytes) -> None:
        """Put bytes on the line."""
        self._wire.send(bytes(data), self._loop.time())

    def is_closing(self) -> bool:
        """Never."""
        return False


def filler(number: int, size: int) -> bytes:
    """Body of payload `number`: no two alike."""
    return bytes((number * 37 + index * 11) & 0xFF for index in range(size - 4))


async def goodput(loop: VirtualLoop, size: int, rate: float, baud: int, seconds: float) -> dict[str, Any]:
    """One direction saturated; both ends look at the line every millisecond."""
    there, back = Wire(baud, Noise(rate, 1)), Wire(baud, Noise(rate, 2))
    application = Application()
    receiver, sender = ash.AshProtocol(application), ash.AshProtocol(Application())
    receiver.connection_made(WireTransport(back, loop))
    sender.connection_made(WireTransport(there, loop))
    counts = {"sent": 0, "given_up": 0}

    async def send() -> None:
        while loop.time() < seconds:
            number = counts["sent"]
            counts["sent"] += 1
            try:
                await sender.send_data(number.to_bytes(4, "big") + filler(number, size))
            except (ash.AshException, TimeoutError):
                counts["given_up"] += 1
                await asyncio.sleep(POLL_S)

    tasks = [asyncio.create_task(send()) for _ in range(SENDERS)]
    gone_s = await carry(loop, [(there, receiver), (back, sender)], tasks, seconds + 5)
    delivered = len(application.seen)
    return {
        "share": delivered * size / (min(seconds, gone_s or seconds) * baud / 10),
        "delivered": delivered,
        "lost": counts["sent"] - delivered,
        "doubled": sum(application.seen.values()) - delivered,
        "wrong": application.wrong,
        "ended_after_s": gone_s,
    }


async def carry(loop: VirtualLoop, wires: list[Any], tasks: list[Any], until: float) -> float | None:
    """Move bytes until every sender is done; the time at which the framing gave up, None if it did not."""
    gone_s = None
    while loop.time() < until and gone_s is None and not all(task.done() for task in tasks):
        await asyncio.sleep(POLL_S)
        for wire, end in wires:
            data = wire.arrived(loop.time())
            if data:
                end.data_received(data)
            if end._ncp_state is ash.NcpState.FAILED:
                gone_s = loop.time()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return gone_s


def run_goodput(size: int, rate: float, baud: int, seconds: float) -> dict[str, Any]:
    """`goodput` on a loop of its own, with bellows' clock moved to it."""
    loop = VirtualLoop()
    ash.time = types.SimpleNamespace(monotonic=loop.time)
    try:
        return loop.run_until_complete(goodput(loop, size, rate, baud, seconds))
    finally:
        loop.close()


class Kept:
    """Keeps the newest bytes written."""

    data = b""

    def write(self, data: bytes) -> None:
        """Keep them."""
        self.data = bytes(data)

    def is_closing(self) -> bool:
        """Never."""
        return False


async def bellows_cpu_us(size: int) -> float:
    """Frame and parse one payload and its ack, both ends, without the peer's asyncio machinery."""
    ends = []
    for _ in range(2):
        protocol = ash.AshProtocol(Application())
        kept = Kept()
        protocol.connection_made(kept)
        ends.append((protocol, kept))
    (sender, written), (receiver, answered) = ends
    payload = b"\0\0\0\1" + filler(1, size)
    began = time.perf_counter()
    for index in range(CPU_FRAMES):
        sender._write_frame(ash.DataFrame(frm_num=index % 8, re_tx=False, ack_num=0, ezsp_frame=payload))
        receiver.data_received(written.data)
        sender.data_received(answered.data)
    return (time.perf_counter() - began) / CPU_FRAMES * 1e6


def cobs_cpu_us(message: list[Any]) -> float:
    """Values to values with cbor2, CRC-32 and COBS, all in C; no numbers, no repeats."""
    began = time.perf_counter()
    for _ in range(CPU_FRAMES):
        body = cbor2.dumps(message)
        line = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
        data = cobs.decode(line[:-1])
        assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
        cbor2.loads(data[:-4])
    return (time.perf_counter() - began) / CPU_FRAMES * 1e6


def main() -> None:
    """Answer the question given as JSON."""
    ask = json.loads(sys.argv[1])
    rounds = range(CPU_ROUNDS)
    answer = {
        "bellows_cpu_us": {
            str(size): min(asyncio.run(bellows_cpu_us(size)) for _ in rounds) for size in ask["sizes"]
        },
        "cobs_cpu_us": {
            name: min(cobs_cpu_us(message) for _ in rounds) for name, message in ask["messages"].items()
        },
        "bellows_goodput": {
            str(rate): run_goodput(ask["goodput_size"], rate, ask["baud"], ask["seconds"])
            for rate in ask["rates"]
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
