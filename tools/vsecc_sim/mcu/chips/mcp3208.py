"""MCP3208 / MCP3204, bit by bit as in the data sheet's timing diagram (DS21298)."""

from __future__ import annotations

from collections.abc import Callable

# `level(channel, at_us)`: voltage at an input as part of the reference, 0 to 1.
Level = Callable[[int, int], float]
CODES = 4096
_COMMAND_BITS = 4  # single-ended or differential, D2, D1, D0
_SAMPLE_BITS = 1
_NULL_BITS = 1
_RESULT_BITS = 12


class Mcp3208:
    """Single-ended conversions; differential ones read as 0."""

    def __init__(self, level: Level, inputs: int = 8) -> None:
        """`inputs`: 8, or 4 for the smaller chip, which ignores D2."""
        self._level = level
        self._inputs = inputs

    def transfer(self, mosi: bytes, at_us: int) -> bytes:
        """Answers one conversation; the output floats high until the null bit."""
        bits = [byte >> 7 - bit & 1 for byte in mosi for bit in range(8)]
        out = [1] * len(bits)
        if 1 not in bits:
            return bytes([0xFF] * len(mosi))
        start = bits.index(1) + 1
        command = bits[start : start + _COMMAND_BITS]
        first = start + _COMMAND_BITS + _SAMPLE_BITS
        if len(command) < _COMMAND_BITS or first >= len(bits):
            return bytes([0xFF] * len(mosi))
        code = self._code(command, at_us)
        result = [code >> _RESULT_BITS - 1 - bit & 1 for bit in range(_RESULT_BITS)]
        # Clocked on, the chip repeats the result from its lowest bit, then gives zeros.
        stream = [0] * _NULL_BITS + result + result[-2::-1]
        for index in range(first, len(bits)):
            at = index - first
            out[index] = stream[at] if at < len(stream) else 0
        return bytes(sum(out[8 * index + bit] << 7 - bit for bit in range(8)) for index in range(len(mosi)))

    def _code(self, command: list[int], at_us: int) -> int:
        if not command[0]:
            return 0
        channel = (command[1] << 2 | command[2] << 1 | command[3]) % self._inputs
        return max(0, min(CODES - 1, int(self._level(channel, at_us) * CODES)))
