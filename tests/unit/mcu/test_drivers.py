"""The chip drivers on scripted chips, with the heap locked: good conversations and failing ones (rule S5)."""

from mcu.drivers.ad7124 import Ad7124
from mcu.drivers.crc8 import crc8
from mcu.drivers.lock_bridge import LockBridge, NoLock
from mcu.drivers.mcp23s17 import Mcp23s17
from mcu.drivers.mcp3208 import Mcp3208

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """CPython cannot."""

    def heap_unlock():
        """CPython cannot."""


ONES = 0xFF


class Spi:
    """Answers from the registers of the chip it plays; allocates nothing."""

    def __init__(self):
        self.mute = False
        self.conversations = 0

    def select(self, level):
        pass

    def write_readinto(self, out, received):
        self.conversations += 1
        for index in range(len(received)):
            received[index] = ONES
        if not self.mute:
            self.answer(out, received)


class ConverterSpi(Spi):
    """Code 0x421 on every input."""

    def answer(self, out, received):
        received[1] = 0xE4
        received[2] = 0x21


class ExpanderSpi(Spi):
    """Registers that keep what is written."""

    def __init__(self):
        Spi.__init__(self)
        self.registers = bytearray(22)

    def answer(self, out, received):
        for index in range(2, len(out)):
            register = out[1] + index - 2
            if out[0] & 1:
                received[index] = self.registers[register]
            else:
                self.registers[register] = out[index]


class TemperatureSpi(Spi):
    """Registers by size; a conversion is always ready and gives `code`, the fixed resistor 0x333333."""

    SIZES = {1: 2, 3: 3, 5: 1, 0: 1, 7: 3, 9: 2, 0x19: 2, 0x21: 3}

    def __init__(self):
        Spi.__init__(self)
        self.values = {1: 0, 3: 0, 5: 0x14, 0: 0x90, 7: 0, 9: 0, 0x19: 0, 0x21: 0}
        self.code = 0x377777

    def answer(self, out, received):
        command = out[0]
        if command == ONES:
            return
        register = command & 0x3F
        if not command & 0x40:
            value = 0
            for index in range(self.SIZES[register]):
                value = value << 8 | out[1 + index]
            self.values[register] = value
            return
        if register == 2:
            fixed = self.values[9] >> 5 & 31 == 9
            value = 0x333333 if fixed else self.code
            size = 3
        else:
            value = self.values[register]
            size = self.SIZES[register]
        for index in range(size):
            received[1 + index] = value >> 8 * (size - 1 - index) & 0xFF
        if register == 2:
            received[4] = 0
            size = 4
        received[0] = command
        received[size + 1] = crc8(received, 0, size + 1)


def locked(call, times):
    """Calls with the heap locked; MemoryError escapes with it unlocked again."""
    heap_lock()
    try:
        for index in range(times):
            call(index)
    finally:
        heap_unlock()


def test_converter_allocates_nothing():
    spi = ConverterSpi()
    driver = Mcp3208(spi, spi.select)
    locked(lambda index: driver.read(index & 7), 50)
    assert driver.read(5) == 0x421
    spi.mute = True
    locked(lambda index: driver.read(index & 7), 50)
    assert driver.dead and driver.read(5) == -1


def test_expander_allocates_nothing():
    spi = ExpanderSpi()
    driver = Mcp23s17(spi, spi.select, 2, 0x00FF)

    def cycle(index):
        driver.write(index << 8)
        driver.read()
        driver.verify()

    locked(cycle, 50)
    assert not driver.dead and driver.restarts == 0 and spi.registers[0x15] == 49
    spi.mute = True
    locked(cycle, 50)
    assert driver.dead and driver.pins == 0


def test_temperature_converter_allocates_nothing():
    spi = TemperatureSpi()
    driver = Ad7124(spi, spi.select, (0, 1, 2, 3, 4, 5, 6, 7, 8), 9, 1_000_000)
    locked(lambda index: driver.step(), 200)
    assert not driver.dead and driver.restarts == 0
    assert driver.resistance_mohm[9] == 0x377777 * 1_000_000 // 0x333333
    spi.mute = True
    locked(lambda index: driver.step(), 100)
    assert driver.dead
    spi.mute = False
    locked(lambda index: driver.step(), 40)
    assert not driver.dead


class Line:
    """A pin or a PWM output that remembers."""

    def __init__(self, level=1):
        self.level = level
        self.duty = 0
        self.writes = []

    def __call__(self, level):
        self.level = level

    def value(self):
        return self.level

    def duty_u16(self, duty):
        self.duty = duty
        self.writes.append(duty)


def bridge(mode_mv=24_000):
    spi = ConverterSpi()
    enable, direction, fault = Line(), Line(0), Line()
    made = LockBridge(enable, direction, fault, Mcp3208(spi, spi.select), 0, 4700, mode_mv)
    return made, enable, direction, fault, spi


def test_bridge_is_off_before_it_reverses():
    made, enable, direction, _, _ = bridge()
    made.drive(1, 24_000)
    made.drive(-1, 24_000)
    assert enable.writes == [0, 65535, 0, 65535] and direction.level == 0
    made.drive(0, 24_000)
    assert enable.duty == 0


def test_12_v_mode_chops_the_supply_down():
    made, enable, _, _, _ = bridge(12_000)
    for supply_mv, share in ((24_000, 0.5), (30_000, 0.4), (18_000, 0.667), (12_000, 1), (9000, 1), (0, 0.4)):
        made.drive(1, supply_mv)
        assert abs(enable.duty / 65535 - share) < 0.002, supply_mv


def test_feedback_in_ohm_and_overload():
    made, _, _, fault, spi = bridge()
    assert made.feedback_ohm() == 4700 * 0x421 // (4096 - 0x421)
    spi.mute = True
    assert made.feedback_ohm() == 65535
    assert not made.overloaded()
    fault.level = 0
    assert made.overloaded()


def test_no_lock_says_so():
    none = NoLock()
    none.drive(1, 24_000)
    assert none.feedback_ohm() == -1 and not none.overloaded()
