"""The SPI bus of the board: which chip hangs on which select line, and what is wired to the chips."""

from __future__ import annotations

from types import ModuleType

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.chips import SpiChip
from vsecc_sim.mcu.chips.ad7124 import Ad7124
from vsecc_sim.mcu.chips.mcp23s17 import Mcp23s17
from vsecc_sim.mcu.chips.mcp3208 import Mcp3208

# A light that changed within this time is flashing (320 ms on, 320 ms off).
FLASH_US = 700_000
CONVERTER, LOCK_CONVERTER, TEMPERATURE, EXPANDER = "converter", "lock-converter", "temperature", "expander"
REFERENCE_OHM = 1000.0


class SpiBus:
    """Chips by select pin; several on one line answer to their own address."""

    def __init__(self, board: Board, table: ModuleType) -> None:
        """All chips powered."""
        self._board = board
        self._table = table
        self._lights = 0
        self._light_changed_us = [-FLASH_US] * 4
        self._settle_us: int | None = None  # when to look whether a light stopped flashing
        self._low: set[int] = set()
        self._chips: dict[int, list[tuple[str, SpiChip]]] = {
            table.CONVERTER_SELECT: [(CONVERTER, Mcp3208(self._converter_level))]
        }
        self.expanders = [Mcp23s17(table.EXPANDER_OUTPUTS, lambda: 0, self._on_outputs)]
        if table.EXPANDER_OVERLOAD is not None:
            self.expanders.append(
                Mcp23s17(table.EXPANDER_OVERLOAD, self._diagnosis, lambda values, at_us: None)
            )
        self.expanders.append(Mcp23s17(table.EXPANDER_INPUTS, self._inputs, self._on_lights))
        self._chips[table.EXPANDER_SELECT] = [(EXPANDER, chip) for chip in self.expanders]
        if table.LOCK_CONVERTER_SELECT is not None:
            chip = Mcp3208(self._lock_level, inputs=4)
            self._chips[table.LOCK_CONVERTER_SELECT] = [(LOCK_CONVERTER, chip)]
        self.temperature = Ad7124(self._sensor_ohm)
        if table.TEMPERATURE_SELECT is not None:
            self._chips[table.TEMPERATURE_SELECT] = [(TEMPERATURE, self.temperature)]
        self._set_expander_reset(False, board.now_us)

    def pin_set(self, pin: int, level: int, at_us: int) -> None:
        """A pin of the MCU changed: selects and the reset of the expanders."""
        if pin in self._chips:
            (self._low.discard if level else self._low.add)(pin)
        elif pin == self._table.EXPANDER_RESET:
            self._set_expander_reset(bool(level), at_us)

    def mcu_reset(self) -> None:
        """The MCU's pins float: pull-ups release the selects, a pull-down holds the expanders in reset."""
        self._low.clear()
        self._set_expander_reset(False, self._board.now_us)
        self._light_changed_us = [-FLASH_US] * 4
        for led in range(4):
            self._board.write_led(led, 0)

    def transfer(self, mosi: bytes, at_us: int) -> bytes:
        """One conversation on the bus; a line nobody drives reads as ones."""
        if self._settle_us is not None and at_us >= self._settle_us:
            self._settle_lights(at_us)
        faults = self._board.bus_faults
        answer = b"\xff" * len(mosi)
        for pin in self._low:
            for name, chip in self._chips[pin]:
                if name not in faults.dead:
                    given = chip.transfer(mosi, at_us)
                    answer = given if given is not None else answer
        if faults.flip_bit and self._table.TEMPERATURE_SELECT in self._low:
            answer = bytes([*answer[:-2], answer[-2] ^ 0x04, answer[-1]])
        if faults.stuck is not None:
            answer = bytes([0xFF if faults.stuck else 0]) * len(mosi)
        return answer

    def lose_settings(self) -> None:
        """A disturbance: the expanders forget what they were told."""
        for chip in self.expanders:
            chip.reset(self._board.now_us)

    def _set_expander_reset(self, released: bool, at_us: int) -> None:
        for chip in self.expanders:
            if not released:
                chip.reset(at_us)
            chip.in_reset = not released

    # ---- what is wired to the chips ----

    def _converter_level(self, channel: int, at_us: int) -> float:
        table, terminals = self._table, self._board.terminals
        ports = self._board.ports
        wired = {
            table.CONVERTER_PROXIMITY[0]: (ports[1].proximity.voltage_mv(), table.PROXIMITY_SPAN_MV),
            table.CONVERTER_PROXIMITY[1]: (ports[2].proximity.voltage_mv(), table.PROXIMITY_SPAN_MV),
            table.CONVERTER_ANALOG[0]: (terminals.analog_mv[0], table.ANALOG_SPAN_MV),
            table.CONVERTER_ANALOG[1]: (terminals.analog_mv[1], table.ANALOG_SPAN_MV),
            table.CONVERTER_SUPPLY: (terminals.supply_mv, table.SUPPLY_SPAN_MV),
            table.CONVERTER_CC1[0]: (terminals.cc1_mv[0], table.CC1_SPAN_MV),
            table.CONVERTER_CC1[1]: (terminals.cc1_mv[1], table.CC1_SPAN_MV),
            table.CONVERTER_REFERENCE: (terminals.reference_mv, table.REFERENCE_SPAN_MV),
        }
        voltage_mv, span_mv = wired[channel]
        return float(voltage_mv) / float(span_mv)

    def _lock_level(self, channel: int, at_us: int) -> float:
        ports = dict(zip(self._table.LOCK_FEEDBACK, (1, 2), strict=True))
        if channel not in ports:
            return 0.0
        ohm = self._board.locks[ports[channel]].ohm(at_us)
        return 1.0 if ohm is None else ohm / (ohm + float(self._table.LOCK_PULL_UP_OHM))

    def _sensor_ohm(self, pin: int) -> float | None:
        if pin == self._table.TEMPERATURE_REFERENCE:
            return REFERENCE_OHM
        if pin in self._table.TEMPERATURE_INPUTS:
            sensor: int = self._table.TEMPERATURE_INPUTS.index(pin)
            return self._board.terminals.sensors_ohm[sensor]
        return None

    def _inputs(self) -> int:
        return self._board.terminals.digital_inputs

    def _diagnosis(self) -> int:
        """Open drain with pull-ups: low where a driver is too hot."""
        return ~self._board.terminals.hot_outputs & 0xFFFF

    def _on_outputs(self, values: int, at_us: int) -> None:
        self._board.write_outputs(values)

    def _on_lights(self, values: int, at_us: int) -> None:
        lights = values >> 8
        for led in range(4):
            colour = lights >> 2 * led & 3
            if colour != self._lights >> 2 * led & 3:
                flashing = at_us - self._light_changed_us[led] < FLASH_US
                self._light_changed_us[led] = at_us
                if self._settle_us is None:
                    self._settle_us = at_us + FLASH_US
                if colour:
                    self._board.write_led(led, (1 if colour & 1 else 3) + (not flashing))
                elif not flashing:
                    self._board.write_led(led, 0)
        self._lights = lights

    def _settle_lights(self, at_us: int) -> None:
        """A light that has not changed for long does not flash any more: lit or dark."""
        self._settle_us = None
        for led in range(4):
            settled_us = self._light_changed_us[led] + FLASH_US
            if at_us >= settled_us:
                colour = self._lights >> 2 * led & 3
                self._board.write_led(led, (2 if colour & 1 else 4) if colour else 0)
            elif self._settle_us is None or settled_us < self._settle_us:
                self._settle_us = settled_us
