"""The chip inside this process: the firmware on CPython over `mcu/hal/sim.py`, exact virtual time."""

from __future__ import annotations

import gc
import importlib
from typing import Any

from vsecc_link.messages import DEVICE_CALIBRATION, DEVICE_CONVERTER, DEVICE_EXPANDER, DEVICE_TEMPERATURE
from vsecc_sim.mcu.board import CAUSE_FATAL, CAUSE_UNKNOWN, FEED_US, Board
from vsecc_sim.mcu.bus import CONVERTER, EXPANDER, LOCK_CONVERTER, TEMPERATURE
from vsecc_sim.mcu.terminals import SENSORS

OPEN_OHM = 65535
# 2.5 V at 500 uA.
FULL_SCALE_MOHM = 5_000_000


class SimBoard:
    """The object `mcu.hal.sim.Hal` talks to; see mcu/hal/README.md for the meaning of each method."""

    def __init__(self, board: Board) -> None:
        """Adapts a board; `until_us` is what the firmware last asked to sleep to."""
        self._board = board
        self.until_us = board.now_us
        self._half_step = False
        self._sensor = 0

    def now_us(self) -> int:
        """Emulated time."""
        return self._board.now_us

    def idle_until_us(self, until_us: int) -> None:
        """Only noted: whoever runs the firmware returns into it at that time."""
        self.until_us = until_us

    def pilot_drive(self, port: int, permille: int) -> None:
        """Level or duty cycle."""
        self._board.ports[port].drive(permille, self._board.now_us)

    def pilot_levels(self, port: int) -> tuple[int, int, int, int]:
        """The newest whole period."""
        return self._board.ports[port].levels(self._board.now_us)

    def pilot_period_us(self, port: int) -> int:
        """Distance of two rising edges."""
        return self._board.ports[port].measured_period_us()

    def proximity_mv(self, port: int) -> int:
        """PP pin."""
        return self._board.ports[port].proximity.voltage_mv()

    def relay_feed(self, relay: int) -> None:
        """Keeps the pump running for 20 ms."""
        self._board.relays[relay].pump(self._board.now_us + FEED_US, self._board.now_us)

    def relay_drop(self, relay: int) -> None:
        """Stops the pump."""
        self._board.relays[relay].drop(self._board.now_us)

    def relay_feedback(self, relay: int) -> bool:
        """Mirror contact."""
        return self._board.relays[relay].feedback

    def uart_read(self) -> bytes:
        """What has arrived."""
        return self._board.uart.mcu_read()

    def uart_write(self, data: bytes) -> int:
        """Number of bytes taken."""
        return self._board.uart.mcu_write(data, self._board.now_us)

    def watchdog_feed(self) -> None:
        """Arms it the first time."""
        self._board.watchdog_feed()

    def digital_inputs(self) -> int:
        """Bit 0 = input 1; 0 while they cannot be read."""
        dead = self.chip_faults() >> DEVICE_EXPANDER & 1
        return 0 if dead else self._board.terminals.digital_inputs

    def dip_switches(self) -> int:
        """Bit 0 = switch 1."""
        return self._board.terminals.dip_switches

    def digital_outputs(self, values: int) -> None:
        """Bit 0 = output 1."""
        self._board.write_outputs(values)

    def led(self, index: int, pattern: int) -> None:
        """Pattern as in the catalogue."""
        self._board.write_led(index, pattern)

    def output_overloads(self) -> int:
        """Bit 0 = output 1."""
        return self._board.terminals.hot_outputs

    def lock_drive(self, port: int, direction: int) -> None:
        """Lock motor."""
        self._board.locks[port].drive(direction, self._board.now_us)

    def lock_ohm(self, port: int) -> int:
        """Feedback of the lock."""
        if LOCK_CONVERTER in self._board.bus_faults.dead:
            return OPEN_OHM
        ohm = self._board.locks[port].ohm(self._board.now_us)
        return OPEN_OHM if ohm is None else min(OPEN_OHM, round(ohm))

    def lock_overload(self, port: int) -> bool:
        """Fault of the motor bridge."""
        return self._board.locks[port].overloaded

    def button_pressed(self) -> bool:
        """Factory-reset button."""
        return self._board.terminals.button

    def cc1_mv(self, kind: int) -> int:
        """GB/T CC1 pin."""
        return self._board.terminals.cc1_mv[kind]

    def reference_mv(self) -> int:
        """Independent reference."""
        return self._board.terminals.reference_mv

    def temperature_step(self) -> int:
        """One input each 16 ms, a tenth step for the fixed resistor, as the converter's driver does."""
        self._half_step = not self._half_step
        if self._half_step or self.chip_faults() >> DEVICE_TEMPERATURE & 1:
            return 0
        self._sensor = self._sensor + 1 if self._sensor < SENSORS else 0
        return self._sensor

    def resistance_mohm(self, sensor: int) -> int:
        """Reading of a temperature input; an open one reads as the converter's full scale."""
        ohm = self._board.terminals.sensors_ohm[sensor - 1]
        return FULL_SCALE_MOHM if ohm is None else min(FULL_SCALE_MOHM, round(ohm * 1000))

    def chip_faults(self) -> int:
        """Mask of DEVICE_* bits, as the drivers would find out."""
        board = self._board
        faults = board.bus_faults
        stuck = faults.stuck is not None
        found = 0
        if stuck or {CONVERTER, LOCK_CONVERTER} & faults.dead:
            found |= 1 << DEVICE_CONVERTER
        if stuck or TEMPERATURE in faults.dead or faults.flip_bit or board.source_dead:
            found |= 1 << DEVICE_TEMPERATURE
        if stuck or EXPANDER in faults.dead:
            found |= 1 << DEVICE_EXPANDER
        return found | (0 if board.calibrated else 1 << DEVICE_CALIBRATION)

    def supply_mv(self) -> int:
        """Supply voltage."""
        return self._board.terminals.supply_mv

    def analog_mv(self, index: int) -> int:
        """0-10 V input."""
        return self._board.terminals.analog_mv[index - 1]

    def reset_cause(self) -> int:
        """Index into RESET_NAMES."""
        return self._board.boot_cause

    def boot_id(self) -> int:
        """Differs between two starts."""
        return self._board.boot_id

    def reset(self, cause: int = CAUSE_UNKNOWN) -> None:
        """Restarts the chip."""
        self._board.reset(cause)
        raise SystemExit


