"""The part of `machine` that firmware for the RP2 chips uses, on the emulated chip."""

import chip

PWRON_RESET = 1
WDT_RESET = 3


class Pin:
    """A GPIO; outputs are reported to the board, inputs come from it."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2

    def __init__(self, number, mode=-1, pull=-1, value=None):
        """As on the chip: without a mode nothing changes."""
        self.number = number
        self._output = mode == Pin.OUT
        self._level = 0
        if value is not None:
            self._level = 1 if value else 0
            chip.note(chip.PIN_SET, number, self._level)
        if mode >= 0:
            chip.note(chip.PIN_MODE, number, mode | (pull + 1) << 4)

    def init(self, mode=-1, pull=-1, value=None):
        """Configures again."""
        self.__init__(self.number, mode, pull, value)

    def __call__(self, level=None):
        """Reads without an argument, else sets the level."""
        if level is None:
            if self._output:
                return self._level
            if self.number < 30:
                return chip.words[chip.W_GPIO_LOW] >> self.number & 1
            return chip.words[chip.W_GPIO_HIGH] >> self.number - 30 & 1
        level = 1 if level else 0
        chip.note(chip.PIN_SET, self.number, level)
        self._level = level
        return None

    def value(self, level=None):
        """Same as calling the pin."""
        return self(level)

    def on(self):
        """Level high."""
        self(1)

    def off(self):
        """Level low."""
        self(0)


class PWM:
    """One PWM output; duty 0 and 65535 are steady levels."""

    def __init__(self, pin, freq=0, duty_u16=-1):
        """Starts when frequency and duty are given."""
        self._number = pin.number
        self._duty = 0
        self._freq = 0
        if freq:
            self.freq(freq)
        if duty_u16 >= 0:
            self.duty_u16(duty_u16)

    def freq(self, value=0):
        """Frequency in Hz."""
        if not value:
            return self._freq
        self._freq = value
        chip.note(chip.PWM_FREQ, self._number, value)
        return None

    def duty_u16(self, value=-1):
        """Duty in 1/65536, latched at the end of the period."""
        if value < 0:
            return self._duty
        if value != self._duty or not value:
            self._duty = value
            chip.note(chip.PWM_DUTY, self._number, value)
        return None

    def duty_ns(self, value):
        """High time in ns."""
        self.duty_u16(value * self._freq * 65536 // 1000000000)

    def deinit(self):
        """The pin keeps whatever level it has."""


class ADC:
    """Claims the pin; sampling is set up through the registers."""

    def __init__(self, pin):
        """Nothing to do for a pin that only feeds the converter."""
        self.pin = pin


class UART:
    """The host line."""

    def __init__(
        self, index, baudrate=9600, tx=None, rx=None, rxbuf=256, txbuf=256, timeout=0, timeout_char=0
    ):
        """Sets the rate of the line and the size of the receive ring."""
        chip.note(chip.UART_BAUD, index, baudrate)
        chip.rx_resize(rxbuf)

    def any(self):
        """Bytes that may be read at once."""
        return chip.rx_available()

    def readinto(self, buffer, count=-1):
        """Takes what is there, None when nothing is."""
        if count < 0:
            count = len(buffer)
        return chip.rx_take(buffer, count) or None

    def write(self, buffer):
        """Queues the whole buffer."""
        return chip.tx_put(buffer, len(buffer))


class WDT:
    """Watchdog; cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        """Arms it; with boot files at once, because the program that follows may hang."""
        chip.note(chip.WDT_START, 0, timeout)
        if chip.console_poll is not None:
            chip.sleep_us(0)

    def feed(self):
        """Starts the time-out anew."""
        chip.note(chip.WDT_FEED, 0, 0)


class SPI:
    """The bus; which chip listens is a matter of the select pins, which the board sees."""

    def __init__(self, index, baudrate=1000000, polarity=0, phase=0, sck=None, mosi=None, miso=None):
        """The mode is not checked: all chips of the board take mode 3."""
        self._mhz = max(1, baudrate // 1000000)

    def write_readinto(self, out, into):
        """One conversation."""
        chip.charge(8 * len(out) // self._mhz)
        chip.transfer(out, into, len(out))


class _Registers:
    """Memory-mapped registers of both chips: ADC, PWM counters, watchdog scratch 0 to 3, CHIP_RESET."""

    _ADC = (0x4004C000, 0x400A0000)
    _SCRATCH = (
        0x4005800C, 0x40058010, 0x40058014, 0x40058018, 0x400D800C, 0x400D8010, 0x400D8014, 0x400D8018
    )  # fmt: skip
    _ADC_FCS = (0x4004C008, 0x400A0008)
    _PWM_COUNTER = (0x40050008, 0x4005001C, 0x400A8008, 0x400A801C)  # slices 0 and 1
    _PWM_TOP = (0x40050010, 0x400A8010)
    _PWM_COUNTS = 62500
    _CHIP_RESET = 0x4010002C  # POWMAN, RP2350 only
    _WORDS = (chip.W_SCRATCH, chip.W_SCRATCH_MORE, chip.W_SCRATCH_MORE + 1, chip.W_SCRATCH_MORE + 2)

    def __getitem__(self, address):
        """Reads; an ADC FIFO that never overflows, 0 for anything unknown.

        The program looks at the FIFO whenever it measures a pilot: what that takes on the chip passes here.
        """
        if address in self._ADC_FCS:
            chip.charge(chip.words[chip.W_PRICE_US])
            return 0
        if address in self._PWM_COUNTER:
            return chip.pilot_phase_us() * self._PWM_COUNTS // 1000
        if address in self._PWM_TOP:
            return self._PWM_COUNTS - 1
        if address == self._CHIP_RESET:
            return chip.words[chip.W_CHIP_RESET]
        index = self._scratch_index(address)
        return 0 if index < 0 else chip.words[self._WORDS[index]]

    def __setitem__(self, address, value):
        """Writes what the board has to know."""
        index = self._scratch_index(address)
        if index >= 0:
            chip.words[self._WORDS[index]] = value
            chip.note(chip.SCRATCH, index, value)
            return
        if address in self._PWM_COUNTER:
            chip.note(chip.PWM_COUNTER, self._PWM_COUNTER.index(address) & 1, value)
        for base in self._ADC:
            if address == base:
                chip.note(chip.ADC_RUN, 0, value)
            elif address == base + 16:
                chip.note(chip.ADC_DIVIDER, 0, value)

    def _scratch_index(self, address):
        """No arithmetic on addresses: they are beyond small integers and would allocate."""
        for index in range(8):
            if address == self._SCRATCH[index]:
                return index & 3
        return -1


mem32 = _Registers()


def reset():
    """Restarts the chip."""
    chip.reset()


def reset_cause():
    """Power-on or watchdog; a commanded reset reads as watchdog, as on the chip."""
    return chip.words[chip.W_RESET_CAUSE]


def unique_id():
    """Serial number of the emulated flash chip."""
    return b"vsecc-em"


def freq(value=0):
    """Processor clock in Hz."""
    return 150000000


def disable_irq():
    """No interrupts are emulated."""
    return 0


def enable_irq(state):
    """No interrupts are emulated."""


def idle():
    """Lets a little time pass."""
    chip.sleep_us(100)
