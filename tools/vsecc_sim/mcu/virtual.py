"""Board and chip in step on virtual time: it moves only as far as the caller lets it, as fast as possible."""

from __future__ import annotations

from typing import Protocol

from vsecc_sim.mcu.board import CAUSE_WATCHDOG, Board

# From the release of reset to the first line of the firmware: boot ROM, interpreter and file system.
BOOT_US = 100_000


class Chip(Protocol):
    """What executes the firmware. `until_us`: when its present idle ends; None while it hangs or is dead."""

    until_us: int | None

    @property
    def alive(self) -> bool:
        """False when nothing is left that could run."""
        ...

    def start(self) -> None:
        """Starts the firmware from reset and runs it to its first idle."""
        ...

    def resume(self) -> None:
        """Ends the idle and runs the firmware to its next one."""
        ...

    def kill(self) -> None:
        """Ends it; pins stay as they are."""
        ...


class VirtualMcu:
    """Runs a chip and its board through virtual time, restarts included."""

    def __init__(self, board: Board, chip: Chip) -> None:
        """Powered at the board's present time, reset not yet released."""
        self.board = board
        self.chip = chip
        self._boot_us: int | None = board.now_us

    def wake_us(self) -> int | None:
        """When the firmware goes on next; None while it hangs."""
        return self._boot_us if self._boot_us is not None else self.chip.until_us

    def run_until(self, to_us: int) -> None:
        """Lets both run until that time."""
        board, chip = self.board, self.chip
        while True:
            self._after_reset()
            due = self.wake_us()
            if due is None or due > to_us:
                # Nothing computes: only the board moves, up to whatever may reset the chip.
                own = board.next_us()
                board.advance(to_us if own is None else min(own, to_us))
                if board.now_us >= to_us and (board.reset_cause is None or self._boot_us is not None):
                    return
                continue
            board.advance(due)
            if self._boot_us is not None:
                self._boot_us = None
                board.boot()
                chip.start()
            elif board.reset_cause is None:
                chip.resume()

    def run_for(self, span_us: int) -> None:
        """Lets both run for a while."""
        self.run_until(self.board.now_us + span_us)

    def close(self) -> None:
        """Ends the firmware."""
        self.chip.kill()

    def _after_reset(self) -> None:
        """Ends a chip that was reset or died, and sets the time of its next start."""
        board = self.board
        if (
            board.reset_cause is None
            and not self.chip.alive
            and self._boot_us is None
            and not board.watchdog_armed
        ):
            # A dead program that had armed no watchdog would stay dead; the emulator starts it again.
            board.reset(CAUSE_WATCHDOG)
        if board.reset_cause is not None and self._boot_us is None:
            self.chip.kill()
            self._boot_us = board.now_us + BOOT_US
