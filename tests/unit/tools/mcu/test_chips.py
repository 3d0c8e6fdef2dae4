"""The drivers of mcu/drivers against the register models of their chips, and what both do about faults."""

import itertools
import random

import pytest

from mcu.drivers.ad7124 import FULL_SCALE, REFERENCE_CODE, Ad7124, ratio_mohm
from mcu.drivers.crc8 import crc8
from mcu.drivers.mcp23s17 import SIGNATURE, Mcp23s17
from mcu.drivers.mcp3208 import Mcp3208
from vsecc_sim.mcu.chips import ad7124 as ad7124_model
from vsecc_sim.mcu.chips import mcp23s17 as mcp23s17_model
from vsecc_sim.mcu.chips import mcp3208 as mcp3208_model

INPUTS = (0, 1, 2, 3, 4, 5, 6, 7, 8)


class Bus:
    """SPI and one select line with chips on it; `disturb` may change an answer."""

    def __init__(self):
        self.chips = []
        self.now_us = 10_000
        self.disturb = None
        self.selected = False
        self.conversations = 0

    def select(self, level):
        self.selected = not level

    def write_readinto(self, out, into):
        assert self.selected, "a conversation without select"
        self.conversations += 1
        answer = b"\xff" * len(out)
        for chip in self.chips:
            given = chip.transfer(bytes(out), self.now_us)
            answer = answer if given is None else given
        if self.disturb:
            answer = self.disturb(answer)
        assert len(answer) == len(into)
        into[:] = answer


def dead(answer):
    return b"\xff" * len(answer)


def stuck_low(answer):
    return bytes(len(answer))


# ---- MCP3208 ----


def converter(levels):
    bus = Bus()
    bus.chips.append(mcp3208_model.Mcp3208(lambda channel, at_us: levels[channel]))
    return bus, Mcp3208(bus, bus.select)


def test_every_input_is_converted_to_its_code():
    levels = [channel / 8 + 0.01 for channel in range(8)]
    _, driver = converter(levels)
    assert [driver.read(channel) for channel in range(8)] == [int(level * 4096) for level in levels]


def test_both_ends_of_the_scale_are_not_mistaken_for_a_dead_chip():
    _, driver = converter([0.0, 1.0, 2.0, -1.0] * 2)
    assert [driver.read(channel) for channel in range(4)] == [0, 4095, 4095, 0]
    assert not driver.dead


@pytest.mark.parametrize("trouble", [dead, stuck_low])
def test_a_converter_without_answer_is_dead_after_three_and_alive_with_the_next_good_one(trouble):
    bus, driver = converter([0.5] * 8)
    assert driver.read(0) == 2048
    bus.disturb = trouble
    assert driver.read(0) == -1 and not driver.dead  # asked twice
    assert driver.read(0) == -1 and driver.dead
    bus.disturb = None
    assert driver.read(0) == 2048 and not driver.dead


def test_a_single_disturbed_conversation_is_repeated():
    bus, driver = converter([0.5] * 8)
    answers = [dead, None]
    bus.disturb = lambda answer: (answers.pop(0) or (lambda a: a))(answer)
    assert driver.read(3) == 2048


# ---- MCP23S17 ----


class Expanders:
    """Three chips on one line: outputs, all inputs, half and half."""

    def __init__(self):
        self.bus = Bus()
        self.levels = [0, 0, 0]
        self.driven = [0, 0, 0]
        for address in range(3):
            self.bus.chips.append(
                mcp23s17_model.Mcp23s17(address, lambda n=address: self.levels[n], self.notes(address))
            )
        self.outputs = Mcp23s17(self.bus, self.bus.select, 0, 0)
        self.all_inputs = Mcp23s17(self.bus, self.bus.select, 1, 0xFFFF, 0xFFFF)
        self.mixed = Mcp23s17(self.bus, self.bus.select, 2, 0x00FF)

    def notes(self, address):
        def note(values, at_us):
            self.driven[address] = values

        return note

    @property
    def drivers(self):
        return (self.outputs, self.all_inputs, self.mixed)


def test_chips_on_one_line_keep_to_their_address():
    three = Expanders()
    three.outputs.write(0x1234)
    three.mixed.write(0xA500)
    three.levels = [0, 0xBEEF, 0x003C]
    assert three.driven == [0x1234, 0, 0xA500]
    assert all(driver.read() for driver in three.drivers)
    assert three.all_inputs.pins == 0xBEEF
    assert three.mixed.pins == 0xA53C  # inputs from outside, outputs as driven
    assert three.bus.chips[1].word(mcp23s17_model.GPPU) == 0xFFFF


@pytest.mark.parametrize("trouble", [dead, stuck_low])
def test_a_bus_that_is_stuck_never_gives_inputs(trouble):
    three = Expanders()
    three.levels = [0, 0x5555, 0x00FF]
    assert three.mixed.read()
    three.bus.disturb = trouble
    for driver in three.drivers[1:]:
        for _ in range(3):
            assert not driver.read() and driver.pins == 0
        assert driver.dead


