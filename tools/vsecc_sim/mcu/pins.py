"""Translates between the emulated chip's pins and registers and the board: records in, input words out.

Its counterpart inside the interpreter process is `shims/chip.py`, which names every record and every word.
"""

from __future__ import annotations

import struct
from types import ModuleType

from vsecc_sim.mcu.board import CAUSE_BROWN_OUT, CAUSE_COMMANDED, CAUSE_POWER_ON, PORTS, RELAYS, Board
from vsecc_sim.mcu.pio import Program, StateMachine
from vsecc_sim.mcu.sampling import PilotSampling

TICKS_MASK = 0x3FFFFFFF
MAGIC = 0x5643
HEADER = struct.Struct("<HHHHii")
RECORD = struct.Struct("<BBHi")
ANSWER = struct.Struct("<24i")
FLAG_HANG, FLAG_EXCEPTION, FLAG_CONSOLE = 1, 2, 4
SHIM_PWRON_RESET, SHIM_WDT_RESET = 1, 3
# A light that changed within this time is flashing (320 ms on, 320 ms off).
FLASH_US = 700_000
_LOW_BANK_PINS = 30
# Causes that the chip cannot tell apart; its registers are lost.
_POWER_LOST = (CAUSE_POWER_ON, CAUSE_BROWN_OUT)
_INTERRUPTIONS = {"": 0, "exception": FLAG_EXCEPTION, "console": FLAG_CONSOLE}


class ResetRequested(Exception):
    """The firmware asked for a restart of the chip."""


class SoftResetRequested(Exception):
    """The interpreter restarts, the chip keeps its levels; `raw`: its prompt stays in raw mode."""

    def __init__(self, raw: bool) -> None:
        """Says so."""
        super().__init__()
        self.raw = raw


