"""Board and firmware inside this process, driven by the event loop's own clock: exact in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.commands import Command, obey
from vsecc_sim.mcu.hostside import CHUNK, HostSide, open_host_side
from vsecc_sim.mcu.inprocess import InProcessChip
from vsecc_sim.mcu.trace import Entry
from vsecc_sim.mcu.virtual import VirtualMcu


class LocalMcu:
    """One emulated MCU on the running event loop; time is `loop.time()` and nothing else."""

    def __init__(self, url: str, *, seed: int, start_us: int, on_entry: Callable[[Entry], None]) -> None:
        """Nothing runs before `start`."""
        self.url = url
        self.board = Board(seed=seed, start_us=start_us)
        self.board.trace.listeners.append(on_entry)
        self._start_us = start_us
        self._mcu = VirtualMcu(self.board, InProcessChip(self.board))
        self._timer: asyncio.TimerHandle | None = None
        self._origin_s = 0.0
        self._host: HostSide | None = None
        self._watched: set[int] = set()

    async def start(self) -> None:
        """Opens the host's address and releases the reset."""
        self._loop = asyncio.get_running_loop()
        self._origin_s = self._loop.time()
        self._host = open_host_side(self.url)
        self.url = self._host.url
        self.board.uart.on_host_bytes = self._host.send
        self._watch()
        self._tick()

    async def stop(self) -> None:
        """Ends firmware and listener."""
        if self._timer:
            self._timer.cancel()
        self._mcu.close()
        host, self._host = self._host, None
        if host:
            self._watch()
            host.close()

    def obey(self, command: Command) -> None:
        """Carries a command out now."""
        self._catch_up()
        obey(self.board, command)

    def _now_us(self) -> int:
        return self._start_us + round((self._loop.time() - self._origin_s) * 1e6)

    def _catch_up(self) -> None:
        self._mcu.run_until(max(self._now_us(), self.board.now_us))

    def _tick(self) -> None:
        self._catch_up()
        self._watch()
        # One call a firmware cycle: everything on the board that is due before the chip wakes is done then.
        next_us = self.board.now_us + 1000
        until_us = self._mcu.wake_us()
        if until_us is not None and until_us > self.board.now_us:
            next_us = min(next_us, until_us)
        at_s = self._origin_s + (next_us - self._start_us) / 1e6
        self._timer = self._loop.call_at(math.nextafter(at_s, math.inf), self._tick)

    def _watch(self) -> None:
        """Waits for what the host side wants to be waited for at the moment."""
        # A host that floods the line waits in its socket.
        room = self._host is not None and self.board.uart.host_free >= CHUNK
        wanted = set(self._host.listeners()) if self._host and room else set()
        for fd in self._watched - wanted:
            self._loop.remove_reader(fd)
        for fd in wanted - self._watched:
            self._loop.add_reader(fd, self._readable)
        self._watched = wanted

    def _readable(self) -> None:
        if self._host is None:
            return
        data = self._host.receive()
        self._watch()
        if data:
            self._catch_up()
            self.board.uart.host_send(data, self.board.now_us)
