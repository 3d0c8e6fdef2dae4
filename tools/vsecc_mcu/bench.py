"""An emulated device with flash, console and host line, for tests and the demo: plain calls, no loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from vsecc_sim.mcu.service import FlashSettings, McuEmulator

T = TypeVar("T")
PORT_TIMEOUT_S = 10.0
SUPPLY_V = 24


class Bench:
    """`with Bench(folder) as bench:` one device on the bench; `port` and `link` as the commands take them."""

    def __init__(self, folder: Path, *, flash: str = "chip.flash", journal: str | None = None) -> None:
        """The flash file is made where it is not there yet, erased."""
        self.flash_path = folder / flash
        self.journal_path = folder / journal if journal else None
        self.port = f"pty://{folder / 'console'}"
        self._console_path = folder / "console"
        settings = FlashSettings(self.flash_path, self.port, self.journal_path)
        self.mcu = McuEmulator("tcp://127.0.0.1:0", flash=settings, in_process=False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Bench:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.mcu.start(), self._loop).result()
        self.wait_for_port()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.mcu.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def link(self) -> str:
        """The line to the host."""
        return self.mcu.url

    def pull(self) -> None:
        """The console's cable goes; returns when the port is gone."""
        self._do(lambda: self.mcu.plug_console(False))
        self._wait(lambda: not self._console_path.is_symlink())

    def plug(self) -> None:
        """The cable is there again; the port follows when the chip runs."""
        self._do(lambda: self.mcu.plug_console(True))

    def power_off(self) -> None:
        """Power goes, at once; returns when the chip's process is dead."""
        self._do(lambda: self.mcu.drive_inputs({"supply": 0}))
        self._wait(lambda: not self._console_path.is_symlink())

    def power_on(self) -> None:
        """Power comes back; returns when the port is there."""
        self._do(lambda: self.mcu.drive_inputs({"supply": SUPPLY_V}))
        self.wait_for_port()

    def inject(self, fault: str) -> None:
        """A fault of the emulator, from now on."""
        self._do(lambda: self.mcu.inject(fault))

    def wait_for_port(self) -> None:
        """Until the computer sees the console."""
        self._wait(self._console_path.is_symlink)

    def _do(self, action: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(action)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PORT_TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the emulated device does not follow")
            time.sleep(0.002)
