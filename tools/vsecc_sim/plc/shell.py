"""asyncio shells: the medium between raw sockets, and a car's SLAC on its interface."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from vsecc_host.slac import codec
from vsecc_host.slac.raw_socket import FrameSocket, RawSocket
from vsecc_sim.plc.ev_machine import EvEvent, EvSlacMachine, EvState
from vsecc_sim.plc.habits import Habits
from vsecc_sim.plc.medium import Medium

FRAMES_PER_TURN = 64

Seen = Callable[[str, bool, bytes, float], None]  # modem, by its host (or to it), frame, when


class MediumShell:
    """Carries frames between the modems' host sides; `attach` one socket per modem."""

    def __init__(self, medium: Medium) -> None:
        self.medium = medium
        self.lost = 0  # a host's interface was down
        self.on_frame: Seen = lambda name, sent, raw, at: None
        self._sockets: dict[str, FrameSocket] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, name: str, side: FrameSocket) -> None:
        """`side` is the modem's end of the cable to its host."""
        self._sockets[name] = side
        self._loop.add_reader(side.fileno(), self._readable, name)

    def detach(self, name: str) -> None:
        """The cable is pulled."""
        side = self._sockets.pop(name, None)
        if side is not None:
            self._loop.remove_reader(side.fileno())
            side.close()

    def close(self) -> None:
        """Power off."""
        for name in list(self._sockets):
            self.detach(name)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _readable(self, name: str) -> None:
        for _ in range(FRAMES_PER_TURN):
            side = self._sockets.get(name)
            try:
                raw = side.receive() if side is not None else None
            except OSError:
                self.detach(name)
                return
            if raw is None:
                break
            now = self._loop.time()
            self.on_frame(name, True, raw, now)
            self.medium.receive(name, raw, now)
        self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for name, raw in self.medium.take(self._loop.time()):
            side = self._sockets.get(name)
            self.on_frame(name, False, raw, self._loop.time())
            try:
                self.lost += side is None or not side.send(raw)
            except OSError:
                self.lost += 1
        deadline = self.medium.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._flush)


class EvSlac:
    """One car's SLAC on its interface; `changed` is set at every event."""

    def __init__(
        self, side: FrameSocket, habits: Habits, on_event: Callable[[EvEvent], None] = lambda event: None
    ) -> None:
        self.machine = EvSlacMachine(side.mac, habits, secrets.token_bytes)
        self.events: list[EvEvent] = []
        self.changed = asyncio.Event()
        self._side = side
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(side.fileno(), self._readable)

    def begin(self) -> None:
        """5 % is on."""
        self.machine.start(self._loop.time())
        self._pump()

    def leave(self) -> None:
        """5 % is off, or the link is gone."""
        self.machine.leave(self._loop.time())
        self._pump()

    async def reached(self, state: EvState, within_s: float) -> None:
        """Wait for a state; TimeoutError after `within_s`."""
        async with asyncio.timeout(within_s):
            while self.machine.state is not state:
                self.changed.clear()
                await self.changed.wait()

    def close(self) -> None:
        """Unplugged."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._side.fileno())
        self._side.close()

    def _readable(self) -> None:
        while (raw := self._side.receive()) is not None:
            self.machine.receive(raw, self._loop.time())
        self._pump()

    def _fire(self) -> None:
        self._timer = None
        self.machine.tick(self._loop.time())
        self._pump()

    def _pump(self) -> None:
        events, frames = self.machine.take()
        for raw in frames:
            self._side.send(raw)
        for event in events:
            self.events.append(event)
            self._on_event(event)
        if events:
            self.changed.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.machine.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._fire)


def open_homeplug(interface: str) -> RawSocket:
    """A SLAC socket; call it inside the namespace of its host."""
    return RawSocket(interface, codec.ETHERTYPE)