class ChipPins:
    """The soldered connection between one chip and one board; `table` is a module of `mcu.boards`."""

    def __init__(self, board: Board, table: ModuleType) -> None:
        """Pins as after a power-on."""
        self._board = board
        self._table = table
        self._port_of = dict(zip(table.PILOT_PWM, PORTS, strict=True))
        self._relay_of = dict(zip(table.RELAY_PUMP, RELAYS, strict=True))
        self._lock_of = dict(zip(table.LOCK, PORTS, strict=True))
        self._words: dict[int, dict[int, int]] = {}
        self._freq_hz: dict[int, int] = {}
        self._machines: dict[int, StateMachine] = {}
        self._scratch = [0, 0, 0, 0]
        self._voltages: tuple[int, ...] = ()
        self._codes = [0] * 8
        self._lights = 0
        self._light_changed_us = [-FLASH_US] * 4
        self._since_us = board.now_us
        self.sampling = PilotSampling(board, table)
        self._handlers = {
            2: self._pin_set, 3: self._pwm_duty, 5: self._sm_word, 6: self._sm_setup, 7: self._sm_freq,
            8: self._sm_put, 9: self._sm_active, 10: self._wdt_start, 11: self._wdt_feed, 12: self._uart_baud,
            13: self._uart_rxbuf, 14: self._adc_divider, 15: self._adc_run, 16: self._scratch_write,
            17: self._expander, 18: self._reset, 19: self._soft_reset,
        }  # fmt: skip

    def reset(self) -> None:
        """The chip was reset; scratch registers keep their value unless power was lost."""
        self._words.clear()
        self._machines.clear()
        self.sampling.stop()
        self._since_us = self._board.now_us
        if self._board.boot_cause in _POWER_LOST:
            self._scratch = [0, 0, 0, 0]

    def apply(self, records: bytes) -> None:
        """Carries out what the chip noted since its last exchange, each at its own time."""
        handlers = self._handlers
        for operation, index, after_us, value in RECORD.iter_unpack(records):
            handler = handlers.get(operation)
            if handler:
                handler(index, value, self._since_us + after_us)

    def answer(self) -> bytes:
        """Inputs of the board's present time, as the chip reads them."""
        board = self._board
        data = board.uart.mcu_read()
        total, samples = self.sampling.take(board.now_us)
        low, high = self._gpio()
        words = [0] * 24
        words[0] = FLAG_HANG if board.hung else _INTERRUPTIONS[board.raises]
        board.raises = ""
        words[1] = board.now_us & TICKS_MASK
        words[2], words[3] = low, high
        for index, machine in self._machines.items():
            words[4] |= len(machine.tx) << 4 * index
        words[5], words[6], words[7] = len(data), board.uart.tx_free, len(samples) // 2
        words[8:16] = self._converter()
        words[16] = board.terminals.digital_inputs
        words[17], board.stall_us = board.stall_us, 0
        words[18] = SHIM_PWRON_RESET if board.boot_cause in _POWER_LOST else SHIM_WDT_RESET
        words[19] = self._scratch[0]
        words[20] = total
        words[21:24] = self._scratch[1:]
        self._since_us = board.now_us
        return ANSWER.pack(*words) + data + samples

    def _gpio(self) -> tuple[int, int]:
        table, board = self._table, self._board
        bits = 0
        for index, pin in enumerate(table.RELAY_FEEDBACK):
            if board.relays[index + 1].feedback == bool(table.RELAY_FEEDBACK_CLOSED):
                bits |= 1 << pin
        for index, pin in enumerate(table.DIP):
            if not board.terminals.dip_switches >> index & 1:
                bits |= 1 << pin
        return bits & (1 << _LOW_BANK_PINS) - 1, bits >> _LOW_BANK_PINS

    def _converter(self) -> list[int]:
        table, board = self._table, self._board
        voltages = (
            *(port.proximity.voltage_mv() for port in board.ports.values()),
            *board.terminals.analog_mv,
            board.terminals.supply_mv,
        )
        if voltages != self._voltages:
            self._voltages = voltages
            spans = (*[table.PROXIMITY_SPAN_MV] * 2, *[table.ANALOG_SPAN_MV] * 2, table.SUPPLY_SPAN_MV)
            channels = (*table.CONVERTER_PROXIMITY, *table.CONVERTER_ANALOG, table.CONVERTER_SUPPLY)
            for channel, millivolts, span in zip(channels, voltages, spans, strict=True):
                self._codes[channel] = _code(millivolts, span)
        return self._codes

    def _pin_set(self, pin: int, level: int, at_us: int) -> None:
        if pin in self._lock_of:
            self._board.write_lock(self._lock_of[pin], bool(level))

    def _pwm_duty(self, pin: int, duty_u16: int, at_us: int) -> None:
        port = self._port_of.get(pin)
        if port:
            self._board.ports[port].drive((duty_u16 * 1000 + 32768) // 65536, at_us)

    def _sm_word(self, index: int, value: int, at_us: int) -> None:
        self._words.setdefault(index, {})[value >> 16] = value & 0xFFFF

    def _sm_freq(self, index: int, value: int, at_us: int) -> None:
        self._freq_hz[index] = value

    def _sm_setup(self, index: int, value: int, at_us: int) -> None:
        count = value >> 20 & 63
        program = Program(
            words=tuple(self._words.get(index, {}).get(at, 0) for at in range(count)),
            wrap_target=value & 31,
            wrap=value >> 5 & 31,
            side_bits=value >> 10 & 7,
            side_optional=bool(value >> 13 & 1),
        )
        machine = StateMachine(program, self._freq_hz[index], start_us=at_us)
        self._machines[index] = machine
        relay = self._relay_of.get(value >> 14 & 63)
        if relay:
            self._board.relays[relay].machine = machine

    def _sm_put(self, index: int, value: int, at_us: int) -> None:
        machine = self._machines[index]
        self._run(machine, at_us)
        machine.put(value)

    def _sm_active(self, index: int, on: int, at_us: int) -> None:
        machine = self._machines[index]
        self._run(machine, at_us)
        machine.set_active(bool(on), at_us)

    def _run(self, machine: StateMachine, at_us: int) -> None:
        """Runs a machine through its relay where it has one, so that no pulse is missed."""
        for relay in self._board.relays.values():
            if relay.machine is machine:
                relay.sync(at_us)
        machine.run(at_us)

    def _wdt_start(self, index: int, timeout_ms: int, at_us: int) -> None:
        self._board.watchdog_start(timeout_ms * 1000)

    def _wdt_feed(self, index: int, value: int, at_us: int) -> None:
        self._board.watchdog_feed(at_us)

    def _uart_baud(self, index: int, value: int, at_us: int) -> None:
        self._board.uart.set_baud(value)

    def _uart_rxbuf(self, index: int, value: int, at_us: int) -> None:
        self._board.uart.rx_limit = value

    def _adc_divider(self, index: int, value: int, at_us: int) -> None:
        self.sampling.set_divider(value)

    def _adc_run(self, index: int, value: int, at_us: int) -> None:
        self.sampling.set_control(value, at_us)

    def _scratch_write(self, index: int, value: int, at_us: int) -> None:
        self._scratch[index] = value

    def _expander(self, index: int, value: int, at_us: int) -> None:
        self._board.write_outputs(value & 0xFFFF)
        lights = value >> 16
        for led in range(4):
            colour = lights >> 2 * led & 3
            if colour != self._lights >> 2 * led & 3:
                flashing = at_us - self._light_changed_us[led] < FLASH_US
                self._light_changed_us[led] = at_us
                if colour:
                    self._board.write_led(led, (1 if colour & 1 else 3) + (not flashing))
                elif not flashing:
                    self._board.write_led(led, 0)
        self._lights = lights

    def _reset(self, index: int, value: int, at_us: int) -> None:
        raise ResetRequested(CAUSE_COMMANDED)

    def _soft_reset(self, index: int, value: int, at_us: int) -> None:
        raise SoftResetRequested(bool(value))


def _code(millivolts: int, span_mv: int) -> int:
    """12-bit code of a divider's voltage."""
    return max(0, min(4095, millivolts * 4096 // span_mv))
