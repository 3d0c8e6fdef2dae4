"""PIO interpreter: instructions one by one, and the firmware's own keep-alive assembled by the shim."""

import subprocess
import sys

import pytest

from vsecc_sim.mcu.firmware import SHIMS, search_path
from vsecc_sim.mcu.pio import Program, StateMachine

FEED = 760  # pulses a feed of hal/pico.py asks for

_ASSEMBLE = """
import sys
sys.path[:0] = {folders!r}
from mcu.hal import pump
p = pump.keep_alive
print(p.words, p.wrap_target, p.wrap, p.side_bits, p.side_optional, pump.FREQUENCY_HZ)
"""


@pytest.fixture(scope="module")
def keep_alive():
    """Words of mcu/hal/pump.py and the frequency it asks for, as the shim assembles them."""
    folders = [str(SHIMS), str(SHIMS / "cpython"), *search_path()]
    done = subprocess.run(
        [sys.executable, "-c", _ASSEMBLE.format(folders=folders)], capture_output=True, text=True, check=True
    )
    words, rest = done.stdout.strip()[1:].split(") ")
    target, wrap, bits, optional, freq_hz = rest.split()
    program = Program(
        words=tuple(int(word) for word in words.split(",")),
        wrap_target=int(target),
        wrap=int(wrap),
        side_bits=int(bits),
        side_optional=optional == "True",
    )
    return program, int(freq_hz)


def machine_of(*words, side_bits=0, side_optional=False, freq_hz=1_000_000, wrap=None):
    program = Program(
        words=words,
        wrap_target=0,
        wrap=len(words) - 1 if wrap is None else wrap,
        side_bits=side_bits,
        side_optional=side_optional,
    )
    machine = StateMachine(program, freq_hz)
    machine.set_active(True, 0)
    return machine


def fed(keep_alive, pulses):
    machine = StateMachine(*keep_alive)
    machine.set_active(True, 0)
    for count in pulses:
        assert machine.put(count)
    return machine


@pytest.mark.clause("S4")
def test_keep_alive_is_silent_until_fed(keep_alive):
    machine = fed(keep_alive, [])
    machine.run(1_000_000)
    assert machine.edge_count == 0 and machine.pins == 0


@pytest.mark.clause("S4")
def test_keep_alive_drops_within_20_ms_once_unfed_and_parks_low(keep_alive):
    machine = fed(keep_alive, [FEED])
    machine.run(10_000)
    assert machine.edge_count == pytest.approx(800, abs=4)
    machine.run(2_000_000)
    assert machine.pins == 0
    assert 18_500 <= machine.last_edge_us <= 20_000


@pytest.mark.clause("S4")
def test_keep_alive_does_not_add_up(keep_alive):
    machine = fed(keep_alive, [FEED] * 4)
    assert not machine.put(FEED)
    machine.run(2_000_000)
    assert machine.last_edge_us <= 20_000


def test_keep_alive_stops_at_once_for_a_zero(keep_alive):
    machine = fed(keep_alive, [FEED])
    machine.run(5_000)
    machine.put(0)
    machine.run(100_000)
    assert machine.last_edge_us <= 5_055


def test_keep_alive_fed_every_millisecond_never_pauses(keep_alive):
    machine = fed(keep_alive, [FEED])
    for at_us in range(1000, 200_000, 1000):
        machine.run(at_us)
        assert at_us - machine.last_edge_us <= 25
        machine.put(FEED)


def test_fast_forward_gives_the_same_pulses_with_far_fewer_steps(keep_alive):
    fast, slow = fed(keep_alive, [5000]), fed(keep_alive, [5000])
    slow._skip = lambda target: None
    for at_us in (0, 333_333, 1_000_000):
        fast.run(at_us)
        slow.run(at_us)
        assert (fast.edge_count, fast.last_edge_us, fast.x) == (slow.edge_count, slow.last_edge_us, slow.x)
    assert fast.executed * 100 < slow.executed


def test_stopped_machine_keeps_its_level(keep_alive):
    machine = fed(keep_alive, [FEED])
    machine.run(8)
    assert machine.pins == 1
    machine.set_active(False, 8)
    machine.run(1_000_000)
    assert machine.pins == 1 and machine.edge_count == 1


def test_set_with_delay_toggles_at_the_expected_cycles():
    # set pins 1 [3]; set pins 0 [1]
    machine = machine_of(0xE000 | 3 << 8 | 1, 0xE000 | 1 << 8)
    machine.run(6)
    assert (machine.edge_count, machine.last_edge_us) == (2, 4)
    machine.run(1_000_002)
    assert machine.edge_count == 2 + 2 * 166_666
    assert machine.executed < 100


def test_jumps_and_scratch_registers():
    # set x 3; loop: jmp x_dec loop; set y 5; mov isr, y; push; end: jmp end
    machine = machine_of(0xE023, 0x0041, 0xE045, 0xA0C2, 0x8020, 0x0005)
    machine.run(50)
    assert machine.y == 5 and list(machine.rx) == [5] and machine.x == 0xFFFFFFFF


def test_out_and_in_shift_right():
    # pull; out x 8; out y 4; in x 8; push
    machine = machine_of(0x80A0, 0x6028, 0x6044, 0x4028, 0x8020)
    machine.put(0xABC)
    machine.run(20)
    assert machine.x == 0xBC and machine.y == 0xA and list(machine.rx) == [0xBC << 24]


def test_mov_inverts_and_reverses():
    # set x 1; mov y, ~x; mov x, ::x
    machine = machine_of(0xE021, 0xA049, 0xA031, 0x0003)
    machine.run(10)
    assert machine.y == 0xFFFFFFFE and machine.x == 0x80000000


def test_wait_and_irq():
    # irq set 2; wait 1 irq 2; set pins 1; wait 1 pin 0; set pins 0
    machine = machine_of(0xC002, 0x20C2, 0xE001, 0x20A0, 0xE000)
    machine.run(50)
    assert machine.pins == 1 and machine.irq_flags == 0
    machine.inputs = 1
    machine.run(53)
    assert machine.pins == 0


def test_optional_side_set_leaves_the_pin_alone_where_absent():
    # nop side 1; nop; nop side 0, one side bit with enable
    machine = machine_of(0xB842, 0xA042, 0xB042, side_bits=1, side_optional=True)
    machine.run(2)
    assert machine.pins == 1
    machine.run(3)
    assert machine.pins == 0
