"""AD7124-8: 24-bit converter with current sources (Analog Devices AD7124-8 data sheet), for PT1000 sensors.

Each input is fed with 500 uA only while it is measured. A fixed resistor is measured in the same way once a
round; readings are ratios to it, so neither the current nor the voltage reference has to be exact.
"""

from mcu.drivers import DEAD_AFTER
from mcu.drivers.crc8 import crc8

_READ = 0x40
_STATUS = 0x00
_ADC_CONTROL = 0x01
_DATA = 0x02
_IO_CONTROL_1 = 0x03
_ID = 0x05
_ERROR = 0x06
_ERROR_EN = 0x07
_CHANNEL_0 = 0x09
_CONFIG_0 = 0x19
_FILTER_0 = 0x21

_ID_MASK = 0xF0
_ID_AD7124_8 = 0x10
# Status byte.
_NOT_READY = 0x80
_ERROR_FLAG = 0x40
_RESET_FLAG = 0x10
_CHANNEL_MASK = 0x0F
# Conversion fault, both regulators, ignored / wrongly clocked / misread / miswritten / corrupt transfers,
# register memory. Not saturation: that is an open sensor.
_ERRORS_SEEN = 1 << 17 | 1 << 9 | 1 << 7 | 0x7E
# Status after data, DOUT until the end of the select, reference on, full power, one conversion, own clock.
_CONVERT = 0x0400 | 0x0200 | 0x0100 | 0x00C0 | 0x0004
# Unipolar, positive input buffered, internal 2.5 V reference, gain 1.
_CONFIG = 0x0050
# Sinc3, 256 Hz: settled after 11.7 ms, 12.3 with the slowest clock. A step comes 14 ms after the last.
_FILTER = 0x400000 | 75
_ENABLE = 0x8000
_AVSS = 17
_SOURCE_500_UA = 4 << 8

FULL_SCALE = 0xFFFFFF
# 0.5 V of 2.5 V through the resistor of 1 kohm; the source is good for 4 %, the reference for 0.2 %.
REFERENCE_CODE = 3355443
_REFERENCE_LOW = REFERENCE_CODE * 9 // 10
_REFERENCE_HIGH = REFERENCE_CODE * 11 // 10
_NOT_READY_MAX = 3

_RESET = 0
_WAIT_1 = 1
_WAIT_2 = 2
_SWITCH = 3
_TAKE = 4


def ratio_mohm(code, reference_code, reference_mohm):
    """code / reference_code x reference, in whole numbers below 2^30."""
    quotient = code // reference_code
    rest = code % reference_code
    for _ in range(3):  # six decimal digits, two at a time
        rest *= 100
        quotient = quotient * 100 + rest // reference_code
        rest %= reference_code
    # `quotient` is the ratio in millionths: milliohm for exactly 1 kohm.
    return quotient + quotient // 1000 * (reference_mohm - 1_000_000) // 1000


def frame_of(register, value, size):
    """A write to a register of `size` bytes, its checksum at the end."""
    frame = bytearray(size + 2)
    frame[0] = register
    for index in range(size):
        frame[1 + index] = value >> 8 * (size - 1 - index) & 0xFF
    frame[size + 1] = crc8(frame, 0, size + 1)
    return frame


_ERRORS_FRAME = frame_of(_ERROR_EN, _ERRORS_SEEN, 3)[:4]  # before it there are no checksums
_CONFIG_FRAME = frame_of(_CONFIG_0, _CONFIG, 2)
_FILTER_FRAME = frame_of(_FILTER_0, _FILTER, 3)


