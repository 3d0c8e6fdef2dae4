"""The emulated chip as its own program sees it: clock, pins, rings, and the exchange with the board model.

Runs inside the interpreter process, under MicroPython and CPython. Outputs are noted as 8-byte records; each
idle sends them with the time to wake at and takes the inputs of that time back. Nothing here allocates after
start-up, because the firmware runs with collection switched off.
"""

import struct
import sys
from array import array

try:
    from chip_copy import copy
except SyntaxError:

    def copy(target, target_at, source, source_at, count):
        """Plain form for interpreters without a native code emitter."""
        target[target_at : target_at + count] = source[source_at : source_at + count]


PIN_MODE = 1
PIN_SET = 2
PWM_DUTY = 3
PWM_FREQ = 4
SM_WORD = 5
SM_SETUP = 6
SM_FREQ = 7
SM_PUT = 8
SM_ACTIVE = 9
WDT_START = 10
WDT_FEED = 11
UART_BAUD = 12
UART_RXBUF = 13
ADC_DIVIDER = 14
ADC_RUN = 15
SCRATCH = 16
PWM_COUNTER = 17
RESET = 18
SOFT_RESET = 19

# Words of the board's answer.
W_FLAGS = 0
W_TICKS = 1
W_GPIO_LOW = 2
W_GPIO_HIGH = 3
W_TX_LEVELS = 4
W_RX_COUNT = 5
W_TX_FREE = 6
W_ADC_COUNT = 7
W_PILOT_PHASE = 8
W_PRICE_US = 9
W_CHIP_RESET = 16
W_STALL_US = 17
W_RESET_CAUSE = 18
W_SCRATCH = 19
W_ADC_TOTAL = 20
W_SCRATCH_MORE = 21  # registers 1 to 3
WORDS = 24
FLAG_HANG = 1
FLAG_EXCEPTION = 2
FLAG_CONSOLE = 4

_IDLE = 0
_GREETING = 1
_SPI = 2
_HEADER = 16
_RECORD = "<BBHi"
_RECORDS_MAX = 250
_TX_MAX = 1024
_ADC_MAX = 2048
_TICKS_MASK = 0x3FFFFFFF
# A program that computes for longer without idling gets its inputs anyway, as it would on the chip.
_EXCHANGE_AT_LEAST_US = 300
# A program that was not scheduled for longer sees no more than this pass; the board holds its clock likewise.
_HOLD_US = 4000
# What reading the clock costs on the chip: busy waits end in virtual time too.
_CLOCK_PRICE_US = 3

words = array("i", bytearray(4 * WORDS))
tx_levels = bytearray(12)
rx = bytearray(1024)

_out = bytearray(_HEADER + 8 * (_RECORDS_MAX + 6))
_tx = bytearray(_TX_MAX)
_rx_in = bytearray(1024)
_adc_in = bytearray(2 * _ADC_MAX)
_records = 0
_tx_count = 0
_rx_count = 0
_now = 0
_last_exchange = 0
_virtual = True
_clock = None
_clock_start = 0
_reader = None
_writer = None
_adc_sink = None
console_poll = None  # called where a break from the console may end the program
_kind = _GREETING


def connect(reader, writer, wall_clock):
    """Greets the board; `wall_clock` is None in virtual time, else a function giving running microseconds."""
    global _reader, _writer, _virtual, _clock
    _reader, _writer, _clock = reader, writer, wall_clock
    _virtual = wall_clock is None
    exchange(0)


def ticks_us():
    """Free-running time, wraps at 2^30."""
    global _now
    if _virtual:
        _now = (_now + _CLOCK_PRICE_US) & _TICKS_MASK
    else:
        _now = (_last_exchange + min(_clock() - _clock_start & _TICKS_MASK, _HOLD_US)) & _TICKS_MASK
    if ((_now - _last_exchange) & _TICKS_MASK) > _EXCHANGE_AT_LEAST_US:
        exchange(_now)
    return _now


def charge(price_us):
    """Lets virtual time pass for a call that takes time on the chip."""
    global _now
    if _virtual:
        _now = (_now + price_us) & _TICKS_MASK


def pilot_phase_us():
    """Time since the pilots' counter was 0."""
    return (words[W_PILOT_PHASE] + ((_now - _last_exchange) & _TICKS_MASK)) % 1000


def sleep_us(span_us):
    """Idles; the board answers when the time has come."""
    exchange((ticks_us() + span_us) & _TICKS_MASK)


