"""A quiet host that also sends what it is told to: one message, raw bytes, or a fault for a while."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from vsecc_link import frame
from vsecc_link import messages as catalogue
from vsecc_link.link import FOREIGN, LOST, MESSAGE
from vsecc_sim.mcu.line import Noise
from vsecc_uart.faults import Fault, Line
from vsecc_uart.quiet_host import QuietHost
from vsecc_uart.values import Message

BURST_EVERY_S = 0.02


class Injector(QuietHost):
    """A machine for `runtime.pump`. `telemetry`: the newest one; `trouble`: what the link says, in words.

    What is out of the catalogue goes past the link's own checks, so its inner parts are used where nothing
    public would let it through.
    """

    def __init__(self, nonce: int, version: str, baud: int, *, seed: int = 1) -> None:
        super().__init__(nonce, version, baud)
        self.trouble: list[str] = []
        self.telemetry: Message | None = None
        self.telemetry_count = 0
        self.lost = 0
        self._rng = random.Random(seed)
        self._noise: Noise | None = None
        self._extra = bytearray()
        self._fault: Fault | None = None
        self._burst_at: float | None = None
        self._burst_bytes = 0
        self._baud = baud

    # ---- what to send ----

    def send(self, message: Message, now: float) -> bool:
        """A checked message through the session; False without one."""
        return bool(self.link.send(message, self._at(now)))

    def send_payload(self, payload: bytes, travel: int, now: float) -> None:
        """Any payload as the session's next frame, past every check of ours."""
        self._at(now)
        link = self.link
        if travel == catalogue.CYCLIC:
            link._cyclic_number += 1
            self.send_bytes(
                frame.build(frame.CYCLIC, link.session[1], link._cyclic_number, self._ack(), payload), now
            )
        else:
            link._sender.push(payload)

    def send_bytes(self, data: bytes, now: float) -> None:
        """Bytes between our frames."""
        self._at(now)
        self._extra += data

    def begin(self, fault: Fault, now: float, *, ppm: int, size: int) -> None:
        """Let a fault last until `end`."""
        self._at(now)
        self._fault, self._burst_bytes = fault, size
        if fault.noise is not None:
            self._noise = fault.noise(ppm)
        if fault.burst is not None:
            self._burst_at = now

    def end(self) -> None:
        """The fault is over."""
        self._fault = self._noise = self._burst_at = None

    # ---- verbs of the machine ----

    def next_deadline(self) -> float | None:
        """Also when the next burst is due."""
        at = super().next_deadline()
        return at if self._burst_at is None or (at is not None and at < self._burst_at) else self._burst_at

    def tick(self, now: float) -> None:
        """Also sends what a fault sends."""
        super().tick(now)
        if self._burst_at is not None and now >= self._burst_at:
            self._burst()
            self._burst_at = now + BURST_EVERY_S

    def take(self) -> tuple[Sequence[Any], bytes]:
        """Our frames, what was slipped in, and what the noise leaves of both."""
        events, data = super().take()
        for kind, value in events:
            self._on_event(kind, value)
        if self._extra:
            data += bytes(self._extra)
            self._extra.clear()
        if self._noise is not None:
            data = self._noise.apply(data, self._rng)
        return events, data

    # ---- inside ----

    def _burst(self) -> None:
        assert self._fault is not None
        assert self._fault.burst is not None
        line = Line(self.link.session[1], self.link._sender._number, self._ack())
        size = self._burst_bytes
        if self._fault.floods:
            size = int(self._baud / 10 * BURST_EVERY_S)
        self._extra += self._fault.burst(line, self._rng, size)

    def _ack(self) -> int:
        return int(self.link._receiver.expected) & 0xFF

    def _on_event(self, kind: int, value: Any) -> None:
        if kind == LOST:
            self.lost += 1
            self.trouble.append(f"session lost: {value}")
        elif kind == FOREIGN:
            self.trouble.append(str(value))
        elif kind == MESSAGE and value[0] == catalogue.TELEMETRY:
            self.telemetry = value
            self.telemetry_count += 1
