"""Hardware interface on RP2350 / RP2040, see README.md here. The only module that knows the chip."""

import os
import sys
import time
from array import array

import rp2
import uctypes
from machine import ADC, PWM, PWRON_RESET, SPI, UART, WDT, WDT_RESET, Pin, mem32
from machine import reset as machine_reset
from machine import reset_cause as machine_reset_cause

from mcu import calibration
from mcu.calibration import PILOTS
from mcu.drivers.lock_bridge import PWM_HZ as LOCK_PWM_HZ
from mcu.drivers.lock_bridge import LockBridge, NoLock
from mcu.drivers.mcp3208 import Mcp3208
from mcu.drivers.terminals import Terminals
from mcu.hal import pump
from vsecc_link.messages import DEVICE_CALIBRATION, DEVICE_CONVERTER, DEVICE_EXPANDER, DEVICE_TEMPERATURE

try:
    from mcu.hal.plateau_viper import rising_distance, split
except SyntaxError:  # an interpreter without a native code emitter
    from mcu.hal.plateau import rising_distance, split

WATCHDOG_MS = 150  # rule S4 allows 500
CONSOLE_WATCHDOG_MS = 8000

# Pilot sampling: 48 MHz / (1 + 239 + 55 / 256), two inputs in turn: 10.009 us a sample. Not exactly 10 us, so
# that the sampling grid drifts against the pilot and averages of sample counts resolve the duty to 1 us.
_ADC_DIVIDER = 239 << 8 | 55
_SAMPLE_NS = 10009
_PERIOD_SAMPLES = 100
_SEARCH_SAMPLES = 220  # two periods and a bit, the rest of the ring may be overwritten meanwhile
_RING_BITS = 10  # bytes, as a power of two: 256 samples a port
_RING_MASK = (1 << _RING_BITS) - 1
_DMA_COUNT = 1 << 27  # a multiple of the ring; two channels start each other for ever
_THRESHOLD_MV = -1700  # see plateau.py

_PWM_SLICE = 0x14  # bytes of a slice
_PWM_CTR = 0x08
_PWM_TOP = 0x10

_ADC_CS = 0x00
_ADC_FCS = 0x08
_ADC_FIFO = 0x0C
_ADC_DIV = 0x10
_CS_ENABLE = 1
_CS_START_MANY = 1 << 3
_CS_INPUT_SHIFT = 12
_CS_ROBIN_SHIFT = 16
_FCS_ENABLE = 1
_FCS_DREQ = 1 << 3
_FCS_FLAGS = 3 << 10
_FCS_OVERFLOW = 1 << 11
_FCS_THRESHOLD_ONE = 1 << 24

_FEED_PULSES = 760  # 19.0 ms with the first one: below the 20 ms of rule S4
_PUMP_FIFO = 4

_RX_BUFFER = 1024
_TX_BUFFER = 1024
_TX_FULL = _TX_BUFFER - 64  # margin of the drain estimate below

_SCRATCH_MAGIC = 0x15530000  # above it the cause; below 2^30, so reading it makes no big integer
_CAUSE_POWER_ON = 0
_CAUSE_WATCHDOG = 1
_CAUSE_BROWN_OUT = 4
_CAUSE_UNKNOWN = 5
_HAD_POWER_ON = 1 << 16  # bits of CHIP_RESET
_HAD_BROWN_OUT = 1 << 17

# Names of the quantities in the calibration file.
_PROXIMITY = ("pp1", "pp2")
_CC1 = ("cc1ac", "cc1dc")
_ANALOG = ("a1", "a2")

_CONVERTER_FAULT = 1 << DEVICE_CONVERTER
_TEMPERATURE_FAULT = 1 << DEVICE_TEMPERATURE
_EXPANDER_FAULT = 1 << DEVICE_EXPANDER