def note(operation, index, value):
    """Notes one output for the board, stamped with the time since the last exchange."""
    global _records
    if _records >= _RECORDS_MAX:
        exchange(_now)
    since = (_now - _last_exchange) & _TICKS_MASK
    struct.pack_into(_RECORD, _out, _HEADER + 8 * _records, operation, index, min(since, 65535), value)
    _records += 1


def exchange(until):
    """Sends what was noted and waits for the board's answer, which comes at `until`."""
    global _records, _tx_count, _now, _last_exchange, _kind, _clock_start
    struct.pack_into("<HHHHii", _out, 0, 0x5643, _records, _tx_count, _kind, _now, until)
    _kind = _IDLE
    _writer.write(_out, _HEADER + 8 * _records)
    if _tx_count:
        _writer.write(_tx, _tx_count)
    _records = 0
    _tx_count = 0
    if not _reader.readinto(words, 4 * WORDS):
        sys.exit(0)
    if words[W_FLAGS] & FLAG_HANG:
        _hang()
    _take_inputs()
    _now = _last_exchange = words[W_TICKS]
    if not _virtual:
        _clock_start = _clock()
    if words[W_STALL_US]:
        _stall(words[W_STALL_US])
    if console_poll is not None:
        console_poll()
    if words[W_FLAGS] & FLAG_EXCEPTION:
        raise OSError("injected")
    if words[W_FLAGS] & FLAG_CONSOLE:
        raise KeyboardInterrupt


def transfer(out, into, count):
    """One conversation on the SPI bus: the board carries out what was noted before, and answers at once."""
    global _records
    struct.pack_into("<HHHHii", _out, 0, 0x5643, _records, count, _SPI, _now, _now)
    end = _HEADER + 8 * _records
    copy(_out, end, out, 0, count)
    _records = 0
    _writer.write(_out, end + count)
    if not _reader.readinto(into, count):
        sys.exit(0)


def _take_inputs():
    global _rx_count
    levels = words[W_TX_LEVELS]
    for index in range(6):
        tx_levels[index] = levels >> 4 * index & 15
    count = words[W_RX_COUNT]
    if count:
        _reader.readinto(_rx_in, count)
        # A full ring drops the newest bytes without a word, like the driver's.
        count = min(count, len(rx) - _rx_count)
        copy(rx, _rx_count, _rx_in, 0, count)
        _rx_count += count
    count = words[W_ADC_COUNT]
    if count:
        _reader.readinto(_adc_in, 2 * count)
        if _adc_sink is not None:
            _adc_sink(_adc_in, count, words[W_ADC_TOTAL])


def _stall(span_us):
    """The processor does nothing for a while, as in a long collection or a flash write."""
    if _virtual:
        charge(span_us)
    else:
        start = _clock()
        while ((_clock() - start) & _TICKS_MASK) < span_us:
            pass


def _hang():
    """Stands still until the board resets the chip; reading blocks without using processor time."""
    while True:
        if not _reader.readinto(words, 4):
            sys.exit(0)


def adc_goes_to(sink):
    """`sink(buffer, count, total)` takes the samples of each exchange."""
    global _adc_sink
    _adc_sink = sink


def rx_available():
    """Bytes in the receive ring."""
    return _rx_count


def rx_take(buffer, count):
    """Moves up to `count` bytes from the receive ring into the buffer."""
    global _rx_count
    count = min(count, _rx_count)
    copy(buffer, 0, rx, 0, count)
    _rx_count -= count
    copy(rx, 0, rx, count, _rx_count)
    return count


def rx_resize(size):
    """Receive ring of a given size, emptied."""
    global rx, _rx_count
    rx = bytearray(size)
    _rx_count = 0
    note(UART_RXBUF, 0, size)


def tx_put(buffer, count):
    """Queues bytes for the line; waits for room as the driver does."""
    global _tx_count
    done = 0
    while done < count:
        room = min(_TX_MAX, words[W_TX_FREE]) - _tx_count
        if room <= 0:
            exchange((_now + 1000) & _TICKS_MASK)
            continue
        part = min(room, count - done)
        copy(_tx, _tx_count, buffer, done, part)
        _tx_count += part
        done += part
    return count


def reset():
    """Restarts the chip; does not return."""
    _end(RESET, 0)


def soft_reset(raw):
    """Restarts the interpreter, the chip keeps its levels; does not return. `raw`: at the raw prompt."""
    _end(SOFT_RESET, raw)


def _end(operation, value):
    global console_poll
    console_poll = None
    note(operation, 0, value)
    exchange(_now)
    _hang()