class Ad7124:
    """`step` goes on with one conversation; it names the input that has a new `resistance_mohm`."""

    def __init__(self, spi, select, inputs, reference_input, reference_mohm):
        """`inputs`: AIN of sensor 1, 2, ...; `reference_input`: AIN of the fixed resistor."""
        self._spi = spi
        self._select = select
        self._sequence = bytes((reference_input,) + tuple(inputs))
        self._at = 0
        self._reference_code = 0
        self.reference_mohm = reference_mohm
        self.resistance_mohm = [0] * len(
            self._sequence
        )  # index 0: the fixed resistor against its last reading
        self._phase = _RESET
        self._failures = 0
        self._not_ready = 0
        self._sizes = [(bytearray(size), bytearray(size)) for size in range(9)]
        # What a switch sends, made once: computing the checksums anew would take half a cycle.
        self._currents = [frame_of(_IO_CONTROL_1, _SOURCE_500_UA | pin, 3) for pin in self._sequence]
        self._channels = [frame_of(_CHANNEL_0, _ENABLE | pin << 5 | _AVSS, 2) for pin in self._sequence]
        self._conversion = frame_of(_ADC_CONTROL, _CONVERT, 2)
        self.restarts = 0

    @property
    def dead(self):
        """True after several failures in a row; one good reading of the fixed resistor ends it."""
        return self._failures >= DEAD_AFTER

    def step(self):
        """Number of the sensor just read (1, 2, ...), else 0."""
        phase = self._phase
        if phase == _TAKE:
            return self._take()
        if phase == _SWITCH:
            self._switch()
        elif phase == _RESET:
            self._reset()
        elif phase == _WAIT_2:
            self._configure()
        else:  # the chip needs 4 ms after a reset
            self._phase = phase + 1
        return 0

    def _reset(self):
        """64 ones bring the interface to a known state wherever it was."""
        out, received = self._sizes[8]
        for index in range(8):
            out[index] = 0xFF
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        self._phase = _WAIT_1

    def _configure(self):
        self._at = 0
        self._not_ready = 0
        self._send(_ERRORS_FRAME, 4)
        identity = self._read(_ID, 1)
        status = self._read(_STATUS, 1)  # takes the note of the reset back
        if identity < 0 or identity & _ID_MASK != _ID_AD7124_8 or status < 0:
            self._fail()
            return
        self._send(_CONFIG_FRAME, 4)
        self._send(_FILTER_FRAME, 5)
        if self._read(_CONFIG_0, 2) == _CONFIG and self._read(_FILTER_0, 3) == _FILTER:
            self._phase = _SWITCH
        else:
            self._fail()

    def _switch(self):
        """Current and input to the next sensor, then one conversion."""
        self._send(self._currents[self._at], 5)
        self._send(self._channels[self._at], 4)
        self._send(self._conversion, 4)
        self._phase = _TAKE

    def _take(self):
        out, received = self._sizes[6]
        out[0] = _READ | _DATA
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        received[0] = out[0]  # the checksum covers the command
        status = received[4]
        if crc8(received, 0, 6) or status & (_ERROR_FLAG | _RESET_FLAG | _CHANNEL_MASK):
            self._fail()
            return 0
        if status & _NOT_READY:
            self._not_ready += 1
            if self._not_ready >= _NOT_READY_MAX:
                self._fail()
            return 0
        self._not_ready = 0
        return self._use(received[1] << 16 | received[2] << 8 | received[3])

    def _use(self, code):
        at = self._at
        self._phase = _SWITCH
        if at == 0:
            if not _REFERENCE_LOW <= code <= _REFERENCE_HIGH:
                self._fail()
                return 0
            self._reference_code = code
            self._failures = 0
        self._at = at + 1 if at + 1 < len(self._sequence) else 0
        self.resistance_mohm[at] = ratio_mohm(code, self._reference_code, self.reference_mohm)
        return at

    def _fail(self):
        """Start over with a reset; what was measured before stays where it is."""
        self._failures = min(self._failures + 1, DEAD_AFTER)
        self.restarts = self.restarts + 1 & 0xFFFF
        self._phase = _RESET

    def _send(self, frame, size):
        self._select(0)
        self._spi.write_readinto(frame, self._sizes[size][1])
        self._select(1)

    def _read(self, register, size):
        """Value of a register, -1 when its checksum is wrong."""
        out, received = self._sizes[size + 2]
        out[0] = _READ | register
        for index in range(size + 1):
            out[1 + index] = 0
        self._select(0)
        self._spi.write_readinto(out, received)
        self._select(1)
        received[0] = out[0]
        if crc8(received, 0, size + 2):
            return -1
        value = 0
        for index in range(size):
            value = value << 8 | received[1 + index]
        return value
