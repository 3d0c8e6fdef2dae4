"""Every terminal from the wire to the host's message and back, on every way to run the firmware."""

import pytest
from unit.tools.mcu.rig import Rig

from vsecc_link import messages as m
from vsecc_sim.mcu import commands
from vsecc_sim.mcu.board import CAUSE_WATCHDOG
from vsecc_sim.mcu.interpreter import find_micropython

MICROPYTHON = find_micropython()
WAYS = ["in-process", None, *([MICROPYTHON] if MICROPYTHON else [])]
NAMES = ["in-process", "shims-cpython", "shims-micropython"][: len(WAYS)]


@pytest.fixture(params=WAYS, ids=NAMES)
def rig(request):
    with Rig(request.param) as rig:
        rig.run_until(lambda: rig.host.hello is not None)
        yield rig


@pytest.fixture(params=WAYS[1:], ids=NAMES[1:])
def chip_rig(request):
    """Where drivers talk to register models."""
    with Rig(request.param) as rig:
        rig.run_until(lambda: rig.host.hello is not None)
        yield rig


def drive(rig, **values):
    commands.obey(rig.board, commands.inputs(values))


def value(rig, name):
    """Newest cyclic value by its catalogue name."""
    for message_id in (m.TELEMETRY, m.TEMPERATURES):
        names = [row[0] for row in m.CATALOGUE[message_id][3]]
        if name in names and message_id in rig.host.newest:
            return rig.host.newest[message_id][1 + names.index(name)]
    return None


def told(rig, message_id):
    return [message for message in rig.host.received if message[0] == message_id]


def test_nothing_is_wrong_with_a_sound_board(rig):
    rig.run_ms(600)
    assert value(rig, "device_faults") == 0 and not told(rig, m.DEVICE_FAULT)
    assert value(rig, "sensors_valid") == 0x1FF
    assert value(rig, "resistance5_mohm") == pytest.approx(1_086_200, abs=20)
    assert value(rig, "lock1_ohm") == pytest.approx(1000, abs=10)
    assert value(rig, "cc1_ac_mv") == pytest.approx(12_000, abs=10)
    assert value(rig, "supply_mv") == pytest.approx(24_000, abs=20)


def test_inputs_have_the_thresholds_of_the_device(rig):
    for volts, expected in ((0, 0), (5.9, 0), (6.0, 4), (4.5, 4), (4.4, 0), (24, 4)):
        drive(rig, d3=volts)
        rig.run_ms(250)
        assert value(rig, "digital_inputs") == expected, volts
    drive(rig, d1=True, d8=True)
    rig.run_ms(250)
    assert value(rig, "digital_inputs") == 0x85


def test_analog_inputs_read_to_their_full_scale(rig):
    drive(rig, a1=10.0, a2=0.37, cc1ac=4.0, cc1dc=6.0)
    rig.run_ms(400)
    assert value(rig, "analog1_mv") == pytest.approx(10_000, abs=4)
    assert value(rig, "analog2_mv") == pytest.approx(370, abs=4)
    assert value(rig, "cc1_ac_mv") == pytest.approx(4000, abs=5)
    assert value(rig, "cc1_dc_mv") == pytest.approx(6000, abs=5)


def test_temperatures_as_resistances_open_and_short_told(rig):
    drive(rig, t1=25.0, tr2=1385.055, t3="open", t4="short")
    rig.run_ms(600)
    assert value(rig, "resistance1_mohm") == pytest.approx(320 / 0.29 * 1000, abs=20)
    assert value(rig, "resistance2_mohm") == pytest.approx(1_385_055, abs=20)
    assert value(rig, "sensors_open") == 0b100 and value(rig, "sensors_short") == 0b1000
    assert value(rig, "sensors_valid") == 0x1FF & ~0b1100
    drive(rig, t3=20.0)
    rig.run_ms(600)
    assert value(rig, "sensors_open") == 0


def test_outputs_are_driven_and_their_overload_read_back(rig):
    rig.host.send(m.SET_OUTPUTS, 0xFFFF, 0x8003)
    rig.inject("output-overload", target=2)
    rig.inject("output-overload", target=3)  # this one is off: its driver stays cool
    rig.run_ms(300)
    assert rig.board.terminals.digital_outputs == 0x8003
    assert value(rig, "outputs") == 0x8003 and value(rig, "output_overloads") == 0x0002
    assert told(rig, m.OUTPUT_OVERLOAD)[-1][2] == 0x0002
    rig.host.send(m.SET_OUTPUTS, 0x0002, 0)
    rig.run_ms(300)
    assert told(rig, m.OUTPUT_OVERLOAD)[-1][2] == 0


def test_lock_travels_and_reports(rig):
    rig.host.send(m.SET_LOCK, 2, True)
    rig.run_ms(700)
    assert rig.board.locks[2].locked and rig.board.locks[2].direction == 0
    assert [one[3] for one in told(rig, m.LOCK_STATE) if one[2] == 2][-2:] == [m.LOCK_MOVING, m.LOCK_LOCKED]
    assert value(rig, "lock2_ohm") == pytest.approx(11_000, rel=0.01)
    rig.host.send(m.SET_LOCK, 2, False)
    rig.run_ms(700)
    assert not rig.board.locks[2].locked and value(rig, "lock2_state") == m.LOCK_UNLOCKED


@pytest.mark.parametrize("fault", ["lock-jam", "lock-overload", "lock-feedback"])
def test_a_lock_that_does_not_work_ends_in_a_fault_with_the_motor_off(rig, fault):
    rig.inject(fault, target=1)
    rig.host.send(m.SET_LOCK, 1, True)
    rig.run_until(lambda: value(rig, "lock1_state") == m.LOCK_FAULT, within_ms=9500)
    assert rig.board.locks[1].direction == 0
    drives = rig.board.trace.entries("lock1.drive")
    spans = [b.at_us - a.at_us for a, b in zip(drives[::2], drives[1::2], strict=True)]
    assert len(spans) == 3 and max(spans) <= 2_000_000


