"""Board and firmware inside this process, driven by the event loop's own clock: exact in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import tty
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.commands import Command, obey
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
        self._server: asyncio.Server | None = None
        self._host: asyncio.BaseTransport | None = None
        self._pty: Path | None = None
        self._slave = -1

    async def start(self) -> None:
        """Opens the host's address and releases the reset."""
        self._loop = asyncio.get_running_loop()
        self._origin_s = self._loop.time()
        self.board.uart.on_host_bytes = self._to_host
        await self._listen()
        self._tick()

    async def stop(self) -> None:
        """Ends firmware and listener."""
        if self._timer:
            self._timer.cancel()
        self._mcu.close()
        if self._server:
            self._server.close()
        if self._host:
            self._host.close()
        if self._pty:
            with contextlib.suppress(OSError):
                self._pty.unlink()
            os.close(self._slave)
        await asyncio.sleep(0)

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
        # One call a firmware cycle: everything on the board that is due before the chip wakes is done then.
        next_us = self.board.now_us + 1000
        until_us = self._mcu.wake_us()
        if until_us is not None and until_us > self.board.now_us:
            next_us = min(next_us, until_us)
        at_s = self._origin_s + (next_us - self._start_us) / 1e6
        self._timer = self._loop.call_at(math.nextafter(at_s, math.inf), self._tick)

    async def _listen(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme == "tcp" and parts.hostname is not None and parts.port is not None:
            self._server = await self._loop.create_server(lambda: _Host(self), parts.hostname, parts.port)
            name = self._server.sockets[0].getsockname()
            self.url = f"tcp://{name[0]}:{name[1]}"
        elif parts.scheme == "pty":
            await self._open_pty(Path(parts.netloc + parts.path))
        else:
            raise ValueError(f"{self.url!r} is neither tcp://HOST:PORT nor pty://PATH")

    async def _open_pty(self, path: Path) -> None:
        master, self._slave = os.openpty()
        tty.setraw(self._slave)
        if path.is_symlink():
            path.unlink()
        path.symlink_to(os.ttyname(self._slave))
        self._pty = path
        host = _Host(self)
        await self._loop.connect_read_pipe(lambda: host, os.fdopen(os.dup(master), "rb", 0))
        self._host, _ = await self._loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(master, "wb", 0))

    def host_connected(self, transport: asyncio.BaseTransport) -> None:
        """A host is there; an earlier one is dropped."""
        if self._host and self._server:
            self._host.close()
        self._host = transport

    def host_sent(self, data: bytes) -> None:
        """The host put bytes on the line."""
        self._catch_up()
        self.board.uart.host_send(data, self.board.now_us)

    def _to_host(self, data: bytes) -> None:
        if isinstance(self._host, asyncio.WriteTransport) and not self._host.is_closing():
            self._host.write(data)


class _Host(asyncio.Protocol):
    """Connection of the host."""

    def __init__(self, mcu: LocalMcu) -> None:
        self._mcu = mcu

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TCP host; the reading end of a pty cannot be written to."""
        if isinstance(transport, asyncio.WriteTransport):
            self._mcu.host_connected(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the host."""
        self._mcu.host_sent(data)
