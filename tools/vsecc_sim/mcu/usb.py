"""The console's USB cable: a port of the computer on one side, the chip's console on the other.

As with a real chip the port vanishes while the chip is in reset and comes back some time after its start; the
cable can be pulled and plugged.
"""

from __future__ import annotations

import contextlib
import os
import select
import time

from vsecc_sim.mcu.hostside import CHUNK, HostSide, open_host_side

# From the start of the chip until the computer shows the port.
ENUMERATION_US = 200_000
UNREAD_S = 0.5


class UsbConsole:
    """`url`: `pty://PATH` or `tcp://HOST:PORT`. The chip's ends are passed to its process."""

    def __init__(self, url: str) -> None:
        """The port is there from the first start on."""
        self._host: HostSide | None = open_host_side(url)
        self.url = self._host.url
        self.plugged = True
        self._attach_us: int | None = None
        self._to_chip = self._from_chip = -1
        self._chip_fds: list[int] = []
        self._waiting = b""
        self._unread = b""
        self._taken_at_s = 0.0

    def chip_ends(self) -> tuple[int, int]:
        """New descriptors for a chip that starts: what it reads and what it writes."""
        self._close_pipes()
        chip_reads, self._to_chip = os.pipe()
        self._from_chip, chip_writes = os.pipe()
        os.set_blocking(self._to_chip, False)
        self._chip_fds = [chip_reads, chip_writes]
        return chip_reads, chip_writes

    def started(self, now_us: int) -> None:
        """The chip has its ends; the computer will see the port soon."""
        for fd in self._chip_fds:
            os.close(fd)
        self._chip_fds = []
        self._attach_us = now_us + ENUMERATION_US

    def stopped(self) -> None:
        """The chip is in reset: the port is gone."""
        self._attach_us = None
        self._detach()

    def pull(self) -> None:
        """Takes the cable out."""
        self.plugged = False
        self._detach()

    def plug(self, now_us: int) -> None:
        """Puts the cable in again."""
        self.plugged = True
        if self._attach_us is None:
            self._attach_us = now_us + ENUMERATION_US

    def tick(self, now_us: int) -> None:
        """Shows the port when it is time, and moves what could not move before."""
        if self._unread:
            self._offer()
        self._feed()
        if self._attach_us is not None and now_us >= self._attach_us:
            self._attach_us = None
            if self.plugged and self._host is None and self._from_chip >= 0:
                self._host = open_host_side(self.url)

    def listeners(self) -> list[int]:
        """Descriptors that become readable when there is something to move."""
        own = [self._from_chip] if self._from_chip >= 0 and not self._unread else []
        return [*own, *self._host.listeners()] if self._host and not self._waiting else own

    def move(self) -> None:
        """Moves what is there in both directions; what the chip prints into no cable is lost."""
        if not self._unread and self._from_chip >= 0 and _readable(self._from_chip):
            data = os.read(self._from_chip, CHUNK)
            if not data:
                self._close_pipes()
            elif self._host:
                self._unread, self._taken_at_s = data.replace(b"\n", b"\r\n"), time.monotonic()
                self._offer()
        if self._host and not self._waiting:
            self._waiting = self._host.receive()
        self._feed()

    def close(self) -> None:
        """Ends it."""
        self._detach()
        self._close_pipes()

    def _feed(self) -> None:
        if self._waiting and self._to_chip >= 0:
            with contextlib.suppress(OSError):
                self._waiting = self._waiting[os.write(self._to_chip, self._waiting) :]

    def _offer(self) -> None:
        """A computer that does not read holds the chip's output up, for a while."""
        taken = self._host.send(self._unread) if self._host else len(self._unread)
        if taken:
            self._unread, self._taken_at_s = self._unread[taken:], time.monotonic()
        elif time.monotonic() - self._taken_at_s > UNREAD_S:
            self._unread = b""

    def _detach(self) -> None:
        self._waiting = self._unread = b""
        if self._host:
            self._host.close()
            self._host = None

    def _close_pipes(self) -> None:
        for fd in (self._to_chip, self._from_chip):
            if fd >= 0:
                os.close(fd)
        self._to_chip = self._from_chip = -1


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])
