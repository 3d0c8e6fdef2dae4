"""Slow inputs and outputs: their rates, masks and the lock's interlock."""

from unit.mcu.boards import Bench

from mcu.control import CHORES
from mcu.io_control import ANALOG_EVERY_STEPS


def test_inputs_are_read_every_16_ms():
    bench = Bench()
    bench.board.inputs = 0x5A
    bench.cycles(2 * len(CHORES))
    assert bench.control._io.digital_inputs == 0x5A


def test_analog_inputs_are_read_about_every_100_ms():
    bench = Bench()
    bench.cycles(len(CHORES) * ANALOG_EVERY_STEPS)
    io = bench.control._io
    assert io.supply_mv == 24000 and io.analog_mv == [1000, 2000]


def test_outputs_change_only_under_their_mask():
    io = Bench().control._io
    for mask, values, expected in ((0xFFFF, 0xA5A5, 0xA5A5), (0x000F, 0, 0xA5A0), (0, 0xFFFF, 0xA5A0)):
        io.set_outputs(mask, values)
        assert io.outputs == expected


def test_lock_opens_only_with_an_open_relay_of_its_own_port():
    bench = Bench()
    bench.charge(1)
    io = bench.control._io
    assert io.set_lock(1, True) is None
    assert io.set_lock(1, False) == "relay is not open"
    assert io.set_lock(2, False) is None
    bench.grant(0)
    bench.board.contact[1] = True
    bench.cycles(5)
    assert io.set_lock(1, False) == "relay is not open"
    bench.board.contact[1] = None
    bench.cycles(5)
    assert io.set_lock(1, False) is None
    assert bench.board.locks[1] is False


def test_system_led_says_starting_at_first():
    assert Bench().board.leds[0] == 1
