"""Board and chip in step on virtual time: it moves only as far as the caller lets it, as fast as possible."""

from __future__ import annotations

from typing import Protocol

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.restart import Mortal, Restart


class Chip(Mortal, Protocol):
    """What executes the firmware. `until_us`: when its present idle ends; None while it hangs or is dead."""

    until_us: int | None

    def start(self) -> None:
        """Starts the firmware from reset and runs it to its first idle."""
        ...

    def resume(self) -> None:
        """Ends the idle and runs the firmware to its next one."""
        ...


class VirtualMcu:
    """Runs a chip and its board through virtual time, restarts included."""

    def __init__(self, board: Board, chip: Chip) -> None:
        """Powered at the board's present time, reset not yet released."""
        self.board = board
        self.chip = chip
        self._restart = Restart(board, chip)

    def wake_us(self) -> int | None:
        """When the firmware goes on next; None while it hangs."""
        boot_us = self._restart.boot_us
        return self.chip.until_us if boot_us is None else boot_us

    def run_until(self, to_us: int) -> None:
        """Lets both run until that time."""
        board, chip, restart = self.board, self.chip, self._restart
        while True:
            restart.check()
            due = self.wake_us()
            if due is None or due > to_us:
                # Nothing computes: only the board moves, up to whatever may reset the chip.
                own = board.next_us()
                board.advance(to_us if own is None else min(own, to_us))
                if board.now_us >= to_us and not restart.wanted:
                    return
                continue
            board.advance(due)
            if restart.due():
                chip.start()
            elif chip.until_us is not None and not restart.wanted:
                chip.resume()

    def run_for(self, span_us: int) -> None:
        """Lets both run for a while."""
        self.run_until(self.board.now_us + span_us)

    def close(self) -> None:
        """Ends the firmware."""
        self.chip.kill()
