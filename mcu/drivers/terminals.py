"""The digital terminals and LEDs: MCP23S17 on one select line, a third one where overload is read back."""

from machine import Pin

from mcu.drivers.mcp23s17 import Mcp23s17
from mcu.ticks import diff

_INPUTS_MASK = 0x00FF
_ALL_INPUTS = 0xFFFF
_FLASH_US = 320_000  # on as long as off
# Per pattern: 1 green, 2 red.
_LED_BITS = (0, 1, 1, 2, 2)
_LED_FLASHING = (False, True, False, True, False)


class Terminals:
    """Sixteen outputs, their overloads, eight inputs, four two-colour LEDs (`leds`: a pattern each)."""

    def __init__(self, board, spi, select):
        reset = Pin(board.EXPANDER_RESET, Pin.OUT, value=0)
        self._reset = reset
        reset(1)
        self._outputs = Mcp23s17(spi, select, board.EXPANDER_OUTPUTS, 0)
        self._inputs = Mcp23s17(spi, select, board.EXPANDER_INPUTS, _INPUTS_MASK)
        self._overload = None
        if board.EXPANDER_OVERLOAD is not None:
            self._overload = Mcp23s17(spi, select, board.EXPANDER_OVERLOAD, _ALL_INPUTS, _ALL_INPUTS)
        self._chips = [self._outputs, self._inputs]
        if self._overload:
            self._chips.append(self._overload)
        self._turn = 0
        self._lights = 0
        self._flash_ticks = 0
        self._flash_on = True
        self.leds = [0, 0, 0, 0]

    @property
    def dead(self):
        """True while one of the chips does not answer as it must."""
        for chip in self._chips:
            if chip.dead:
                return True
        return False

    def write_outputs(self, values):
        """Bit 0 = output 1."""
        self._outputs.write(values)

    def digital_inputs(self, now):
        """Bit 0 = input 1, 0 when they cannot be read. One conversation: LEDs that change go first."""
        lights = self._shown(now)
        if lights != self._lights:
            self._lights = lights
            self._inputs.write(lights << 8)
        else:
            self._inputs.read()
        return self._inputs.pins & _INPUTS_MASK

    def output_overloads(self):
        """Bit 0 = output 1: its driver pulls the diagnosis line low."""
        if self._overload is None or not self._overload.read():
            return 0
        return ~self._overload.pins & 0xFFFF

    def supervise(self):
        """One look at the settings of one chip; the outputs' latches are compared too."""
        self._turn = self._turn + 1 if self._turn < len(self._chips) else 0
        if self._turn == len(self._chips):
            self._outputs.read()
        else:
            self._chips[self._turn].verify()

    def _shown(self, now):
        if diff(now, self._flash_ticks) >= _FLASH_US:
            self._flash_ticks = now
            self._flash_on = not self._flash_on
        lights = 0
        for index in range(4):
            pattern = self.leds[index]
            if self._flash_on or not _LED_FLASHING[pattern]:
                lights |= _LED_BITS[pattern] << 2 * index
        return lights
