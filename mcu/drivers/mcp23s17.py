"""MCP23S17: sixteen inputs or outputs (Microchip DS20001952). Up to eight share one select line by address.

The chip has no checksum. So every reading takes the output latches along: those of inputs are without effect
and hold a signature, those of outputs are known. A stuck bus and a chip that lost its settings show at once.
"""

from mcu.drivers import DEAD_AFTER

_WRITE = 0x40
_READ = 0x41
_IODIR = 0x00
_IPOL = 0x02
_GPINTEN = 0x04
_IOCON = 0x0A
_GPPU = 0x0C
_GPIO = 0x12
_OLAT = 0x14
# Hardware address on; registers of both ports side by side; the address counts up.
_HAEN = 0x08
_TRIES_MASK = 7
# For ports that are inputs; neither all ones nor all zeros, and different for A and B.
SIGNATURE = 0x5AA5


class Mcp23s17:
    """`inputs` and `pull_ups` are masks, bit 0 = GPA0, bit 8 = GPB0. Outputs start low."""

    def __init__(self, spi, select, address, inputs, pull_ups=0):
        self._spi = spi
        self._select = select
        self._address = address << 1
        self._inputs = inputs
        self._pull_ups = pull_ups
        self._latch = SIGNATURE & inputs
        self._out4 = bytearray(4)
        self._in4 = bytearray(4)
        self._out6 = bytearray(6)
        self._in6 = bytearray(6)
        self._failures = 0
        self._tries = 0
        self.pins = 0
        self.restarts = 0
        self._configure()

    @property
    def dead(self):
        """True after several conversations in a row that came back wrong."""
        return self._failures >= DEAD_AFTER

    def write(self, values):
        """Set the outputs; bits of inputs are ignored."""
        self._latch = values & ~self._inputs | SIGNATURE & self._inputs
        self._put(_OLAT, self._latch)

    def read(self):
        """True when the chip answered as it must; `pins` then holds all levels, else 0."""
        out, received = self._out6, self._in6
        out[0] = _READ | self._address
        out[1] = _GPIO
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        if received[4] | received[5] << 8 == self._latch:
            self.pins = received[2] | received[3] << 8
            self._failures = 0
            return True
        self._restart()
        return False

    def verify(self):
        """True when the directions are still what they were set to; else everything is set anew."""
        out, received = self._out4, self._in4
        out[0] = _READ | self._address
        out[1] = _IODIR
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        if received[2] | received[3] << 8 == self._inputs:
            return True
        self._restart()
        return False

    def _restart(self):
        self.pins = 0
        self._failures = min(self._failures + 1, DEAD_AFTER)
        if self._failures == DEAD_AFTER:
            # Setting up takes most of a cycle: a dead chip is tried now and then only.
            self._tries = self._tries + 1 & _TRIES_MASK
            if self._tries:
                return
        self.restarts = self.restarts + 1 & 0xFFFF
        self._configure()

    def _configure(self):
        # Until HAEN is set every chip on the select line listens to address 0.
        address, self._address = self._address, 0
        self._put(_IOCON, _HAEN << 8 | _HAEN)
        self._address = address
        self._put(_IOCON, _HAEN << 8 | _HAEN)
        self._put(_OLAT, self._latch)
        self._put(_IPOL, 0)
        self._put(_GPINTEN, 0)
        self._put(_GPPU, self._pull_ups)
        self._put(_IODIR, self._inputs)

    def _put(self, register, value):
        out = self._out4
        out[0] = _WRITE | self._address
        out[1] = register
        out[2] = value & 0xFF
        out[3] = value >> 8
        self._select(0)
        self._spi.write_readinto(out, self._in4)
        self._select(1)
