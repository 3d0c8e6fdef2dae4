"""MCP3208 / MCP3204: 12-bit converter with eight or four inputs (Microchip DS21298)."""

from mcu.drivers import DEAD_AFTER

_START_SINGLE_ENDED = 6
# Before the null bit the output floats and the pull-up gives ones; a stuck line shows in this pattern.
_IDLE = 0xFF
_LEAD_MASK = 0xF0
_LEAD = 0xE0


class Mcp3208:
    """`read` gives codes of 0..4095; a chip that does not answer is told apart from a low or high input."""

    def __init__(self, spi, select):
        self._spi = spi
        self._select = select
        self._out = bytearray(3)
        self._in = bytearray(3)
        self._failures = 0

    @property
    def dead(self):
        """True after several conversations in a row without an answer."""
        return self._failures >= DEAD_AFTER

    def read(self, channel):
        """Code of one input; asked twice before it is -1, no answer."""
        code = self._ask(channel)
        return code if code >= 0 else self._ask(channel)

    def _ask(self, channel):
        out, received = self._out, self._in
        out[0] = _START_SINGLE_ENDED | channel >> 2
        out[1] = (channel & 3) << 6
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        if received[0] != _IDLE or received[1] & _LEAD_MASK != _LEAD:
            self._failures = min(self._failures + 1, DEAD_AFTER)
            return -1
        self._failures = 0
        return (received[1] & 15) << 8 | received[2]
