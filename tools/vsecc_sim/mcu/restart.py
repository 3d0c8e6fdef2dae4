"""When the chip starts: at power-on, after a reset, and after a death that nothing on the board would see."""

from __future__ import annotations

from typing import Protocol

from vsecc_sim.mcu.board import CAUSE_WATCHDOG, Board

# From the release of reset to the first line of the firmware: boot ROM, interpreter and file system.
BOOT_US = 100_000


class Mortal(Protocol):
    """What can die and be ended."""

    @property
    def alive(self) -> bool:
        """False when nothing is left that could run."""
        ...

    def kill(self) -> None:
        """Ends it; pins stay as they are."""
        ...


class Restart:
    """`boot_us` is when the firmware starts next, None while it runs."""

    def __init__(self, board: Board, chip: Mortal) -> None:
        """Power is there: the first start is now."""
        self._board = board
        self._chip = chip
        self.boot_us: int | None = board.now_us

    @property
    def wanted(self) -> bool:
        """True when the chip was reset and has not been ended yet."""
        return self.boot_us is None and (self._board.restart or self._board.reset_cause is not None)

    def check(self) -> None:
        """Ends a chip that was reset or died, and sets the time of its next start."""
        board = self._board
        if self.boot_us is None and not self.wanted and not self._chip.alive and not board.watchdog_armed:
            # A dead program that had armed no watchdog would stay dead; the emulator starts it again.
            board.reset(CAUSE_WATCHDOG)
        if self.wanted:
            self._chip.kill()
            self.boot_us = board.now_us + BOOT_US

    def due(self) -> bool:
        """True once, when the firmware is to be started; the board has been told then."""
        if self.boot_us is None or self.boot_us > self._board.now_us:
            return False
        if self._board.held_in_reset:
            self.boot_us = self._board.now_us + BOOT_US
            return False
        self.boot_us = None
        self._board.boot()
        return True
