"""The MCU emulator for simulators and tests: real firmware behind `tcp://` or `pty://`, car side by call."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vsecc_sim.mcu import commands
from vsecc_sim.mcu.faults import FAULTS
from vsecc_sim.mcu.firmware import search_path
from vsecc_sim.mcu.interpreter import Interpreter, InterpreterUnavailable, find_micropython, this_python
from vsecc_sim.mcu.local import LocalMcu
from vsecc_sim.mcu.trace import Entry, Trace

logger = logging.getLogger(__name__)

INTERPRETERS = ("auto", "micropython", "cpython")
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 2.0
# A loop whose clock differs by more from the real one runs in virtual time.
_REAL_TIME_WITHIN_S = 1.0
_ENTRIES = 20_000
# What a Pico leaves to files: 352 blocks of 4096 bytes.
FLASH_BYTES = 352 * 4096


@dataclasses.dataclass(frozen=True, slots=True)
class FlashSettings:
    """File that holds the chip's flash, URL of its console, and a file to note every write in."""

    path: Path
    console: str
    journal: Path | None = None

    def as_data(self) -> dict[str, str | None]:
        """For the emulator's process; an absent flash is made, erased."""
        if not self.path.exists():
            self.path.write_bytes(b"\xff" * FLASH_BYTES)
        journal = str(self.journal) if self.journal else None
        return {"path": str(self.path), "console": self.console, "journal": journal}


class EvSide:
    """The car's end of one pilot line."""

    def __init__(self, mcu: McuEmulator, port: int) -> None:
        """Of one port."""
        self._mcu = mcu
        self._port = port

    def set_state(self, state: str) -> None:
        """A (unplugged), B, C or D."""
        self._mcu.command(commands.ev(self._port, state=state))

    def set_resistance(self, ohm: float | None) -> None:
        """Any resistance behind the diode; None: nothing connected."""
        self._mcu.command(commands.ev(self._port, resistance_ohm=ohm))


class RelayView:
    """What a wire at the relay's contact would tell."""

    def __init__(self) -> None:
        """Open."""
        self.closed = False
        self.driven = False


