"""An MCU for tests: the real link, a program of a few lines and a virtual wire to the machine."""

from __future__ import annotations

from typing import Any

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.machine import McuLinkMachine
from vsecc_host.station.events import StationEvent
from vsecc_link import messages
from vsecc_link.link import MCU, MESSAGE, Link
from vsecc_link.ticks import MASK

IMAGE = bytes(range(32))


def hello(catalogue_crc: int | None = None, boot_id: int = 7) -> tuple[Any, ...]:
    crc = messages.catalogue_crc() if catalogue_crc is None else catalogue_crc
    return (messages.HELLO, 1, 0, crc, 1000000, IMAGE, "1.2.3", "pico", "MicroPython 1.28", 1, boot_id, 5)


class Bench:
    """Moves a virtual clock over machine and MCU; `start` is the host's monotonic time at the beginning."""

    def __init__(self, start: float = 50.0, config: McuLinkConfig | None = None, **mcu: Any) -> None:
        self.machine = McuLinkMachine(config or McuLinkConfig(url="tcp://x:1"), 4711)
        self.mcu = Link(MCU, 99, mcu.pop("hello", hello()))
        self.now = start
        self.offset_us = mcu.pop("offset_us", 123_456_789)  # MCU ticks run from another zero
        self.delay_s = mcu.pop("delay_s", 0.0)
        self.events: list[StationEvent] = []
        self.commands: list[tuple[Any, ...]] = []
        self.grants: list[tuple[float, int]] = []
        self.cut = False
        self.status_every = mcu.pop("status_every", 20)
        self.fields: dict[str, int] = {}
        self._grant = (0, 0)
        self._on_wire: list[tuple[float, Any, bytes]] = []
        self._ms = 0
        self.machine.connected(self.now)

    @property
    def ticks_us(self) -> int:
        return (int(self.now * 1e6) + self.offset_us) % (1 << 30)

    def run(self, seconds: float) -> list[StationEvent]:
        """Events reported while this much time passes."""
        seen = len(self.events)
        for _ in range(round(seconds * 1000)):
            self.now += 0.001
            self._ms += 1
            self._step()
        return self.events[seen:]

    def of_type(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def report(self, *message: Any) -> None:
        """The MCU sends something."""
        assert self.mcu.send(message, self._mcu_now())

    def _mcu_now(self) -> int:
        return self._ms & MASK

    def _step(self) -> None:
        deadline = self.machine.next_deadline()
        if deadline is not None and deadline <= self.now:
            self.machine.tick(self.now)
        self.mcu.tick(self._mcu_now())
        if self._ms % self.status_every == 0:
            self._send_status()
        for _ in range(3):
            self._exchange()

    def _send_status(self) -> None:
        values = {field[0]: max(0, field[2]) for field in messages.CATALOGUE[messages.STATUS][3]}
        values.update(self.fields)
        values.update(ticks_us=self.ticks_us, grant_stamp=self._grant[0], grant_ticks_us=self._grant[1])
        self.mcu.send((messages.STATUS, *values.values()), self._mcu_now())

    def _exchange(self) -> None:
        events, data = self.machine.take()
        self.events += events
        self._put(self.mcu, data)
        seen, data = self.mcu.take()
        for kind, value in seen:
            if kind == MESSAGE:
                self._on_command(value)
        self._put(self.machine, data)
        arrived = [item for item in self._on_wire if item[0] <= self.now + 1e-9]
        self._on_wire = [item for item in self._on_wire if item[0] > self.now + 1e-9]
        for _, end, data in arrived:
            end.receive(data, self._mcu_now() if end is self.mcu else self.now)

    def _put(self, end: Any, data: bytes) -> None:
        if data and not self.cut:
            self._on_wire.append((self.now + self.delay_s, end, data))

    def _on_command(self, message: tuple[Any, ...]) -> None:
        if message[0] == messages.GRANT:
            self._grant = (message[1], self.ticks_us)
            self.grants.append((self.now, message[2]))
        else:
            self.commands.append(message)
