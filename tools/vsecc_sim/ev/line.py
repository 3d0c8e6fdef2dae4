"""TCP of the simulated car under asyncio: drives the machine and carries out its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from vsecc_host.runtime.pump import Pump
from vsecc_sim.ev.machine import EvMachine
from vsecc_sim.ev.values import Ended, Event, StopReading, Trickle, View

_LATE_S = 0.02  # a timer this late says that our own process was busy: the charger gets the time back


class Line(asyncio.Protocol):
    """One connection; `look` measures before every decision, `deliver` gets the events."""

    def __init__(
        self, machine: EvMachine, look: Callable[[], View], deliver: Callable[[Event], None]
    ) -> None:
        self._machine = machine
        self._look = look
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pump: Pump | None = None
        self._trickle_s: float | None = None
        self._trickling = bytearray()
        self._grace_until: float | None = None
        self.ended: asyncio.Future[Ended] = self._loop.create_future()

    @property
    def machine(self) -> EvMachine:
        """What it drives."""
        return self._machine

    @property
    def encrypted(self) -> bool:
        """TLS is spoken."""
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    @property
    def charger_port(self) -> int | None:
        """TCP port at the other end; None before there is a connection."""
        return None if self._transport is None else int(self._transport.get_extra_info("peername")[1])

    # --- asyncio ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: the session begins."""
        self._transport = cast(asyncio.Transport, transport)
        self._pump = Pump(self, self._write, self._event)
        self._machine.observe(self._look())
        self._machine.start(self._loop.time())
        self._pump.poke()

    def data_received(self, data: bytes) -> None:
        """Bytes of the charger."""
        if self._pump is not None:
            self._pump.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, whoever did it."""
        if self._pump is not None:
            self._machine.disconnected(self._loop.time())
            self._pump.poke()
            self._pump.close()

    # --- the simulator ---------------------------------------------------------------------------------

    def poke(self) -> None:
        """The machine was told something directly."""
        if self._pump is not None:
            self._pump.poke()

    def abandon(self, after_s: float) -> None:
        """Go silent, as behind a pulled cable, and free the socket later."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_later(after_s, self._transport.abort)

    # --- the machine, with fresh measurements ----------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """As the machine."""
        self._machine.observe(self._look())
        self._machine.receive(data, now)

    def next_deadline(self) -> float | None:
        """As the machine; later by what our own process was late."""
        due = self._machine.next_deadline()
        if due is None or self._grace_until is None or not self._machine.awaiting:
            return due
        return max(due, self._grace_until)

    def tick(self, now: float) -> None:
        """As the machine, except when this process itself slept over the answer."""
        due = self.next_deadline()
        late_s = 0.0 if due is None else now - due
        if self._machine.awaiting and late_s > _LATE_S:
            self._grace_until = now + late_s
            return
        self._grace_until = None
        self._machine.observe(self._look())
        self._machine.tick(now)

    def take(self) -> tuple[list[Event], bytes]:
        """As the machine; what concerns the socket is carried out before the bytes are written."""
        events, data = self._machine.take()
        for event in events:
            if isinstance(event, Trickle):
                self._trickle_s = event.interval_s
            elif isinstance(event, StopReading) and self._transport is not None:
                self._transport.pause_reading()
        return events, data

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._trickle_s is None:
            transport.write(data)
            return
        self._trickling += data
        if len(self._trickling) == len(data):
            self._write_one()

    def _write_one(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or not self._trickling or self._trickle_s is None:
            return
        transport.write(bytes(self._trickling[:1]))
        del self._trickling[:1]
        self._loop.call_later(self._trickle_s, self._write_one)

    def _event(self, event: Event) -> None:
        self._deliver(event)
        if not isinstance(event, Ended):
            return
        if self._transport is not None and event.reset:
            self._transport.abort()
        elif self._transport is not None:
            self._transport.close()
        if not self.ended.done():
            self.ended.set_result(event)
