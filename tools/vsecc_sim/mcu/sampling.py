"""The chip's converter running freely over both pilots: its samples up to a moment, as 12-bit codes."""

from __future__ import annotations

from array import array
from types import ModuleType

from vsecc_sim.mcu.board import PORTS, Board

ADC_CLOCK_MHZ = 48
CS_START_MANY = 1 << 3
# Older samples have been overwritten in any ring the firmware can hold.
NEWEST_SAMPLES = 1024
_CODES = 4096


class PilotSampling:
    """Sample times follow the divider register, so the grid drifts against the pilot as on the chip."""

    def __init__(self, board: Board, table: ModuleType) -> None:
        """Not running."""
        self._board = board
        self._zero_mv: int = table.PILOT_ZERO_MV
        self._span_mv: int = table.PILOT_SPAN_MV
        self._step_ns = 2000
        self._running = False
        self._start_ns = 0
        self._taken = 0
        self._count = 0
        self._buffer: array[int] = array("H")
        for port in board.ports.values():
            port.before_change.append(self.catch_up)

    def set_divider(self, value: int) -> None:
        """DIV register: integer part in bits 8 and up, 1/256 below."""
        self._step_ns = max(2000, (256 + value) * 1000 // (256 * ADC_CLOCK_MHZ))

    def set_control(self, value: int, at_us: int) -> None:
        """CS register; starts the free run when asked to."""
        running = bool(value & CS_START_MANY)
        if running and not self._running:
            self._start_ns = at_us * 1000
            self._taken = self._count = 0
        self._running = running

    def stop(self) -> None:
        """The chip was reset."""
        self._running = False
        self._buffer = array("H")
        self._count = 0

    def catch_up(self, to_us: int) -> None:
        """Takes the samples up to a moment, the lines being as they are now."""
        if not self._running:
            return
        # Whole rounds only, so that the first sample of a batch always belongs to port 1.
        rounds = (to_us * 1000 - self._start_ns) // (2 * self._step_ns) - self._taken // 2
        if rounds <= 0:
            return
        newest = min(rounds, NEWEST_SAMPLES // 2)
        first = self._taken + 2 * (rounds - newest)
        batch = array("H", bytes(4 * newest))
        for index, number in enumerate(PORTS):
            first_ns = self._start_ns + (first + index) * self._step_ns
            values = array("H")
            for count, millivolts in self._board.ports[number].readings_mv(
                first_ns, 2 * self._step_ns, newest
            ):
                values.extend(array("H", (self._code(millivolts),)) * count)
            batch[index::2] = values
        self._buffer.extend(batch)
        self._taken += 2 * rounds
        self._count += 2 * rounds

    def _code(self, millivolts: int) -> int:
        return max(0, min(_CODES - 1, (millivolts - self._zero_mv) * _CODES // self._span_mv))

    def take(self, now_us: int) -> tuple[int, bytes]:
        """How many samples were taken since the last call, and the newest of them."""
        self.catch_up(now_us)
        total, self._count = self._count, 0
        newest = self._buffer[-NEWEST_SAMPLES:]
        self._buffer = array("H")
        return total, newest.tobytes()
