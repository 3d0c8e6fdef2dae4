"""AD7124-8 by its register table: one channel, single conversions, current source, checksums, error flags."""

from __future__ import annotations

from collections.abc import Callable

STATUS, ADC_CONTROL, DATA, IO_CONTROL_1, IO_CONTROL_2, ID, ERROR, ERROR_EN, MCLK_COUNT = range(9)
CHANNEL_0, CONFIG_0, FILTER_0, OFFSET_0, GAIN_0 = 0x09, 0x19, 0x21, 0x29, 0x31
REGISTERS = 0x39
CHIP_ID = 0x14

# Bits of STATUS, and of ERROR / ERROR_EN.
NOT_READY, ERROR_FLAG, POR_FLAG = 0x80, 0x40, 0x10
SPI_IGNORE_ERR, SPI_SCLK_CNT_ERR, SPI_READ_ERR, SPI_WRITE_ERR, SPI_CRC_ERR = 0x40, 0x20, 0x10, 0x08, 0x04
ADC_SAT_ERR = 1 << 16

_READ = 0x40
_ADDRESS = 0x3F
_DATA_STATUS = 1 << 10
_REF_EN = 1 << 8
_MODE_SHIFT = 2
_MODE_MASK = 0xF
_SINGLE = 1
_STANDBY = 2
_ENABLE = 1 << 15
_AVSS = 17
_CURRENT_UA = (0, 50, 100, 250, 500, 750, 1000, 0)
_INTERNAL_REFERENCE = 2
_BIPOLAR = 1 << 11
_AIN_BUFP = 1 << 6
_SINC3, _SINC4 = 2, 0
_FULL_POWER_CLOCK_HZ = 614_400
_RESET_ONES = 8
_RESET_US = 2_000
_REFERENCE_V = 2.5
# The source needs this much of the analog supply of 3.3 V for itself.
_COMPLIANCE_V = 3.3 - 0.37
_BUFFER_MIN_V = 0.1
_FULL_SCALE = (1 << 24) - 1


def _size(register: int) -> int:
    if register in (STATUS, ID, MCLK_COUNT):
        return 1
    if register in (ADC_CONTROL, IO_CONTROL_2) or CHANNEL_0 <= register < FILTER_0:
        return 2
    return 3


