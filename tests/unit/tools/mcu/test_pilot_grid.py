"""When a cycle looks at the pilots: right behind their pulse; a single disturbed pulse opens nothing."""

import pytest
from unit.tools.mcu.rig import Rig

from mcu.control import CYCLE_US, PHASE_US
from vsecc_sim.mcu.interpreter import find_micropython

MICROPYTHON = find_micropython()
PULSE_US = 50
B_OHM, C_OHM = 2740.0, 882.0


@pytest.fixture(params=["hal/pico on CPython", "hal/pico on MicroPython"])
def rig(request):
    interpreter = MICROPYTHON if request.param.endswith("MicroPython") else None
    if request.param.endswith("MicroPython") and interpreter is None:
        pytest.skip("no MicroPython here: vsecc sim interpreter --fetch")
    with Rig(interpreter) as rig:
        yield rig


def next_cycle_us(rig):
    """Where in the pilot's period the cycle that is waited for begins."""
    return rig.board.ports[1].phase_us(rig.chip.until_us)


def disturb(rig, pulses):
    """The car's resistors are those of B for that many pulses, and C again."""
    port = rig.board.ports[1]
    rig.mcu.run_for(CYCLE_US - port.phase_us(rig.board.now_us) - 20)
    for ohm in (B_OHM, C_OHM):
        port.touch(rig.board.now_us)
        port.line.resistance_ohm = ohm
        rig.mcu.run_for(CYCLE_US * (pulses - 1) + PULSE_US + 60)


def test_both_pilots_rise_together_and_a_cycle_begins_right_behind_the_pulse(rig):
    rig.run_ms(100)
    ports = rig.board.ports
    assert abs(ports[1].phase_us(rig.board.now_us) - ports[2].phase_us(rig.board.now_us)) <= 10
    for _ in range(20):
        assert PHASE_US <= next_cycle_us(rig) <= PHASE_US + 12
        rig.mcu.run_for(CYCLE_US)


def test_a_cycle_that_was_late_finds_back_to_its_place(rig):
    rig.charge()
    for late_us in (300, 570, 930, 5500):
        rig.board.stall_us = late_us
        rig.run_ms(30)
        assert PHASE_US <= next_cycle_us(rig) <= PHASE_US + 12
    assert rig.board.relays[1].driven


@pytest.mark.clause("S2")
@pytest.mark.parametrize("late_us", [0, 260, 700, 990, 1300, 2600, 5500])
def test_one_disturbed_pulse_opens_nothing_wherever_the_cycle_stands(rig, late_us):
    rig.charge()
    for before_ms in (0, 1, 2, 3, 7):
        rig.board.stall_us = late_us
        rig.run_ms(before_ms)
        since_us = rig.board.now_us
        disturb(rig, 1)
        rig.run_ms(30)
        assert rig.board.trace.first_after(since_us, "relay1.drive", False) is None


@pytest.mark.clause("S2")
@pytest.mark.parametrize(("pulses", "opens"), [(2, False), (3, True)])
def test_two_disturbed_pulses_open_nothing_three_do(rig, pulses, opens):
    rig.charge()
    rig.run_ms(50)
    since_us = rig.board.now_us
    disturb(rig, pulses)
    rig.run_ms(30)
    assert (rig.board.trace.first_after(since_us, "relay1.drive", False) is not None) == opens