@pytest.mark.parametrize("values", [0, 0xFFFF, 0x8001])
def test_a_chip_that_lost_its_settings_gets_them_back_at_the_next_look(values):
    three = Expanders()
    three.outputs.write(values)
    for chip in three.bus.chips:
        chip.reset(0)
    assert three.driven == [0, 0, 0]
    for driver in three.drivers:
        driver.read()
        driver.verify()
    assert three.driven[0] == values
    assert all(driver.read() and driver.verify() for driver in three.drivers)
    assert not any(driver.dead for driver in three.drivers)
    assert three.all_inputs.restarts and three.mixed.restarts


def test_flipped_directions_are_found_by_verify():
    three = Expanders()
    three.bus.chips[0].registers[mcp23s17_model.IODIR] = 0x10
    assert not three.outputs.verify()
    assert three.bus.chips[0].word(mcp23s17_model.IODIR) == 0


def test_a_chip_held_in_reset_drives_nothing_and_counts_as_dead():
    three = Expanders()
    for chip in three.bus.chips:
        chip.reset(0)
        chip.in_reset = True
    for _ in range(3):
        three.mixed.read()
    assert three.mixed.dead and three.driven == [0, 0, 0]


def test_registers_follow_the_data_sheet():
    seen = []
    chip = mcp23s17_model.Mcp23s17(0, lambda: 0x0F0F, lambda values, at_us: seen.append(values))
    assert chip.transfer(bytes([0x41, 0x00, 0, 0]), 0)[2:] == b"\xff\xff"
    chip.transfer(bytes([0x40, 0x02, 0xFF]), 0)  # IPOLA
    assert chip.transfer(bytes([0x41, 0x12, 0, 0]), 0)[2:] == b"\xf0\x0f"
    chip.transfer(bytes([0x40, 0x12, 0xAA, 0x55]), 0)  # a write to GPIO goes to the latches
    assert chip.word(mcp23s17_model.OLAT) == 0x55AA and seen == []
    chip.transfer(bytes([0x40, 0x00, 0x00, 0x0F]), 0)
    assert seen == [0x50AA]
    chip.transfer(bytes([0x40, 0x0A, 0x08]), 0)
    assert chip.registers[0x0B] == 0x08
    assert chip.transfer(bytes([0x43, 0x00, 0]), 0) is None  # another address
    assert chip.transfer(bytes([0x21, 0x00, 0]), 0) is None  # another device
    assert chip.transfer(b"\x41", 0) is None
    assert chip.transfer(bytes([0x41, 0x15, 0, 0]), 0)[2:] == b"\x55\x00"  # the pointer starts over


# ---- AD7124-8 ----


class Sensors:
    """The converter with nine sensors, stepped as the control loop steps it: 2 ms and 14 ms apart."""

    def __init__(self, ohm=None, reference_mohm=1_000_000):
        self.bus = Bus()
        self.ohm = dict.fromkeys(INPUTS, 1086.2)
        self.ohm.update({9: 1000.0}, **(ohm or {}))
        self.chip = ad7124_model.Ad7124(lambda pin: self.ohm.get(pin))
        self.bus.chips.append(self.chip)
        self.driver = Ad7124(self.bus, self.bus.select, INPUTS, 9, reference_mohm)
        self.seen = []

    def rounds(self, count):
        """`count` times 16 ms."""
        for _ in range(count):
            for span_us in (2000, 14_000):
                sensor = self.driver.step()
                if sensor:
                    self.seen.append((self.bus.now_us, sensor))
                self.bus.now_us += span_us
        return self


def test_nine_sensors_are_read_at_six_per_second_each():
    sensors = Sensors().rounds(100)
    times = [at_us for at_us, sensor in sensors.seen if sensor == 4]
    assert {sensor for _, sensor in sensors.seen} == set(range(1, 10))
    assert {b - a for a, b in itertools.pairwise(times)} == {160_000}


@pytest.mark.parametrize("ohm", [843.0, 1000.0, 1086.2, 1385.055, 2474.0, 3999.0])
def test_a_resistance_is_right_whatever_source_and_reference_are(ohm):
    sensors = Sensors()
    sensors.ohm[3] = ohm
    sensors.rounds(30)
    assert sensors.driver.resistance_mohm[4] == pytest.approx(ohm * 1000, abs=2 + ohm / 100)


def test_the_fixed_resistor_may_be_calibrated():
    sensors = Sensors(reference_mohm=1_001_000)
    sensors.ohm[9] = 1001.0
    sensors.rounds(30)
    assert sensors.driver.resistance_mohm[1] == pytest.approx(1_086_200, abs=15)


def test_open_and_short_are_read_as_the_ends_of_the_scale_and_disturb_nobody():
    sensors = Sensors()
    sensors.ohm[0], sensors.ohm[1] = None, 0.0
    sensors.rounds(40)
    assert sensors.driver.resistance_mohm[1] > 4_800_000
    assert sensors.driver.resistance_mohm[2] < 250_000
    assert sensors.driver.resistance_mohm[3] == pytest.approx(1_086_200, abs=15)
    assert not sensors.driver.dead