def crc8(data: bytes) -> int:
    """x^8 + x^2 + x + 1, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
    return value & 0xFF


class Ad7124:
    """`ohm(ain)`: what is connected between an input and ground, None: nothing."""

    def __init__(
        self,
        ohm: Callable[[int], float | None],
        *,
        source_error: float = 0.023,
        reference_error: float = -0.001,
    ) -> None:
        """The errors are within what the data sheet allows; a good driver does not see them."""
        self._ohm = ohm
        self._source = 1 + source_error
        self._reference_v = _REFERENCE_V * (1 + reference_error)
        self.source_dead = False
        self._values: dict[int, int] = {}
        self._ready_us: int | None = None
        self._usable_us = 0
        self._read_already = True
        self.power_on(0)

    def power_on(self, at_us: int) -> None:
        """Registers as after power-on or a reset by 64 ones."""
        self._values = {register: 0 for register in range(REGISTERS)}
        self._values.update({STATUS: POR_FLAG, ID: CHIP_ID, ERROR_EN: SPI_IGNORE_ERR})
        for index in range(16):
            self._values[CHANNEL_0 + index] = 0x8001 if index == 0 else 0x0001
        for index in range(8):
            self._values[CONFIG_0 + index] = 0x0860
            self._values[FILTER_0 + index] = 0x060180
            self._values[OFFSET_0 + index] = 0x800000
            self._values[GAIN_0 + index] = 0x500000
        self._ready_us = None
        self._read_already = True
        self._usable_us = at_us + _RESET_US

    def transfer(self, mosi: bytes, at_us: int) -> bytes:
        """One conversation: commands and data as long as the select is low."""
        if mosi[:_RESET_ONES] == b"\xff" * _RESET_ONES:
            self.power_on(at_us)
            return b"\xff" * len(mosi)
        if at_us < self._usable_us:
            return b"\xff" * len(mosi)
        out = bytearray()
        position = 0
        while position < len(mosi):
            command = mosi[position]
            if command & 0x80 or command & _ADDRESS >= REGISTERS:
                self._flag(SPI_READ_ERR if command & _READ else SPI_WRITE_ERR)
                break
            register = command & _ADDRESS
            answer = self._reading(command, register, at_us) if command & _READ else b""
            size = len(answer) if command & _READ else _size(register) + self._checked
            data = mosi[position + 1 : position + 1 + size]
            if len(data) < size:
                self._flag(SPI_SCLK_CNT_ERR)
            elif not command & _READ:
                self._written(command, register, data, at_us)
            out += b"\xff" + (answer or b"\xff" * size)
            position += 1 + size
        return bytes(out[: len(mosi)].ljust(len(mosi), b"\xff"))

    @property
    def _checked(self) -> bool:
        return bool(self._values[ERROR_EN] & SPI_CRC_ERR)

    def _flag(self, error: int) -> None:
        if self._values[ERROR_EN] & error:
            self._values[ERROR] |= error
            self._values[STATUS] |= ERROR_FLAG

    def _reading(self, command: int, register: int, at_us: int) -> bytes:
        value = self._values[register]
        if register == STATUS:
            value = self._status(at_us)
        data = value.to_bytes(_size(register), "big")
        if register == DATA:
            self._convert(at_us)
            data = self._values[DATA].to_bytes(3, "big")
            if self._values[ADC_CONTROL] & _DATA_STATUS:
                data += bytes([self._status(at_us)])
            self._read_already = True
        elif register == STATUS:
            self._values[STATUS] &= ~POR_FLAG
        elif register == ERROR:
            self._values[ERROR] = 0
            self._values[STATUS] &= ~ERROR_FLAG
        if self._checked:
            data += bytes([crc8(bytes([command]) + data)])
        return data

    def _status(self, at_us: int) -> int:
        self._convert(at_us)
        return self._values[STATUS] & 0x7F | (NOT_READY if self._read_already else 0)

    def _written(self, command: int, register: int, data: bytes, at_us: int) -> None:
        if self._checked:
            if crc8(bytes([command]) + data):
                self._flag(SPI_CRC_ERR)
                return
            data = data[:-1]
        if register in (STATUS, DATA, ID, ERROR, MCLK_COUNT):
            self._flag(SPI_WRITE_ERR)
            return
        self._values[register] = int.from_bytes(data, "big")
        if register == ADC_CONTROL and self._values[register] >> _MODE_SHIFT & _MODE_MASK == _SINGLE:
            self._ready_us = at_us + self._settling_us()
            self._read_already = True

    def _settling_us(self) -> int:
        """Time of the first settled result in full power mode."""
        setting = self._values[FILTER_0]
        taps = 3 if setting >> 21 & 7 == _SINC3 else 4
        return taps * 32 * (setting & 0x7FF) * 1_000_000 // _FULL_POWER_CLOCK_HZ + 100

    def _convert(self, at_us: int) -> None:
        """Takes over a conversion that has ended by now; the chip then stands by."""
        if self._ready_us is None or at_us < self._ready_us:
            return
        self._ready_us = None
        self._read_already = False
        self._values[ADC_CONTROL] &= ~(_MODE_MASK << _MODE_SHIFT)
        self._values[ADC_CONTROL] |= _STANDBY << _MODE_SHIFT
        self._values[STATUS] &= ~0x0F
        code = int(self._voltage() / self._reference_v * (1 << 24))
        if code > _FULL_SCALE or code < 0:
            self._flag(ADC_SAT_ERR)
        self._values[DATA] = max(0, min(_FULL_SCALE, code))

    def _voltage(self) -> float:
        """Between both inputs of channel 0; the reference must be on and selected."""
        channel, config = self._values[CHANNEL_0], self._values[CONFIG_0]
        positive, negative = channel >> 5 & 31, channel & 31
        usable = channel & _ENABLE and negative == _AVSS and positive < 16 and not config & _BIPOLAR
        if not usable or config >> 3 & 3 != _INTERNAL_REFERENCE or not self._values[ADC_CONTROL] & _REF_EN:
            return 0.0
        voltage = self._pin_voltage(positive)
        if config & _AIN_BUFP:
            voltage = max(_BUFFER_MIN_V, voltage)
        return voltage * (1 << (config & 7))

    def _pin_voltage(self, pin: int) -> float:
        control = self._values[IO_CONTROL_1]
        current_ua = 0
        for current, where in ((control >> 8 & 7, control & 15), (control >> 11 & 7, control >> 4 & 15)):
            if where == pin:
                current_ua += _CURRENT_UA[current]
        if self.source_dead or not current_ua:
            return 0.0
        resistance = self._ohm(pin)
        if resistance is None:
            return _COMPLIANCE_V
        return min(_COMPLIANCE_V, current_ua * 1e-6 * self._source * resistance)
