"""Translates between the emulated chip's pins and registers and the board: records in, input words out.

Its counterpart inside the interpreter process is `shims/chip.py`, which names every record and every word.
"""

from __future__ import annotations

import struct
from types import ModuleType

from vsecc_sim.mcu.board import CAUSE_BROWN_OUT, CAUSE_COMMANDED, CAUSE_POWER_ON, PORTS, RELAYS, Board
from vsecc_sim.mcu.bus import SpiBus
from vsecc_sim.mcu.pio import Program, StateMachine
from vsecc_sim.mcu.sampling import PilotSampling

TICKS_MASK = 0x3FFFFFFF
MAGIC = 0x5643
HEADER = struct.Struct("<HHHHii")
RECORD = struct.Struct("<BBHi")
ANSWER = struct.Struct("<24i")
FLAG_HANG, FLAG_EXCEPTION, FLAG_CONSOLE = 1, 2, 4
SHIM_PWRON_RESET, SHIM_WDT_RESET = 1, 3
_LOW_BANK_PINS = 30
# Causes that `machine` cannot tell apart; the watchdog's registers are lost.
_POWER_LOST = (CAUSE_POWER_ON, CAUSE_BROWN_OUT)
# CHIP_RESET of POWMAN: HAD_POR, HAD_BOR, HAD_WATCHDOG_RESET_RSM.
_CHIP_RESET = {CAUSE_POWER_ON: 1 << 16, CAUSE_BROWN_OUT: 1 << 17}
_HAD_WATCHDOG = 1 << 28
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
        self._lock_direction_of = dict(zip(table.LOCK_DIRECTION or (), PORTS, strict=False))
        self._lock_direction = {port: -1 for port in PORTS}
        self._lock_on = {port: False for port in PORTS}
        self._since_us = board.now_us
        self.sampling = PilotSampling(board, table)
        self.bus = SpiBus(board, table)
        self._handlers = {
            2: self._pin_set, 3: self._pwm_duty, 5: self._sm_word, 6: self._sm_setup, 7: self._sm_freq,
            8: self._sm_put, 9: self._sm_active, 10: self._wdt_start, 11: self._wdt_feed, 12: self._uart_baud,
            13: self._uart_rxbuf, 14: self._adc_divider, 15: self._adc_run, 16: self._scratch_write,
            18: self._reset, 19: self._soft_reset, 4: self._pwm_freq, 17: self._pwm_counter,
        }  # fmt: skip

    def reset(self) -> None:
        """The chip was reset; scratch registers keep their value unless power was lost."""
        self._words.clear()
        self._machines.clear()
        self._lock_on = {port: False for port in PORTS}
        self.bus.mcu_reset()
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

    def transfer(self, mosi: bytes, at_us: int) -> bytes:
        """One conversation on the SPI bus."""
        board = self._board
        if board.expanders_disturbed:
            board.expanders_disturbed = False
            self.bus.lose_settings()
        self.bus.temperature.source_dead = board.source_dead
        return self.bus.transfer(mosi, at_us)

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
        words[8] = board.ports[1].phase_us(board.now_us) * 1000 // board.ports[1].period_us
        words[9] = board.cycle_cost_us // 2
        words[16] = _CHIP_RESET.get(board.boot_cause, _HAD_WATCHDOG)
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
        if not board.terminals.button:
            bits |= 1 << table.BUTTON
        for index, pin in enumerate(table.LOCK_FAULT or ()):
            if not board.locks[index + 1].overloaded:
                bits |= 1 << pin
        return bits & (1 << _LOW_BANK_PINS) - 1, bits >> _LOW_BANK_PINS

    def _pin_set(self, pin: int, level: int, at_us: int) -> None:
        self.bus.pin_set(pin, level, at_us)
        port = self._lock_direction_of.get(pin)
        if port:
            self._lock_direction[port] = 1 if level else -1
            self._drive_lock(port, at_us)

    def _pwm_duty(self, pin: int, duty_u16: int, at_us: int) -> None:
        port = self._port_of.get(pin)
        if port:
            self._board.ports[port].drive((duty_u16 * 1000 + 32768) // 65536, at_us)
        lock = self._lock_of.get(pin)
        if lock:
            self._lock_on[lock] = duty_u16 > 0
            self._drive_lock(lock, at_us)

    def _pwm_freq(self, pin: int, value: int, at_us: int) -> None:
        """A slice that is set up counts from 0."""
        port = self._port_of.get(pin)
        if port:
            self._board.ports[port].restart(at_us)

    def _pwm_counter(self, slice_number: int, value: int, at_us: int) -> None:
        """Only 0 is ever written."""
        self._pwm_freq(2 * slice_number, value, at_us)

    def _drive_lock(self, port: int, at_us: int) -> None:
        direction = self._lock_direction[port] if self._lock_on[port] else 0
        self._board.locks[port].drive(direction, at_us)

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

    def _reset(self, index: int, value: int, at_us: int) -> None:
        raise ResetRequested(CAUSE_COMMANDED)

    def _soft_reset(self, index: int, value: int, at_us: int) -> None:
        raise SoftResetRequested(bool(value))