class InProcessChip:
    """Runs the firmware's loop body step by step; one call computes in no emulated time."""

    def __init__(self, board: Board) -> None:
        """Not started."""
        self._board = board
        self._sim: SimBoard | None = None
        self._control: Any = None
        self.until_us: int | None = None

    @property
    def alive(self) -> bool:
        """True while there is a program."""
        return self._control is not None

    def start(self) -> None:
        """Builds the program anew, as a restart does."""
        firmware = importlib.import_module("mcu.main")
        hal_module = importlib.import_module("mcu.hal.sim")
        self._sim = SimBoard(self._board)
        collecting = gc.isenabled()
        try:
            # The collector of this process is not the firmware's to command.
            self._control = firmware.make_control(hal_module.Hal(self._sim), collect=_no_collection)
            self._control.start()
        finally:
            if collecting:
                gc.enable()
        self.until_us = self._board.now_us

    def resume(self) -> None:
        """One cycle."""
        board = self._board
        self.until_us = None
        if board.hung or self._sim is None:
            return
        if board.stall_us:
            self.until_us, board.stall_us = board.now_us + board.stall_us, 0
            return
        try:
            self._control.cycle()
            self._control.wait()
        except SystemExit:
            return
        except Exception:
            board.trace.add(board.now_us, "firmware.exception", True)
            board.reset(CAUSE_FATAL)
            raise
        self.until_us = max(self._sim.until_us, board.now_us)

    def kill(self) -> None:
        """Forgets the program."""
        self._control = self._sim = None
        self.until_us = None


def _no_collection() -> None:
    """Stands in for the firmware's collections."""
