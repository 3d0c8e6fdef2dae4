"""Slow inputs and outputs: their rates, masks, supply limits, and what the host is told of them."""

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from mcu.control import CHORES
from vsecc_link import messages as m

ROUND = len(CHORES)  # cycles in which every part is served once


def linked():
    return Host(Bench()).link_up()


def test_inputs_are_read_every_16_ms():
    bench = Bench()
    bench.board.inputs = 0x5A
    bench.cycles(ROUND)
    assert bench.control._io.digital_inputs == 0x5A


def test_analog_inputs_are_read_every_80_ms():
    bench = Bench()
    bench.cycles(5 * ROUND)
    io = bench.control._io
    assert io.supply_mv == 24000 and io.analog_mv == [1000, 2000] and io.cc1_mv == [12000, 12000]


def test_outputs_change_only_under_their_mask():
    io = Bench().control._io
    for mask, values, expected in ((0xFFFF, 0xA5A5, 0xA5A5), (0x000F, 0, 0xA5A0), (0, 0xFFFF, 0xA5A0)):
        io.set_outputs(mask, values)
        assert io.outputs == expected


def test_system_led_says_starting_at_first():
    assert Bench().board.leds[0] == 1


def test_system_led_follows_session_and_faults_until_the_host_has_its_say():
    host = linked()
    leds = host.bench.board.leds
    host.cycles(20)
    assert leds[0] == 2
    host.bench.board.chips = 1 << m.DEVICE_EXPANDER
    host.cycles(40)
    assert leds[0] == 4
    host.bench.board.chips = 1 << m.DEVICE_CALIBRATION
    host.cycles(40)
    assert leds[0] == 2
    host.send(m.SET_LED, 0, 3)
    host.cycles(40)
    host.bench.board.chips = 1 << m.DEVICE_EXPANDER
    host.cycles(40)
    assert leds[0] == 3
    host.send(m.SET_LED, 0, 0)  # given back: not dark, the fault shows
    host.cycles(40)
    assert leds[0] == 4
    host.send(m.SET_LED, 0, 1)
    host.cycles(40)
    assert leds[0] == 1
    host.connected = False
    host.bench.cycles(700)
    assert leds[0] == 4
    host.bench.board.chips = 0
    host.bench.cycles(40)
    assert leds[0] == 1


def test_supply_limits_have_hysteresis():
    bench = Bench()
    mask = lambda: bench.control._io.device_faults.mask  # noqa: E731
    low, out = 1 << m.DEVICE_SUPPLY_LOW, 1 << m.DEVICE_BROWN_OUT
    for supply, expected in (
        (18_000, 0),
        (17_000, 0),
        (16_999, low),
        (17_999, low),
        (11_999, low | out),
        (13_999, low | out),
        (14_000, low),
        (18_000, 0),
    ):
        bench.board.supply = supply
        bench.cycles(5 * ROUND)
        assert mask() == expected, supply


def test_device_faults_are_told_when_they_come_and_go_and_to_a_new_session():
    host = linked()
    host.bench.board.chips = 1 << m.DEVICE_EXPANDER
    host.cycles(60)
    assert [one[2:] for one in host.of(m.DEVICE_FAULT)] == [(m.DEVICE_EXPANDER, True)]
    host.bench.board.chips = 0
    host.cycles(60)
    assert host.of(m.DEVICE_FAULT)[-1][2:] == (m.DEVICE_EXPANDER, False)


def test_overload_is_told_and_read_back():
    host = linked()
    host.bench.board.overloads = 0x8001
    host.cycles(300)
    assert host.of(m.OUTPUT_OVERLOAD)[-1][2] == 0x8001
    telemetry = host.of(m.TELEMETRY)[-1]
    names = [row[0] for row in m.CATALOGUE[m.TELEMETRY][3]]
    assert telemetry[1 + names.index("output_overloads")] == 0x8001
    host.bench.board.overloads = 0
    host.cycles(60)
    assert host.of(m.OUTPUT_OVERLOAD)[-1][2] == 0


def test_dip_switches_are_logged_at_the_start_and_on_change():
    host = linked()
    host.cycles(60)
    assert [one[3] for one in host.of(m.LOG)] == ["DIP: supervision off for CC1 AC, CC1 DC"]
    host.bench.board.dip = 0b1001
    host.cycles(60)
    assert host.of(m.LOG)[-1][3] == "DIP: supervision off for PP1, CC1 DC"


def test_temperatures_are_told_every_200_ms_with_what_is_wrong():
    host = linked()
    host.bench.board.resistance[1] = 4_900_000
    host.bench.board.resistance[2] = 7
    host.bench.board.resistance[8] = 1_385_055
    host.cycles(1200)
    told = host.of(m.TEMPERATURES)
    assert 5 <= len(told) <= 7
    assert told[-1][2:11] == (1_000_000, 4_900_000, 7) + (1_000_000,) * 5 + (1_385_055,)
    assert told[-1][11:] == (0b10, 0b100, 0b111111001)


def test_a_dead_temperature_converter_leaves_no_valid_value():
    host = linked()
    host.cycles(400)
    assert host.of(m.TEMPERATURES)[-1][13] == 0b111111111
    host.bench.board.chips = 1 << m.DEVICE_TEMPERATURE
    host.bench.board.temperature_step = lambda: 0
    host.cycles(300)
    assert host.of(m.TEMPERATURES)[-1][11:] == (0, 0, 0)


def test_button_is_told_at_5_s_and_on_release():
    host = linked()
    host.bench.board.button = True
    host.cycles(4900)
    assert not host.of(m.BUTTON)
    host.cycles(300)
    (held,) = host.of(m.BUTTON)
    assert held[3] is True and 5000 <= held[2] <= 5020
    host.cycles(2000)
    host.bench.board.button = False
    host.cycles(100)
    released = host.of(m.BUTTON)[-1]
    assert released[3] is False and 7100 <= released[2] <= 7250


def test_button_bounces_and_short_presses():
    host = linked()
    for _ in range(20):
        host.bench.board.button = not host.bench.board.button
        host.cycles(20)
    host.bench.board.button = False
    host.cycles(100)
    assert not host.of(m.BUTTON)
    host.bench.board.button = True
    host.cycles(500)
    host.bench.board.button = False
    host.cycles(100)
    (released,) = host.of(m.BUTTON)
    assert released[3] is False and 400 <= released[2] <= 560


def test_a_button_held_for_ever_stays_countable():
    button = Bench().control._io.button
    now = 0
    for _ in range(20):
        button.step(True, now)
        now = (now + 16_000) & 0x3FFFFFFF
    for _ in range(400):
        now = (now + 400_000_000) & 0x3FFFFFFF
        button.step(True, now)
    assert button.held_ms == 65535 and len(button.events) == 1