class McuEmulator:
    """`async with McuEmulator() as mcu:`; `mcu.url` is where the host connects.

    With real time it runs in processes of its own, MicroPython where there is one; with virtual time
    (or with `in_process=True`) the firmware runs on CPython inside this process, by `loop.time()` alone.
    """

    FAULTS = tuple(sorted(FAULTS))

    def __init__(
        self,
        url: str = "tcp://127.0.0.1:0",
        *,
        interpreter: str = "auto",
        seed: int = 0,
        start_us: int = 0,
        in_process: bool | None = None,
        flash: FlashSettings | None = None,
    ) -> None:
        """Starts nothing. `start_us` is the first reading of the chip's clock.

        With `flash` the chip boots from that file, as a new one an empty one, and has a console.
        """
        if interpreter not in INTERPRETERS:
            raise ValueError(f"interpreter {interpreter!r}: not one of {', '.join(INTERPRETERS)}")
        self.url = url
        self.trace = Trace(_ENTRIES)
        self.interpreter: Interpreter = this_python()
        self.on_change: list[Callable[[Entry], None]] = []
        self.boots = 0
        self.pid: int | None = None
        self._wanted = interpreter
        self._seed = seed
        self._start_us = start_us
        self._in_process = in_process
        self._flash = flash
        self.console_url: str | None = None
        self._relays = {number: RelayView() for number in (1, 2, 3)}
        self._duty_permille = {1: 0, 2: 0}
        # What wires at the terminals would tell: bit 0 = OUT1; pattern of system LED and ports; bolt by port.
        self.outputs = 0
        self.leds = [0, 0, 0, 0]
        self.locked = {1: False, 2: False}
        self._local: LocalMcu | None = None
        self._worker: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    def resize_trace(self, limit: int) -> None:
        """Keep this many trace entries from now on."""
        self.trace.resize(limit)
        if self._local is not None:
            self._local.board.trace.resize(limit)

    async def __aenter__(self) -> McuEmulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts board and firmware; `url` is final when this returns."""
        virtual = abs(asyncio.get_running_loop().time() - time.monotonic()) > _REAL_TIME_WITHIN_S
        in_process = virtual if self._in_process is None else self._in_process
        if self._flash and (in_process or self._wanted == "cpython"):
            raise ValueError("a chip with flash needs MicroPython in real time")
        if in_process and self._wanted == "micropython":
            raise ValueError(
                "MicroPython runs in real time only; virtual time needs the interpreter auto or cpython"
            )
        if in_process:
            self._local = LocalMcu(self.url, seed=self._seed, start_us=self._start_us, on_entry=self._note)
            await self._local.start()
            self.url = self._local.url
        else:
            await self._start_worker(self._choose())

    def _choose(self) -> Interpreter | None:
        """The MicroPython to use, None for CPython."""
        found = None if self._wanted == "cpython" else find_micropython()
        if found is None and (self._wanted == "micropython" or self._flash):
            raise InterpreterUnavailable(
                "no MicroPython here: `vsecc sim interpreter --fetch` gets one, or set MICROPYTHON"
            )
        if found is None and self._wanted == "auto":
            logger.info("no MicroPython here, the firmware runs on CPython")
        return found

    async def stop(self) -> None:
        """Ends firmware, board and host line."""
        if self._local:
            await self._local.stop()
            self._local = None
        worker, self._worker = self._worker, None
        if worker:
            if worker.stdin:
                worker.stdin.close()
            try:
                await asyncio.wait_for(worker.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                worker.kill()
                await worker.wait()
        if self._reader:
            await self._reader
            self._reader = None

    async def ended(self) -> None:
        """Returns when the emulator's process has ended by itself; never while it runs in this process."""
        if self._worker is None:
            await asyncio.get_running_loop().create_future()
        else:
            await self._worker.wait()

    def ev(self, port: int) -> EvSide:
        """The car's end of a port."""
        return EvSide(self, port)

    def relay(self, number: int) -> RelayView:
        """Contact and drive of REL1 to REL3."""
        return self._relays[number]

    def pilot_duty_permille(self, port: int) -> int:
        """What the car measures: 0 steady -12 V, 1000 steady +12 V, between the duty of the PWM."""
        return self._duty_permille[port]

    def inject(self, name: str, active: bool = True, *, port: int = 1, value: float | None = None) -> None:
        """Applies or removes a fault of `FAULTS`; `port`: number of the port, relay, output or sensor."""
        if name not in FAULTS:
            raise ValueError(f"fault {name!r}: not one of {', '.join(self.FAULTS)}")
        self.command(commands.fault(name, port, active, value))

    def drive_inputs(self, values: dict[str, Any]) -> None:
        """Inputs by terminal, see `commands.inputs`; ValueError for one that is not there."""
        self.command(commands.inputs(values))

    def plug_console(self, plugged: bool) -> None:
        """The cable between the chip's console and the computer; needs flash."""
        self.command({"do": "usb", "plugged": plugged})

    def command(self, command: commands.Command) -> None:
        """Has the board carry a command out."""
        if self._local:
            self._local.obey(command)
        elif self._worker and self._worker.stdin and not self._worker.stdin.is_closing():
            self._worker.stdin.write(json.dumps(command).encode() + b"\n")

    async def _start_worker(self, interpreter: Interpreter | None) -> None:
        self.interpreter = interpreter or this_python()
        folders = [str(path) for path in (*_package_folders(), *search_path())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders))}
        self._worker = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-P", "-m", "vsecc_sim.mcu.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        settings = {
            "url": self.url,
            "seed": self._seed,
            "start_us": self._start_us,
            "interpreter": dataclasses.asdict(interpreter) if interpreter else None,
            "flash": self._flash.as_data() if self._flash else None,
        }
        assert self._worker.stdin and self._worker.stdout
        self._worker.stdin.write(json.dumps(settings).encode() + b"\n")
        line = await asyncio.wait_for(self._worker.stdout.readline(), START_TIMEOUT_S)
        first = json.loads(line or b'{"error": "the emulator process ended at once"}')
        if "error" in first:
            await self.stop()
            raise OSError(first["error"])
        self.url = first["ready"]
        self.console_url = first["console"]
        self._reader = asyncio.get_running_loop().create_task(self._read_worker(self._worker.stdout))

    async def _read_worker(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            message = json.loads(line)
            if "pid" in message:
                self.pid = message["pid"]
            else:
                value = message["value"]
                self._note(
                    Entry(message["at"], message["name"], tuple(value) if isinstance(value, list) else value)
                )
        if self._worker is not None:
            logger.error("the emulator process ended, status %s", await self._worker.wait())

    def _note(self, entry: Entry) -> None:
        """Keeps the views current and tells the listeners."""
        kind, _, what = entry.name.partition(".")
        if kind.startswith("relay"):
            view = self._relays[int(kind[-1])]
            if what == "closed":
                view.closed = bool(entry.value)
            else:
                view.driven = bool(entry.value)
        elif kind.startswith("pilot") and isinstance(entry.value, int):
            self._duty_permille[int(kind[-1])] = entry.value
        elif kind == "boot":
            self.boots += 1
        elif kind == "outputs" and isinstance(entry.value, int):
            self.outputs = entry.value
        elif kind.startswith("led") and isinstance(entry.value, int):
            self.leds[int(kind[-1])] = entry.value
        elif kind.startswith("lock") and not what:
            self.locked[int(kind[-1])] = bool(entry.value)
        self.trace.add(*entry)
        for listener in self.on_change:
            listener(entry)


def _package_folders() -> list[str]:
    """Where `vsecc_sim` itself was imported from."""
    import vsecc_sim

    return [os.path.dirname(os.path.abspath(path)) for path in vsecc_sim.__path__]
