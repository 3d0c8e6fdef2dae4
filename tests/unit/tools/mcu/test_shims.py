"""The chip's side of the exchange inside a real MicroPython: the hot calls allocate nothing (rule S5)."""

import subprocess

import pytest

from vsecc_sim.mcu.firmware import SHIMS, search_path
from vsecc_sim.mcu.interpreter import find_micropython

PROBE = """
import sys
sys.path[:0] = {folders!r}
import chip, gc, micropython
from array import array

class Board:
    ticks = 0
    def write(self, buffer, count):
        return count
    def readinto(self, buffer, count):
        if count == 4 * chip.WORDS:
            Board.ticks += 1000
            buffer[chip.W_TICKS] = Board.ticks
            buffer[chip.W_RX_COUNT] = 40
            buffer[chip.W_TX_FREE] = 1024
            buffer[chip.W_ADC_COUNT] = 200
            buffer[chip.W_ADC_TOTAL] = 200
            buffer[chip.W_FLAGS] = 0
        elif count == 3:  # a converter that answers; the other chips do not
            buffer[0], buffer[1], buffer[2] = 0xFF, 0xE4, 0x21
        return count

from mcu import boards
table = boards.choose({machine!r})
board = Board()
chip.connect(board, board, None)
from mcu.hal.pico import Hal
hal = Hal(table)
out, rx, tx = array("i", (0, 0, 0, 0)), bytearray(64), bytearray(32)

def cycle(n):
    now = hal.ticks_us()
    for port in (1, 2):
        hal.pilot_drive(port, 50 + n)
        hal.pilot_measure(port, out)
        hal.pilot_period_us(port)
        hal.proximity_mv(port)
    for relay in (1, 2, 3):
        hal.relay_feed(relay)
        hal.relay_feedback(relay)
        hal.reference_mv()
    for port in (1, 2):
        hal.cc1_mv(port - 1)
        hal.analog_mv(port)
        hal.lock_ohm(port)
        hal.lock_overload(port)
        hal.lock_drive(port, 1)
        hal.lock_drive(port, 0)
    for led in range(4):
        hal.led(led, 1 + (n & 3))
    hal.supply_mv()
    hal.digital_inputs()
    hal.digital_outputs(n)
    hal.output_overloads()
    hal.supervise()
    hal.chip_faults()
    hal.button_pressed()
    for _ in range(4):
        sensor = hal.temperature_step()
        hal.resistance_mohm(sensor)
    hal.dip_switches()
    while hal.uart_read_into(rx):
        pass
    hal.uart_write(tx, 32)
    hal.watchdog_feed()
    hal.idle_until((now + 1000) & 0x3fffffff)

def cycles():
    for n in range(50):
        for at in range(6):
            chip.tx_levels[at] = 0
        cycle(n)

cycle(0)
gc.collect()
micropython.heap_lock()
try:
    cycles()
finally:
    micropython.heap_unlock()
print("done")
"""


@pytest.mark.clause("S5")
@pytest.mark.parametrize("machine", ["reference", "Pico with RP2040", "Pico 2 with RP2350"])
def test_every_hot_call_of_the_hardware_interface_runs_with_a_locked_heap(machine):
    micropython = find_micropython()
    if micropython is None:
        pytest.skip("no MicroPython here: `vsecc sim interpreter --fetch` gets one")
    script = PROBE.format(folders=[str(SHIMS), *search_path()], machine=machine)
    done = subprocess.run(micropython.argv("-c", script), capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stdout + done.stderr


CAUSES = """
import sys
sys.path[:0] = {folders!r}
import chip

class Board:
    def write(self, buffer, count):
        return count
    def readinto(self, buffer, count):
        if count == 4 * chip.WORDS:
            buffer[chip.W_TX_FREE] = 1024
        return count

from mcu import boards
table = boards.choose({machine!r})
board = Board()
chip.connect(board, board, None)
from mcu.hal.pico import Hal
hal = Hal(table)
for reset_cause in (1, 3):
    for bits in (0, 1 << 16, 1 << 17, 1 << 16 | 1 << 17, 1 << 28):
        chip.words[chip.W_RESET_CAUSE] = reset_cause
        chip.words[chip.W_CHIP_RESET] = bits
        print(hal.reset_cause(), end=" ")
"""
POWER_ON, WATCHDOG, BROWN_OUT = "0 ", "1 ", "4 "


@pytest.mark.parametrize(
    ("machine", "of_brown_out"),
    [("reference", BROWN_OUT), ("Pico 2 with RP2350", BROWN_OUT), ("Pico with RP2040", POWER_ON)],
)
def test_a_brown_out_is_told_where_the_chip_knows_it(machine, of_brown_out):
    """Both bits: power was gone. A watchdog reset leaves the bits of the reset before it alone."""
    script = CAUSES.format(folders=[str(SHIMS), *search_path()], machine=machine)
    micropython = find_micropython()
    if micropython is None:
        pytest.skip("no MicroPython here: `vsecc sim interpreter --fetch` gets one")
    done = subprocess.run(micropython.argv("-c", script), capture_output=True, text=True, check=False)
    expected = POWER_ON * 2 + of_brown_out + POWER_ON * 2 + WATCHDOG * 5
    assert done.stdout == expected, done.stdout + done.stderr
