"""The calibration helper on boards that measure wrongly: what it writes makes them right."""

import time

from mcu import calibrate, calibration
from mcu.boards import reference
from mcu.calibration import CalibrationError

if not hasattr(time, "sleep_ms"):
    time.sleep_ms = lambda span_ms: None
calibrate.SETTLE_MS = 0


class WrongHal:
    """Reads what is applied with a gain and an offset of its own; its pilot likewise."""

    def __init__(self, gain_permille=1030, offset_mv=-40):
        self.applied_mv = 0
        self.gain_permille = gain_permille
        self.offset_mv = offset_mv
        self.driven = 1000
        self.broken = False

    def wrong(self, true_mv):
        return true_mv * self.gain_permille // 1000 + self.offset_mv

    def analog_mv(self, index):
        return self.wrong(self.applied_mv)

    def supply_mv(self):
        return self.wrong(self.applied_mv)

    def proximity_mv(self, port):
        return self.wrong(self.applied_mv)

    def cc1_mv(self, kind):
        return self.wrong(self.applied_mv)

    def pilot_drive(self, port, permille):
        self.driven = permille

    def pilot_measure(self, port, out):
        high = self.driven == 1000
        out[0] = self.wrong(12000) if high else 0
        out[1] = 0 if high else self.wrong(-12000)
        out[2] = 100 if high and not self.broken else 0
        out[3] = 0 if high else 100


class Board:
    NAME = "reference"
    CALIBRATION_FILE = "/nowhere/calibration"
    PILOT_ZERO_MV = reference.PILOT_ZERO_MV
    PILOT_SPAN_MV = reference.PILOT_SPAN_MV
    TEMPERATURE_REFERENCE_MOHM = 1_000_000


def corrected(values, name, raw_mv):
    gain, offset = values[name]
    return (raw_mv * gain >> 14) + offset


def refused(call, *arguments):
    try:
        call(*arguments)
    except CalibrationError:
        return
    raise AssertionError


def test_two_points_make_every_voltage_right():
    for name in calibration.VOLTAGES:
        hal = WrongHal()
        tool = calibrate.Calibrate(hal, Board)
        for applied in (1000, 9000):
            hal.applied_mv = applied
            tool.point(name, applied)
        for true in (500, 3333, 9500):
            assert abs(corrected(tool.values, name, hal.wrong(true)) - true) <= 3, (name, true)
        calibration.pack(tool.values, "reference")


def test_one_point_gives_the_offset():
    hal = WrongHal(gain_permille=1000, offset_mv=25)
    tool = calibrate.Calibrate(hal, Board)
    hal.applied_mv = 5000
    assert tool.point("a2", 5000) == 5025
    assert tool.values["a2"] == [16384, -25]


def test_pilot_levels_from_both_sides():
    hal = WrongHal(gain_permille=985, offset_mv=120)
    tool = calibrate.Calibrate(hal, Board)
    tool.point("cp1", 12000)
    tool.point("cp1", -12000)
    assert hal.driven == 1000
    zero, span = tool.values["cp1"]
    for true in (12000, 6000, 0, -12000):
        code = (hal.wrong(true) - Board.PILOT_ZERO_MV) * 4096 // Board.PILOT_SPAN_MV
        assert abs(code * span // 4096 + zero - true) <= 25, true
    calibration.pack(tool.values, "reference")


def test_what_cannot_be_right_is_refused():
    hal = WrongHal()
    tool = calibrate.Calibrate(hal, Board)
    refused(tool.point, "a9", 1000)
    hal.applied_mv = 1000
    tool.point("a1", 1000)
    refused(tool.point, "a1", 1100)
    hal.broken = True
    refused(tool.point, "cp2", 12000)
    tool.reference(2_000_000)
    refused(tool.save)


def test_a_board_far_off_is_not_written():
    hal = WrongHal(gain_permille=1500)
    tool = calibrate.Calibrate(hal, Board)
    for applied in (1000, 9000):
        hal.applied_mv = applied
        tool.point("supply", applied)
    refused(tool.save)
