"""The calibration file: round trip, hostile files, other boards, values no board can have."""

from unit.protocol.wires import Random

from mcu import calibration
from mcu.boards import pico, reference
from mcu.calibration import CalibrationError


def refused(call, *arguments):
    try:
        call(*arguments)
    except CalibrationError as error:
        return str(error)
    raise AssertionError("not refused")


def good():
    values = calibration.defaults(reference)
    values["a1"] = [16500, -12]
    values["cp2"] = [-15100, 30100]
    values["reference"] = 1_000_350
    return values


def test_round_trip():
    data = calibration.pack(good(), "reference")
    assert calibration.unpack(data, "reference") == good()
    assert len(data) < 256


def test_every_flipped_bit_is_found():
    data = calibration.pack(good(), "reference")
    for index in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[index] ^= 1 << bit
            refused(calibration.unpack, bytes(damaged), "reference")


def test_every_cut_and_every_tail_is_found():
    data = calibration.pack(good(), "reference")
    for length in range(len(data)):
        refused(calibration.unpack, data[:length], "reference")
    refused(calibration.unpack, data + b"x", "reference")


def test_noise_is_never_believed():
    random = Random(5)
    for length in range(200):
        refused(
            calibration.unpack, b"VSCC\x01" + bytes([random.below(256) for _ in range(length)]), "reference"
        )


def test_a_file_of_another_board_or_version():
    data = calibration.pack(calibration.defaults(pico), "pico")
    assert refused(calibration.unpack, data, "reference") == "of another board"
    newer = bytearray(data)
    newer[4] = 2
    assert refused(calibration.unpack, bytes(newer), "pico") == "version 2"


def test_values_no_board_can_have():
    for name, value in (
        ("a1", [10_000, 0]),
        ("a1", [16384, 501]),
        ("a1", [16384]),
        ("a1", 16384),
        ("a1", ["16384", 0]),
        ("a1", [True, 0]),
        ("cp1", [-12000, 30000]),
        ("cp1", [-15000, 26_999]),
        ("reference", 0),
        ("reference", [1, 2]),
    ):
        values = good()
        values[name] = value
        refused(calibration.pack, values, "reference")
    values = good()
    del values["supply"]
    refused(calibration.pack, values, "reference")
    for name in ("more", 7):
        values = good()
        values[name] = 1
        refused(calibration.pack, values, "reference")
        del values["a1"]
        refused(calibration.pack, values, "reference")


def test_a_missing_file_gives_the_figures_of_the_drawing_and_says_so():
    class Board:
        NAME = "reference"
        CALIBRATION_FILE = "/nowhere/calibration"
        PILOT_ZERO_MV = -15000
        PILOT_SPAN_MV = 30000
        TEMPERATURE_REFERENCE_MOHM = 1_000_000

    values, problem = calibration.load(Board)
    assert problem == "missing" and values == calibration.defaults(Board)