@pytest.mark.parametrize("trouble", [dead, stuck_low, lambda a: bytes([*a[:-2], a[-2] ^ 4, a[-1]])])
def test_a_converter_that_answers_nothing_or_wrongly_is_dead_and_comes_back(trouble):
    sensors = Sensors().rounds(30)
    sensors.bus.disturb = trouble
    seen = len(sensors.seen)
    sensors.rounds(60)
    assert sensors.driver.dead and len(sensors.seen) == seen
    sensors.bus.disturb = None
    sensors.rounds(40)
    assert not sensors.driver.dead and len(sensors.seen) > seen


def test_one_wrong_checksum_costs_a_restart_and_no_reading_is_wrong():
    sensors = Sensors().rounds(30)
    flips = iter([True])
    flip = lambda a: bytes([a[0], a[1] ^ 0x80, *a[2:]])  # noqa: E731
    sensors.bus.disturb = lambda a: flip(a) if len(a) == 6 and next(flips, False) else a
    sensors.rounds(40)
    assert sensors.driver.restarts == 1 and not sensors.driver.dead
    assert all(abs(mohm - 1_086_200) < 15 for mohm in sensors.driver.resistance_mohm[1:])


def test_a_dead_current_source_is_no_row_of_short_sensors():
    sensors = Sensors().rounds(30)
    sensors.chip.source_dead = True
    sensors.rounds(60)
    assert sensors.driver.dead


def test_a_chip_that_was_reset_by_itself_is_set_up_again():
    sensors = Sensors().rounds(30)
    sensors.chip.power_on(sensors.bus.now_us)
    sensors.rounds(40)
    assert sensors.driver.restarts >= 1 and not sensors.driver.dead
    assert sensors.chip._values[ad7124_model.CONFIG_0] == 0x0050


def test_another_chip_is_not_believed():
    sensors = Sensors()
    sensors.chip._values[ad7124_model.ID] = 0x04  # AD7124-4
    original = sensors.chip.power_on

    def power_on(at_us):
        original(at_us)
        sensors.chip._values[ad7124_model.ID] = 0x04

    sensors.chip.power_on = power_on
    sensors.rounds(40)
    assert sensors.driver.dead and not sensors.seen


def test_ratio_equals_exact_arithmetic():
    rng = random.Random(1)
    for _ in range(2000):
        reference = rng.randint(REFERENCE_CODE * 9 // 10, REFERENCE_CODE * 11 // 10)
        code = rng.randint(0, FULL_SCALE)
        mohm = rng.randint(990_000, 1_010_000)
        exact = code * mohm / reference
        assert ratio_mohm(code, reference, mohm) == pytest.approx(exact, abs=2 + abs(mohm - 1_000_000) / 1000)


def test_checksum_equals_the_bitwise_one():
    rng = random.Random(2)
    for _ in range(200):
        data = rng.randbytes(rng.randint(1, 8))
        assert crc8(data, 0, len(data)) == ad7124_model.crc8(data)
    assert crc8(bytes([0x02, 0x07, 0xC4, crc8(b"\x02\x07\xc4", 0, 3)]), 0, 4) == 0


def test_the_model_refuses_what_the_chip_refuses():
    chip = ad7124_model.Ad7124(lambda pin: 1000.0)
    assert chip.transfer(b"\x45\x00", 10_000) == bytes([0xFF, ad7124_model.CHIP_ID])
    chip.transfer(b"\x07\x00\x00\x7e", 10_000)  # errors on: checksums from here
    assert chip.transfer(b"\x45\x00\x00", 10_000)[1:] == bytes([0x14, ad7124_model.crc8(b"\x45\x14")])
    chip.transfer(b"\x19\x00\x50\x00", 10_000)  # a wrong checksum changes nothing
    assert chip._values[ad7124_model.CONFIG_0] == 0x0860
    assert chip._values[ad7124_model.ERROR] == ad7124_model.SPI_CRC_ERR
    chip.transfer(b"\x46\x00\x00\x00\x00", 10_000)  # reading the errors clears them
    assert not chip._values[ad7124_model.STATUS] & ad7124_model.ERROR_FLAG
    chip.transfer(b"\x19\x00", 10_000)
    assert chip._values[ad7124_model.ERROR] == ad7124_model.SPI_SCLK_CNT_ERR
    chip.transfer(b"\xff" * 8, 10_000)
    assert chip.transfer(b"\x45\x00", 11_000) == b"\xff\xff"  # not ready so soon after a reset
    assert chip.transfer(b"\x45\x00", 13_000) == b"\xff\x14"


def test_signature_tells_a_stuck_bus_from_a_chip():
    assert SIGNATURE & 0xFF not in (0, 0xFF) and SIGNATURE >> 8 not in (0, 0xFF)
    assert SIGNATURE & 0xFF != SIGNATURE >> 8