class Hal:
    """Same names as `mcu.hal.sim.Hal`; `board` is a module of `mcu.boards`."""

    def __init__(self, board):
        """Claim pins and start pilot sampling; relays parked, pilots steady +12 V."""
        self._board = board
        self.board_name = board.NAME
        self.uart_baud = board.UART_BAUD
        scratch = board.CHIP["scratch"]
        self._kept = [scratch + 4 * index for index in range(4)]
        self.boot_id = int.from_bytes(os.urandom(4), "little")
        self._start_relays(board)
        self._calibration, self.calibration_problem = calibration.load(board)
        self._uncalibrated = 1 << DEVICE_CALIBRATION if self.calibration_problem else 0
        self.crash_file = board.CRASH_FILE
        self._start_pilots(board)
        self._start_sampling(board)
        self._start_slow_inputs(board)
        self._uart = UART(
            board.UART_ID,
            baudrate=board.UART_BAUD,
            tx=Pin(board.UART_TX),
            rx=Pin(board.UART_RX),
            rxbuf=_RX_BUFFER,
            txbuf=_TX_BUFFER,
            timeout=0,
            timeout_char=0,
        )
        self._tx_bytes_per_ms = board.UART_BAUD // 10_000
        self._tx_fill = 0
        self._tx_ticks = time.ticks_us()
        self._watchdog = None
        time.sleep_ms(3)  # the ring holds whole periods from now on

    def _start_relays(self, board):
        self._pumps = []
        for index in range(3):
            pin = Pin(board.RELAY_PUMP[index], Pin.OUT, value=0)
            machine = rp2.StateMachine(index, pump.keep_alive, freq=pump.FREQUENCY_HZ, sideset_base=pin)
            machine.active(1)
            self._pumps.append(machine)
        self._fed = [False, False, False]
        self._feedback = [Pin(pin, Pin.IN, Pin.PULL_UP) for pin in board.RELAY_FEEDBACK]
        self._feedback_closed = board.RELAY_FEEDBACK_CLOSED

    def _start_pilots(self, board):
        """Both at +12 V, and counting together: one moment of the cycle is right for both."""
        self._pilot = [PWM(Pin(pin), freq=1000, duty_u16=65535) for pin in board.PILOT_PWM]
        slices = [board.CHIP["pwm_base"] + (pin >> 1) * _PWM_SLICE for pin in board.PILOT_PWM]
        for base in slices:
            mem32[base + _PWM_CTR] = 0
        self._pilot_counter = slices[0] + _PWM_CTR
        self._pilot_counts = mem32[slices[0] + _PWM_TOP] + 1

    def _start_sampling(self, board):
        """ADC free-running over both pilots into a ring, by two DMA channels that chain to each other."""
        for pin in board.PILOT_ADC:
            ADC(Pin(pin))
        self._zero_mv = [self._calibration[name][0] for name in PILOTS]
        self._span_mv = [self._calibration[name][1] for name in PILOTS]
        self._threshold = [(_THRESHOLD_MV - self._zero_mv[n]) * 4096 // self._span_mv[n] for n in (0, 1)]
        size = 1 << _RING_BITS
        storage = bytearray(2 * size)
        offset = -uctypes.addressof(storage) & (size - 1)
        self._ring = memoryview(storage)[offset : offset + size]
        self._split = array("i", (0, 0, 0, 0, 0, 0))
        self._written = [0, 0]
        base = board.CHIP["adc_base"]
        self._adc_fcs = base + _ADC_FCS
        self._dma_1 = rp2.DMA()
        self._dma_2 = rp2.DMA()
        for dma, other in ((self._dma_1, self._dma_2), (self._dma_2, self._dma_1)):
            control = dma.pack_ctrl(
                size=1,
                inc_read=False,
                inc_write=True,
                ring_size=_RING_BITS,
                ring_sel=True,
                treq_sel=board.CHIP["adc_dreq"],
                chain_to=other.channel,  # type: ignore[attr-defined]
            )
            dma.config(
                read=base + _ADC_FIFO,
                write=self._ring,
                count=_DMA_COUNT,
                ctrl=control,
                trigger=dma is self._dma_1,
            )
        self._start_converter(base, *board.PILOT_ADC_CHANNEL)

    def _start_converter(self, base, first, second):
        """Conversions of both inputs in turn, for ever; the order starts with port 1."""
        mem32[base + _ADC_DIV] = _ADC_DIVIDER
        mem32[base + _ADC_FCS] = _FCS_ENABLE | _FCS_DREQ | _FCS_FLAGS | _FCS_THRESHOLD_ONE
        inputs = first << _CS_INPUT_SHIFT | (1 << first | 1 << second) << _CS_ROBIN_SHIFT
        mem32[base + _ADC_CS] = _CS_ENABLE | inputs
        mem32[base + _ADC_CS] = _CS_ENABLE | inputs | _CS_START_MANY

    def _start_slow_inputs(self, board):
        self._dip = [Pin(pin, Pin.IN, Pin.PULL_UP) for pin in board.DIP]
        self._button = Pin(board.BUTTON, Pin.IN, Pin.PULL_UP)
        self._spi = SPI(
            board.SPI_ID,
            baudrate=board.SPI_HZ,
            polarity=1,
            phase=1,
            sck=Pin(board.SPI_SCK),
            mosi=Pin(board.SPI_MOSI),
            miso=Pin(board.SPI_MISO, Pin.IN, Pin.PULL_UP),
        )
        self._converter = Mcp3208(self._spi, self._select(board.CONVERTER_SELECT))
        self._terminals = Terminals(board, self._spi, self._select(board.EXPANDER_SELECT))
        self._start_temperatures(board)
        self._start_locks(board)
        self._supply_mv = 0

    @staticmethod
    def _select(pin):
        return Pin(pin, Pin.OUT, value=1)

    def _start_temperatures(self, board):
        self._temperatures = None
        if board.TEMPERATURE_SELECT is not None:
            from mcu.drivers.ad7124 import Ad7124  # only where it is fitted: the smaller chip needs its heap

            self._temperatures = Ad7124(
                self._spi,
                self._select(board.TEMPERATURE_SELECT),
                board.TEMPERATURE_INPUTS,
                board.TEMPERATURE_REFERENCE,
                self._calibration["reference"],
            )

    def _start_locks(self, board):
        self._lock_converter = None
        self._locks: list = [NoLock(), NoLock()]
        if board.LOCK_DIRECTION is None:
            for pin in board.LOCK:
                Pin(pin, Pin.OUT, value=0)
            return
        self._lock_converter = Mcp3208(self._spi, self._select(board.LOCK_CONVERTER_SELECT))
        self._locks = [
            LockBridge(
                PWM(Pin(board.LOCK[index]), freq=LOCK_PWM_HZ, duty_u16=0),
                Pin(board.LOCK_DIRECTION[index], Pin.OUT, value=0),
                Pin(board.LOCK_FAULT[index], Pin.IN, Pin.PULL_UP),
                self._lock_converter,
                board.LOCK_FEEDBACK[index],
                board.LOCK_PULL_UP_OHM,
                board.LOCK_MODE_MV,
            )
            for index in (0, 1)
        ]

    def ticks_us(self):
        """Wraps at 2^30."""
        return time.ticks_us()

    def idle_until(self, ticks_us):
        """Sleep until `ticks_us`; at once when it has passed."""
        ahead = time.ticks_diff(ticks_us, time.ticks_us())
        if ahead > 0:
            time.sleep_us(ahead)

    def pilot_drive(self, port, duty_permille):
        """Constant levels are duty 0 and 65535: `deinit` would freeze the pin at any level."""
        if duty_permille >= 1000:
            duty = 65535
        elif duty_permille <= 0:
            duty = 0
        else:
            duty = (duty_permille * 65536 + 500) // 1000
        self._pilot[port - 1].duty_u16(duty)

    def pilot_phase_us(self):
        """Time since both pilots rose, or would have."""
        return mem32[self._pilot_counter] * 1000 // self._pilot_counts

    def _samples_written(self):
        """Samples of both ports since the running channel started."""
        return _DMA_COUNT - (self._dma_1.count or self._dma_2.count)  # type: ignore[attr-defined]

    def pilot_measure(self, port, out):
        """Plateaus in mV and sample counts of the newest period; all 0 when nothing new was sampled."""
        index = port - 1
        written = self._samples_written()
        out[0] = out[1] = out[2] = out[3] = 0
        # After an overflow the order of the ports in the ring is lost: unreadable until the next start.
        if written == self._written[index] or mem32[self._adc_fcs] & _FCS_OVERFLOW:
            return
        self._written[index] = written
        end = ((written - 1 - index) >> 1) * 4 + 2 * index + 4
        parts = self._split
        threshold, span, zero = self._threshold[index], self._span_mv[index], self._zero_mv[index]
        split(self._ring, end, _RING_MASK, _PERIOD_SAMPLES, threshold, parts)  # type: ignore[arg-type]
        averaged = parts[4]
        if averaged:
            out[0] = (parts[0] * 8 // averaged * span >> 15) + zero
            out[2] = parts[2]
        averaged = parts[5]
        if averaged:
            out[1] = (parts[1] * 8 // averaged * span >> 15) + zero
            out[3] = parts[3]

    def pilot_period_us(self, port):
        """Distance of the last two rising edges, 10 us steps; 0 while steady."""
        index = port - 1
        written = self._samples_written()
        end = ((written - 1 - index) >> 1) * 4 + 2 * index + 4
        ring, threshold = self._ring, self._threshold[index]
        distance = rising_distance(ring, end, _RING_MASK, _SEARCH_SAMPLES, threshold)  # type: ignore[arg-type]
        return distance * _SAMPLE_NS // 1000

    def _convert(self, name, channel, span_mv):
        """One calibrated reading in mV; 0 from a converter that does not answer, which permits nothing."""
        code = self._converter.read(channel)
        if code < 0:
            return 0
        gain, offset = self._calibration[name]
        return max(0, ((code * span_mv >> 12) * gain >> 14) + offset)

    def proximity_mv(self, port):
        """PP pin in mV."""
        board = self._board
        return self._convert(
            _PROXIMITY[port - 1], board.CONVERTER_PROXIMITY[port - 1], board.PROXIMITY_SPAN_MV
        )

    def cc1_mv(self, kind):
        """GB/T CC1 pin in mV; 0 AC, 1 DC."""
        return self._convert(_CC1[kind], self._board.CONVERTER_CC1[kind], self._board.CC1_SPAN_MV)

    def reference_mv(self):
        """The independent reference in mV; not calibrated, it is what the converter is compared with."""
        code = self._converter.read(self._board.CONVERTER_REFERENCE)
        return code * self._board.REFERENCE_SPAN_MV >> 12 if code > 0 else 0

    def relay_feed(self, relay):
        """Keep the pump of this relay running for 19.0 ms from now."""
        machine = self._pumps[relay - 1]
        self._fed[relay - 1] = True  # first: an exception in between must not hide it from `relay_drop`
        if machine.tx_fifo() < _PUMP_FIFO:
            machine.put(_FEED_PULSES)

    def relay_drop(self, relay):
        """Park the pump within two pulses; a full FIFO would block, then the machine is stopped instead."""
        if not self._fed[relay - 1]:
            return
        machine = self._pumps[relay - 1]
        if machine.tx_fifo() < _PUMP_FIFO:
            machine.put(0)
        else:
            machine.active(0)
        self._fed[relay - 1] = False

    def relay_feedback(self, relay):
        """True while the contact is closed."""
        return self._feedback[relay - 1].value() == self._feedback_closed

    def uart_read_into(self, buffer):
        """Read exactly what is there: asking for more would wait."""
        count = self._uart.any()
        if count <= 0:
            return 0
        if count > len(buffer):
            count = len(buffer)
        return self._uart.readinto(buffer, count) or 0

    def uart_write(self, buffer, n):
        """Write what surely fits, a full driver would wait. Allocates unless `n` is the whole buffer."""
        now = time.ticks_us()
        drained = min(time.ticks_diff(now, self._tx_ticks), 100_000) * self._tx_bytes_per_ms // 1000
        if drained < 0 or drained >= self._tx_fill:
            self._tx_fill = 0
            self._tx_ticks = now
        elif drained:
            self._tx_fill -= drained
            self._tx_ticks = time.ticks_add(self._tx_ticks, drained * 1000 // self._tx_bytes_per_ms)
        n = min(n, _TX_FULL - self._tx_fill)
        if n <= 0:
            return 0
        taken = self._uart.write(buffer if n == len(buffer) else memoryview(buffer)[:n]) or 0
        self._tx_fill += taken
        return taken

    def watchdog_feed(self):
        """The first call arms it; it cannot be stopped afterwards."""
        if self._watchdog is None:
            self._watchdog = WDT(timeout=WATCHDOG_MS)
        self._watchdog.feed()

    def release(self):
        """The program has ended: no samples into memory it leaves, and an armed watchdog waits 8 s."""
        mem32[self._adc_fcs - _ADC_FCS + _ADC_CS] = 0
        if self._watchdog is not None:
            self._watchdog = WDT(timeout=CONSOLE_WATCHDOG_MS)

    def digital_inputs(self):
        """Bit 0 = input 1, 0 while they cannot be read; refreshes the LEDs on the way."""
        return self._terminals.digital_inputs(time.ticks_us())

    def dip_switches(self):
        """Bit 0 = switch 1; ON pulls to ground."""
        bits = 0
        for index in range(4):
            if not self._dip[index].value():
                bits |= 1 << index
        return bits

    def button_pressed(self):
        """Factory-reset button; pressed pulls to ground."""
        return not self._button.value()

    def digital_outputs(self, values):
        """Bit 0 = output 1."""
        self._terminals.write_outputs(values)

    def output_overloads(self):
        """Bit 0 = output 1: its driver is too hot."""
        return self._terminals.output_overloads()

    def led(self, index, pattern):
        """Shown with the next reading of the inputs."""
        self._terminals.leds[index] = pattern

    def lock_drive(self, port, direction):
        """Lock motor: 1 towards locked, -1 towards unlocked, 0 off."""
        self._locks[port - 1].drive(direction, self._supply_mv)

    def lock_ohm(self, port):
        """Feedback of the lock, 65535 when open; -1: no lock here."""
        return self._locks[port - 1].feedback_ohm()

    def lock_overload(self, port):
        """True while the motor bridge reports a fault."""
        return self._locks[port - 1].overloaded()

    def temperature_step(self):
        """Go on with the temperatures: number of an input with a new reading, else 0."""
        return self._temperatures.step() if self._temperatures else 0

    def resistance_mohm(self, sensor):
        """Newest reading of temperature input 1 to 9."""
        return self._temperatures.resistance_mohm[sensor] if self._temperatures else 0

    def supervise(self):
        """Look after one expander."""
        self._terminals.supervise()

    def chip_faults(self):
        """Mask of DEVICE_* bits: chips that do not answer, and no calibration."""
        faults = self._uncalibrated
        if self._converter.dead or self._lock_converter and self._lock_converter.dead:
            faults |= _CONVERTER_FAULT
        if self._temperatures and self._temperatures.dead:
            faults |= _TEMPERATURE_FAULT
        if self._terminals.dead:
            faults |= _EXPANDER_FAULT
        return faults

    def supply_mv(self):
        """Supply of the device in mV."""
        self._supply_mv = self._convert("supply", self._board.CONVERTER_SUPPLY, self._board.SUPPLY_SPAN_MV)
        return self._supply_mv

    def analog_mv(self, index):
        """0-10 V input in mV."""
        return self._convert(
            _ANALOG[index - 1], self._board.CONVERTER_ANALOG[index - 1], self._board.ANALOG_SPAN_MV
        )

    def reset_cause(self):
        """What was recorded before the reset, else what the chip knows; the record is used up."""
        scratch = self._board.CHIP["scratch"]
        recorded = mem32[scratch]
        mem32[scratch] = 0
        if recorded & 0xFFFF0000 == _SCRATCH_MAGIC:
            return recorded & 7
        if machine_reset_cause() == PWRON_RESET:
            return self._power_cause()
        return _CAUSE_WATCHDOG if machine_reset_cause() == WDT_RESET else _CAUSE_UNKNOWN

    def _power_cause(self):
        """Both bits set: power was gone altogether. RP2040: a brown-out reads as power-on."""
        register = self._board.CHIP["chip_reset"]
        had = mem32[register] & (_HAD_POWER_ON | _HAD_BROWN_OUT) if register else 0
        return _CAUSE_BROWN_OUT if had == _HAD_BROWN_OUT else _CAUSE_POWER_ON

    def keep(self, index, value):
        """Register 1 to 3 that a reset leaves alone; below 2^30."""
        mem32[self._kept[index]] = value

    def kept(self, index):
        """What was kept, anything at all after a power-on."""
        return mem32[self._kept[index]] & 0x3FFFFFFF

    def reset(self, cause):
        """Record the cause, park relays and pilots, restart the chip."""
        mem32[self._board.CHIP["scratch"]] = _SCRATCH_MAGIC | cause
        try:
            for relay in (1, 2, 3):
                self.relay_drop(relay)
            for port in (1, 2):
                self.pilot_drive(port, 0)
                self.lock_drive(port, 0)
        finally:
            machine_reset()
        sys.exit(1)
