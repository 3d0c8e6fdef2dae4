"""Process that runs board and chip by the wall clock: a busy host cannot delay the MCU, nor the other way.

Speaks JSON lines: settings on the first line of standard input, then commands; standard output tells `ready`,
then what changes on the board. Ends with its standard input. The host's bytes do not pass here: they go
straight to the emulated UART by TCP or pty.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.commands import obey
from vsecc_sim.mcu.hostside import CHUNK, HostSide, open_host_side
from vsecc_sim.mcu.interpreter import Interpreter
from vsecc_sim.mcu.process import FlashFile, ProcessChip, ProcessSettings
from vsecc_sim.mcu.restart import Restart
from vsecc_sim.mcu.trace import Entry
from vsecc_sim.mcu.usb import UsbConsole

# The board never sleeps longer, so that bytes and pulses move on even when the firmware stands still.
LONGEST_WAIT_US = 2_000
# A busy computer delays the firmware's process, which a chip never sees: emulated time then waits, or the
# keep-alive of the relays would starve without a reason. Firmware that really hangs is told by its silence.
HOLD_US = 4_000
UNRESPONSIVE_S = 0.5
# Where the system allows it (root, CAP_SYS_NICE), board and chip go before what else computes: emulated time
# that waits is a host link that falls silent.
NICENESS = -15


class HeldClock:
    """Wall clock in us that waits for its user: what it had to wait is left out of the emulated time."""

    def __init__(self, start_us: int) -> None:
        """Reads `start_us` now."""
        self._origin_us = time.monotonic_ns() // 1000 - start_us
        self.held_us = 0

    def now_us(self, limit_us: int | None) -> int:
        """The time, not later than the limit."""
        now = time.monotonic_ns() // 1000 - self._origin_us
        if limit_us is not None and now > limit_us:
            self.held_us += now - limit_us
            self._origin_us += now - limit_us
            return limit_us
        return now


class Worker:
    """One board, one chip, one host line, one clock."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Opens the host's address; nothing runs yet."""
        self._clock = HeldClock(settings["start_us"])
        self._board = Board(seed=settings["seed"], start_us=settings["start_us"])
        found = settings["interpreter"]
        interpreter = Interpreter(**{**found, "command": tuple(found["command"])}) if found else None
        flash = settings.get("flash")
        self._usb = UsbConsole(flash["console"]) if flash else None
        journal = Path(flash["journal"]) if flash and flash["journal"] else None
        file = FlashFile(Path(flash["path"]), journal) if flash else None
        self._chip = ProcessChip(
            self._board, ProcessSettings(interpreter, wall_clock=True, flash=file), self._usb
        )
        self._host: HostSide = open_host_side(settings["url"])
        self._restart = Restart(self._board, self._chip)
        self._input = b""
        self._output: list[str] = []
        self._running = True
        self._answered_us: int | None = None
        self._answered_s = 0.0
        self._board.uart.on_host_bytes = self._host.send
        self._board.trace.listeners.append(self._note)
        self._say({"ready": self._host.url, "console": self._usb.url if self._usb else None})

    def run(self) -> None:
        """Runs until standard input ends."""
        try:
            while self._running:
                self._step()
                self._wait()
        finally:
            self._chip.kill()
            self._host.close()
            if self._usb:
                self._usb.close()

    def _now_us(self) -> int:
        """Board time; it never runs far ahead of what the firmware has been able to see."""
        chip = self._chip
        if chip.until_us is not None:
            return self._clock.now_us(chip.until_us + HOLD_US)
        computing = chip.alive and self._answered_us is not None and not self._board.hung
        if not computing or time.monotonic() - self._answered_s > UNRESPONSIVE_S:
            return self._clock.now_us(None)
        return self._clock.now_us((self._answered_us or 0) + HOLD_US)

    def _step(self) -> None:
        """Lets the board catch up with the clock and wakes the chip when its idle is over."""
        board, chip = self._board, self._chip
        now = self._now_us()
        if self._usb:
            self._usb.tick(now)
        idle = chip.until_us is not None and now < chip.until_us and not self._restart.wanted
        if idle and now - board.now_us < LONGEST_WAIT_US:
            return
        board.advance(now)
        self._restart.check()
        if self._restart.due():
            self._answered_us = None
            chip.spawn()
            self._say({"pid": chip.pid})
        elif chip.until_us is not None and chip.until_us <= board.now_us:
            self._answered_us, self._answered_s = board.now_us, time.monotonic()
            chip.answer()

    def _wait(self) -> None:
        chip = self._chip
        # A host that floods the line waits in its socket.
        host_fds = self._host.listeners() if self._board.uart.host_free >= CHUNK else []
        usb_fds = self._usb.listeners() if self._usb else []
        fds = [0, *host_fds, *usb_fds]
        if chip.alive:
            fds.append(chip.fileno())
        self._flush()
        readable, _, _ = select.select(fds, [], [], self._wait_s())
        if not readable:
            return
        if chip.alive and chip.fileno() in readable:
            chip.receive(0.0)
        if self._usb and any(fd in readable for fd in usb_fds):
            self._usb.move()
        if readable == [chip.fileno()]:
            return
        self._board.advance(self._now_us())
        if 0 in readable:
            self._take_commands()
        if any(fd in readable for fd in host_fds):
            data = self._host.receive()
            if data:
                self._board.uart.host_send(data, self._board.now_us)

    def _wait_s(self) -> float:
        now = self._now_us()
        due = now + LONGEST_WAIT_US
        for at in (self._chip.until_us, self._restart.boot_us):
            if at is not None:
                due = min(due, at)
        return max(0, due - now) / 1e6

    def _take_commands(self) -> None:
        data = os.read(0, 65536)
        if not data:
            self._running = False
            return
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if command["do"] == "usb":
                self._plug(command["plugged"])
            else:
                obey(self._board, command)

    def _plug(self, plugged: bool) -> None:
        self._board.trace.add(self._board.now_us, "usb", plugged)
        if self._usb and plugged:
            self._usb.plug(self._board.now_us)
        elif self._usb:
            self._usb.pull()

    def _note(self, entry: Entry) -> None:
        self._say({"at": entry.at_us, "name": entry.name, "value": entry.value})

    def _say(self, message: dict[str, Any]) -> None:
        self._output.append(json.dumps(message))

    def _flush(self) -> None:
        if self._output:
            data = "".join(line + "\n" for line in self._output).encode()
            self._output.clear()
            while data:
                data = data[os.write(1, data) :]


def main() -> None:
    """Entry of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it; its end ends this
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return
        line += byte
    try:
        worker = Worker(json.loads(line))
    except (OSError, ValueError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.exit(1)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)  # the chip's process inherits it
    # A thousand cycles a second make no reference cycles; the collector would only add pauses.
    gc.disable()
    worker.run()


if __name__ == "__main__":
    main()
