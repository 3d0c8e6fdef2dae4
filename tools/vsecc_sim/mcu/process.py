"""The chip as a process of its own: the real firmware on the shims, in step with the board."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vsecc_sim.mcu.board import CAUSE_COMMANDED, Board
from vsecc_sim.mcu.firmware import MACHINE_NAME, SHIMS, calibration_of, pin_table, search_path
from vsecc_sim.mcu.interpreter import Interpreter
from vsecc_sim.mcu.pins import HEADER, MAGIC, RECORD, TICKS_MASK, ChipPins, ResetRequested, SoftResetRequested
from vsecc_sim.mcu.usb import UsbConsole

# MicroPython's heap on the RP2350; objects of the 32-bit build have the target's size.
HEAP = "497k"
# Firmware that computes for so long in virtual time without idling counts as hung.
REPLY_TIMEOUT_S = 2.0
START_TIMEOUT_S = 10.0
STDERR_FD = 2
_HALF = 0x20000000
# By then the program stands and has read its files.
IDLES_OF_A_START = 100
# What a message of the chip is; else an idle.
KIND_GREETING = 1
KIND_SPI = 2


@dataclass(frozen=True, slots=True)
class FlashFile:
    """The chip's flash as a file, which the program comes from; the journal notes every program and erase."""

    path: Path
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """How to start the chip: with which interpreter (None: CPython), by which clock, from which flash."""

    interpreter: Interpreter | None
    wall_clock: bool
    flash: FlashFile | None = None

    def argv(
        self,
        reader: int,
        writer: int,
        console: tuple[int, int] | None = None,
        raw: bool = False,
        calibration: str = "",
        crash: str = "",
    ) -> list[str]:
        """The command line of the interpreter process; `raw`: it stays at the raw prompt after boot.py.

        `calibration`, `crash`: files of a chip that has no flash of its own; empty: there is none.
        """
        if self.flash and console:
            assert self.interpreter is not None
            arguments = [
                str(SHIMS / "power_on.py"), str(reader), str(writer), *map(str, console),
                str(self.flash.path), str(self.flash.journal or ""), "raw" if raw else "",
            ]  # fmt: skip
            return self.interpreter.argv("-X", f"heapsize={self._heap()}", *arguments)
        arguments = [
            str(SHIMS / "start.py"), str(reader), str(writer), "wall" if self.wall_clock else "virtual",
            MACHINE_NAME, calibration, crash, *search_path(),
        ]  # fmt: skip
        if self.interpreter is None:
            return [sys.executable, "-S", "-E", *arguments]
        return self.interpreter.argv("-X", f"heapsize={self._heap()}", *arguments)

    def _heap(self) -> str:
        return HEAP if self.interpreter and self.interpreter.arch in ("i386", "armhf") else "1M"