def test_button_held_and_released(rig):
    drive(rig, button=True)
    rig.run_ms(5200)
    (held,) = told(rig, m.BUTTON)
    assert held[3] is True and held[2] == pytest.approx(5000, abs=20)
    assert value(rig, "button_held_ms") > 4900
    drive(rig, button=False)
    rig.run_ms(300)
    assert told(rig, m.BUTTON)[-1][3] is False and value(rig, "button_held_ms") == 0


def test_supply_low_and_brown_out_are_told(rig):
    for volts, expected in ((16.5, 1), (11.0, 3), (13.0, 3), (24.0, 0)):
        drive(rig, supply=volts)
        rig.run_ms(400)
        assert value(rig, "device_faults") == expected, volts


def test_dip_switches_are_read_and_logged(rig):
    drive(rig, dip1=True)
    rig.run_ms(300)
    assert value(rig, "dip_switches") == 0b1101
    assert told(rig, m.LOG)[-1][3] == "DIP: supervision off for PP1, CC1 AC, CC1 DC"


@pytest.mark.parametrize(
    ("fault", "device_fault"),
    [
        ("converter-dead", m.DEVICE_CONVERTER),
        ("lock-converter-dead", m.DEVICE_CONVERTER),
        ("temperature-converter-dead", m.DEVICE_TEMPERATURE),
        ("bus-crc", m.DEVICE_TEMPERATURE),
        ("source-dead", m.DEVICE_TEMPERATURE),
        ("expander-dead", m.DEVICE_EXPANDER),
    ],
)
def test_a_dead_chip_is_told_and_its_values_are_none(rig, fault, device_fault):
    drive(rig, d1=True)
    rig.run_ms(600)
    rig.inject(fault)
    rig.run_ms(1500)
    assert value(rig, "device_faults") >> device_fault & 1
    assert (device_fault, True) in [one[2:] for one in told(rig, m.DEVICE_FAULT)]
    if device_fault == m.DEVICE_TEMPERATURE:
        assert value(rig, "sensors_valid") == 0
    if device_fault == m.DEVICE_EXPANDER:
        assert value(rig, "digital_inputs") == 0
    rig.inject(fault, active=False)
    rig.run_ms(1000)
    assert value(rig, "device_faults") == 0 and value(rig, "digital_inputs") == 1
    assert value(rig, "sensors_valid") == 0x1FF


@pytest.mark.parametrize("level", [0, 1])
def test_a_stuck_bus_is_every_chip_dead_and_permits_nothing(chip_rig, level):
    rig = chip_rig
    rig.charge()
    rig.inject("bus-stuck", value=level)
    rig.run_ms(1500)
    chips = 1 << m.DEVICE_CONVERTER | 1 << m.DEVICE_TEMPERATURE | 1 << m.DEVICE_EXPANDER
    assert value(rig, "device_faults") & chips == chips
    assert not rig.board.relays[1].closed  # proximity cannot be read
    rig.inject("bus-stuck", active=False)
    rig.run_ms(1500)
    assert value(rig, "device_faults") == 0


def test_expanders_that_forget_are_set_up_again(chip_rig):
    rig = chip_rig
    rig.host.send(m.SET_OUTPUTS, 0xFFFF, 0x0101)
    rig.run_ms(300)
    rig.inject("expander-reset")
    rig.run_ms(300)
    assert [entry.value for entry in rig.board.trace.entries("outputs")] == [0x0101, 0, 0x0101]
    assert value(rig, "device_faults") == 0


def test_a_reset_of_the_mcu_switches_every_output_off(chip_rig):
    rig = chip_rig
    rig.host.send(m.SET_OUTPUTS, 0xFFFF, 0xFFFF)
    rig.host.send(m.SET_LED, 1, 4)
    rig.run_ms(300)
    assert rig.board.terminals.digital_outputs == 0xFFFF and rig.board.terminals.leds[1] == 4
    rig.inject("mcu-hang")
    rig.run_until(lambda: rig.board.trace.entries("reset") != [], within_ms=400)
    assert rig.board.trace.last("reset").value == CAUSE_WATCHDOG
    rig.run_ms(200)
    assert rig.board.terminals.digital_outputs == 0 and rig.board.terminals.leds[1] == 0


def test_lights_are_seen_as_they_are_whatever_they_were_before(rig):
    rig.run_until(lambda: rig.host.ups == 1, within_ms=2000)
    for pattern in (1, 2, 3, 0, 3, 4, 1, 0, 2, 3, 1, 4, 0):
        rig.host.send(m.SET_LED, 1, pattern)
        rig.run_ms(1600)
        assert rig.board.terminals.leds[1] == pattern


def test_a_board_without_calibration_works_and_says_so(rig):
    rig.inject("calibration-missing")
    rig.host.send(m.RESET, 0x5AFE)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    rig.run_ms(500)
    assert value(rig, "device_faults") == 1 << m.DEVICE_CALIBRATION
    assert value(rig, "supply_mv") == pytest.approx(24_000, abs=20)


def test_bad_inputs_are_refused_by_name():
    for name in ("d9", "t10", "a3", "dip5", "tr0", "x", "buttons"):
        with pytest.raises(ValueError, match=f"no input {name}"):
            commands.inputs({name: 1})
    for name in ("d1", "a1", "dip1", "button"):
        with pytest.raises(ValueError, match=name):
            commands.inputs({name: "open"})
    with pytest.raises(ValueError, match="t1"):
        commands.inputs({"t1": float("nan")})
