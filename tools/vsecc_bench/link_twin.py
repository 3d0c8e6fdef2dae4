"""An MCU for the latency figures, a process of its own: the real link, 1 ms cycles, a paced UART.

`python -m vsecc_bench.link_twin BAUD EVENTS SEED [pty]` prints the URL to connect to, then as JSON when what
happened (monotonic microseconds, the same clock in all processes of one machine).
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import sys
import time
import tty

from vsecc_bench.link_line import Noise, Wire
from vsecc_link import messages
from vsecc_link.cyclic import CyclicFrame, CyclicReader
from vsecc_link.envelope import MCU
from vsecc_link.link import LOST, MESSAGE, Link
from vsecc_link.ticks import MASK

CYCLE_S = 0.001
STATUS_EVERY = 20  # cycles
TELEMETRY_EVERY = 200
# Distance of two pilot changes: never in step with the cycles.
CHANGE_GAP_S = (0.015, 0.035)
SILENCE_S = 1.0
HELLO_TAIL = (1000000, b"", "bench", "twin", "CPython", 0, 7, 0)


class Stream:
    """The host's end: a TCP connection or a pseudo terminal."""

    def __init__(self, pseudo_terminal: bool) -> None:
        self._pty = pseudo_terminal
        if pseudo_terminal:
            self._fd, device = os.openpty()
            tty.setraw(device)
            self.url = f"pty://{os.ttyname(device)}"
            self._keep = device
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def accept(self) -> None:
        """Wait for the host (a pseudo terminal is there at once)."""
        if not self._pty:
            self._connection, _ = self._listener.accept()
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._fd = self._connection.fileno()

    def read(self, wait_s: float) -> bytes | None:
        """Bytes within that time, empty for none; None when the host has gone."""
        if not select.select([self._fd], [], [], max(0.0, wait_s))[0]:
            return b""
        try:
            return os.read(self._fd, 4096) or None
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        """Towards the host."""
        os.write(self._fd, data)


class Twin:
    """The program: reports pilot changes, obeys SET_PILOT, sends STATUS and TELEMETRY as the MCU does."""

    def __init__(self, baud: int, events: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._grant = CyclicReader(messages.GRANT)
        hello = (messages.HELLO, *messages.PROTOCOL_VERSION, messages.catalogue_crc(), *HELLO_TAIL)
        self._link = Link(MCU, self._random.randrange(1, 65536), hello, baud, self._grant)
        self._to_mcu, self._to_host = Wire(baud, Noise(0, 0)), Wire(baud, Noise(0, 0))
        self._status, self._telemetry = CyclicFrame(messages.STATUS), CyclicFrame(messages.TELEMETRY)
        self._events = events
        self._cycle = 0
        self._change_at: float | None = None
        self._over = False
        self.changes: list[int] = []
        self.effects: list[int] = []
        self.late_us: list[int] = []

    def run(self, stream: Stream) -> None:
        """Until the host goes: it closes the stream, or on a pseudo terminal falls silent."""
        next_cycle = time.monotonic()
        data: bytes | None = b""
        while data is not None and not self._over:
            now = time.monotonic()
            stream.write(self._to_host.arrived(now))
            if now >= next_cycle:
                self.late_us.append(int((now - next_cycle) * 1e6))
                next_cycle = max(next_cycle + CYCLE_S, now)
                self._step(now)
            data = stream.read(min(next_cycle - now, self._to_host.byte_s * 8))
            if data:
                self._to_mcu.send(data, time.monotonic())

    def _step(self, now: float) -> None:
        tick = int(now * 1000) & MASK
        self._cycle += 1
        self._link.receive(self._to_mcu.arrived(now), tick)
        self._link.tick(tick)
        if self._link.up:
            self._report(now, tick)
        events, data = self._link.take()
        for kind, value in events:
            self._over = self._over or kind == LOST
            if kind == MESSAGE and value[0] == messages.SET_PILOT:
                self.effects.append(int(time.monotonic() * 1e6))
        self._to_host.send(data, now)
        if self._link.up:
            self._send_cyclic(now, tick)

    def _report(self, now: float, tick: int) -> None:
        if self._change_at is None:
            self._change_at = now + SILENCE_S
        if now < self._change_at or len(self.changes) >= self._events:
            return
        number = len(self.changes)
        state = messages.CP_B + number % 2
        if self._link.send((messages.CP_STATE, 0, 1, state, 5 - state, number, 0), tick):
            self.changes.append(int(self._change_at * 1e6))
            self._status.values[5] = state
            self._cycle = 0  # the status follows at once
            self._change_at = now + self._random.uniform(*CHANGE_GAP_S)

    def _send_cyclic(self, now: float, tick: int) -> None:
        for frame, every in ((self._status, STATUS_EVERY), (self._telemetry, TELEMETRY_EVERY)):
            if self._cycle % every == 0:
                frame.values[0] = int(now * 1e6) & MASK
                self._to_host.send(bytes(self._link.stamp(frame, tick)), now)


def main() -> None:
    """One run."""
    baud, events, seed = (int(text) for text in sys.argv[1:4])
    stream = Stream("pty" in sys.argv[4:])
    print(stream.url, flush=True)
    stream.accept()
    twin = Twin(baud, events, seed)
    twin.run(stream)
    late_us = sorted(twin.late_us)[len(twin.late_us) * 99 // 100]
    print(json.dumps({"changes": twin.changes, "effects": twin.effects, "late_p99_us": late_us}), flush=True)


if __name__ == "__main__":
    main()