class ProcessChip:
    """One chip on one board. `until_us`: when its present idle ends; None while it computes or is dead."""

    def __init__(self, board: Board, settings: ProcessSettings, usb: UsbConsole | None = None) -> None:
        """Not started. A chip with flash has a console behind `usb`."""
        self._board = board
        self._settings = settings
        self._pins = ChipPins(board, pin_table())
        self._process: subprocess.Popen[bytes] | None = None
        self._read_fd = self._write_fd = -1
        self._input = bytearray()
        self._usb = usb
        self._soft_reset: SoftResetRequested | None = None
        self._calibration: Path | None = None
        # Stands for the one file of its flash that such a chip writes.
        self._folder = tempfile.TemporaryDirectory(prefix="vsecc-mcu-")
        self._crash_file = f"{self._folder.name}/crash"
        self._idles = 0  # since the start
        self.until_us: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """True while the process can still answer."""
        return self._read_fd >= 0

    def fileno(self) -> int:
        """Readable when the chip has something to say."""
        return self._read_fd

    def start(self) -> None:
        """Starts the interpreter and waits for its greeting; the board must have been told to boot before."""
        self.spawn()
        self.receive(START_TIMEOUT_S)

    def spawn(self) -> None:
        """Starts the interpreter without waiting."""
        self.kill()
        self._pins.reset()
        chip_reads, self._write_fd = os.pipe()
        self._read_fd, chip_writes = os.pipe()
        ends = self._usb.chip_ends() if self._usb else None
        soft, self._soft_reset = self._soft_reset, None
        raw = soft is not None and soft.raw
        try:
            # What the firmware prints is for a person; standard output may carry the worker's lines.
            self._process = subprocess.Popen(
                self._settings.argv(
                    chip_reads, chip_writes, ends, raw, self._calibration_file(), self._crash_file
                ),
                pass_fds=(chip_reads, chip_writes, *(ends or ())),
                stdin=subprocess.DEVNULL,
                stdout=ends[1] if ends else STDERR_FD,
                stderr=ends[1] if ends else None,
                process_group=0,  # Ctrl-C at the terminal is for whoever started the emulator
            )
        finally:
            os.close(chip_reads)
            os.close(chip_writes)
            if self._usb:
                self._usb.started(self._board.now_us)
        self._input.clear()

    def kill(self) -> None:
        """Ends the process; pins stay as they are."""
        self.until_us = None
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
        for fd in (self._read_fd, self._write_fd):
            if fd >= 0:
                os.close(fd)
        self._read_fd = self._write_fd = -1
        if process and self._usb and not self._soft_reset:
            self._usb.stopped()
        self._forget_calibration()

    def resume(self) -> None:
        """Ends the idle: inputs in, then waits for the firmware's next idle."""
        self.answer()
        self.receive(REPLY_TIMEOUT_S)

    def answer(self) -> None:
        """Hands the inputs of the board's present time over; the firmware computes on."""
        self.until_us = None
        self._write(self._pins.answer())

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._write_fd, data)
        except OSError:
            self.kill()

    def _forget_calibration(self) -> None:
        """The program has read it, or there is none any more: nothing stays behind on the computer."""
        if self._calibration:
            self._calibration.unlink(missing_ok=True)
            self._calibration = None

    def _calibration_file(self) -> str:
        """Name of a fresh file as a calibrated board has it; empty for a board without, or with flash."""
        if self._settings.flash or not self._board.calibrated:
            return ""
        self._idles = 0
        handle, name = tempfile.mkstemp(prefix="vsecc-calibration-")
        self._calibration = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(calibration_of(pin_table()))
        return name

    def receive(self, timeout_s: float) -> bool:
        """Takes the firmware's next report; False when none came in time or the process is gone.

        Without a time the caller knows that there is something to read. What the firmware asks of the SPI bus
        on the way is answered at once.
        """
        while True:
            while not self._complete():
                if not self.alive or (timeout_s and not select.select([self._read_fd], [], [], timeout_s)[0]):
                    return False
                data = os.read(self._read_fd, 65536)
                if not data:
                    self.kill()
                    return False
                self._input += data
            if self._take() or not timeout_s:
                return True

    def _complete(self) -> bool:
        if len(self._input) < HEADER.size:
            return False
        records, tx_count = HEADER.unpack_from(self._input)[1:3]
        wanted: int = HEADER.size + RECORD.size * records + tx_count
        return len(self._input) >= wanted

    def _take(self) -> bool:
        """One message of the chip; False for a request that was answered, the chip computes on."""
        magic, records, tx_count, kind, now_ticks, until_ticks = HEADER.unpack_from(self._input)
        if magic != MAGIC:
            self.kill()
            return True
        middle = HEADER.size + RECORD.size * records
        body, tx = bytes(self._input[HEADER.size : middle]), bytes(self._input[middle : middle + tx_count])
        del self._input[: middle + tx_count]
        try:
            self._pins.apply(body)
        except ResetRequested:
            self._board.reset(CAUSE_COMMANDED)
            return True
        except SoftResetRequested as request:
            self._soft_reset = request
            self._board.soft_reset()
            return True
        if kind == KIND_SPI:
            self._write(self._pins.transfer(tx, self._chip_time_us(now_ticks)))
            return False
        if tx:
            self._board.uart.mcu_write(tx, self._board.now_us)
        if kind == KIND_GREETING:
            # Its clock starts with the answer.
            self.until_us = self._board.now_us
            return True
        self._idles += 1
        if self._idles == IDLES_OF_A_START:
            self._forget_calibration()
        ahead = ((until_ticks - now_ticks + _HALF) & TICKS_MASK) - _HALF
        self.until_us = self._chip_time_us(now_ticks) + max(0, ahead)
        return True

    def _chip_time_us(self, now_ticks: int) -> int:
        """Board time of the chip's clock; computing has carried it a little ahead of the board."""
        ahead = ((now_ticks - self._board.now_us + _HALF) & TICKS_MASK) - _HALF
        return self._board.now_us + max(0, ahead)
