"""MCP23S17 by its register table (DS20001952), registers of both ports side by side (IOCON.BANK = 0)."""

from __future__ import annotations

from collections.abc import Callable

IODIR, IPOL, GPINTEN, DEFVAL, INTCON, IOCON, GPPU, INTF, INTCAP, GPIO, OLAT = range(0, 22, 2)
REGISTERS = 22
HAEN = 0x08
SEQOP = 0x20
_READ_ONLY = (INTF, INTF + 1, INTCAP, INTCAP + 1)
_DEVICE = 0x40
_DEVICE_MASK = 0xF0
_ALL = 0xFFFF


class Mcp23s17:
    """`levels()`: what drives its pins (bit 0 = GPA0); `on_outputs(values, at_us)`: what it drives."""

    def __init__(
        self, address: int, levels: Callable[[], int], on_outputs: Callable[[int, int], None]
    ) -> None:
        """`address`: its pins A2 to A0."""
        self._address = address
        self._levels = levels
        self._on_outputs = on_outputs
        self.registers = bytearray(REGISTERS)
        self._driven = 0
        self.in_reset = False
        self.reset(0)

    def reset(self, at_us: int) -> None:
        """As after power-on: every pin an input."""
        self.registers = bytearray(REGISTERS)
        self.registers[IODIR] = self.registers[IODIR + 1] = 0xFF
        self._tell(at_us)

    def word(self, register: int) -> int:
        """Both ports of a register pair."""
        return self.registers[register] | self.registers[register + 1] << 8

    def transfer(self, mosi: bytes, at_us: int) -> bytes | None:
        """One conversation: device opcode, register, data."""
        if self.in_reset or len(mosi) < 2 or mosi[0] & _DEVICE_MASK != _DEVICE:
            return None
        hardware_address = self._address if self.registers[IOCON] & HAEN else 0
        if mosi[0] >> 1 & 7 != hardware_address:
            return None
        reading = mosi[0] & 1
        pointer = mosi[1]
        out = bytearray([0xFF] * len(mosi))
        for index in range(2, len(mosi)):
            if pointer >= REGISTERS:
                pointer = 0
            if reading:
                out[index] = self._read(pointer)
            else:
                self._write(pointer, mosi[index])
            pointer = pointer ^ 1 if self.registers[IOCON] & SEQOP else pointer + 1
        if not reading:
            self._tell(at_us)
            return None
        return bytes(out)

    def _read(self, register: int) -> int:
        if register & ~1 != GPIO:
            return self.registers[register]
        port = register & 1
        inputs = self.registers[IODIR + port]
        outside = self._levels() >> 8 * port & 0xFF
        return (outside ^ self.registers[IPOL + port]) & inputs | self.registers[OLAT + port] & ~inputs & 0xFF

    def _write(self, register: int, value: int) -> None:
        if register in _READ_ONLY:
            return
        if register & ~1 == GPIO:
            register += OLAT - GPIO
        self.registers[register] = value
        if register & ~1 == IOCON:  # one register with two addresses
            self.registers[IOCON] = self.registers[IOCON + 1] = value

    def _tell(self, at_us: int) -> None:
        driven = self.word(OLAT) & ~self.word(IODIR) & _ALL
        if driven != self._driven:
            self._driven = driven
            self._on_outputs(driven, at_us)
