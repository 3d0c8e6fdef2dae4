"""What one board measures differently from its drawing: a small file, checked before it is believed.

    "VSCC" | version u8 | length u8 | CBOR map | CRC-32 of all before, least significant byte first

The map: "board" its name, and per quantity a pair of numbers. Voltages: gain in 1/16384 and offset in mV.
"cp1", "cp2": zero and span in mV. "reference": the fixed resistor of the temperatures in milliohm.
"""

import struct

from vsecc_link import cbor, crc

MAGIC = b"VSCC"
VERSION = 1
GAIN_ONE = 16384
SIZE_MAX = 255
_HEAD = 6

VOLTAGES = ("pp1", "pp2", "a1", "a2", "supply", "cc1ac", "cc1dc")
PILOTS = ("cp1", "cp2")
# A correction beyond these is a fault of the board or of the file.
GAIN_RANGE = (GAIN_ONE * 9 // 10, GAIN_ONE * 11 // 10)
OFFSET_MAX_MV = 500
ZERO_RANGE_MV = (-16_500, -13_500)
SPAN_RANGE_MV = (27_000, 32_000)
REFERENCE_RANGE_MOHM = (950_000, 1_050_000)


class CalibrationError(ValueError):
    """The file is not what it should be; the text says why."""


def defaults(board):
    """The figures of the drawing."""
    values = {}
    for name in VOLTAGES:
        values[name] = [GAIN_ONE, 0]
    for name in PILOTS:
        values[name] = [board.PILOT_ZERO_MV, board.PILOT_SPAN_MV]
    values["reference"] = board.TEMPERATURE_REFERENCE_MOHM
    return values


def pack(values, board_name):
    """Content of the file; CalibrationError for values no board can have."""
    _check(values)
    content = dict(values)
    content["board"] = board_name
    body = cbor.encode(content)
    if len(body) > SIZE_MAX:
        raise CalibrationError("too long")
    data = MAGIC + bytes((VERSION, len(body))) + body
    return data + struct.pack("<I", crc.crc32(data))


def unpack(data, board_name):
    """Values of a file; CalibrationError when it is damaged, of another version or of another board."""
    if len(data) < _HEAD + crc.CRC_SIZE or data[:4] != MAGIC:
        raise CalibrationError("not a calibration file")
    if data[4] != VERSION:
        raise CalibrationError("version %d" % data[4])
    if len(data) != _HEAD + data[5] + crc.CRC_SIZE or not crc.intact(data):
        raise CalibrationError("damaged")
    try:
        values = cbor.decode(data[_HEAD : _HEAD + data[5]])
    except cbor.CborError as error:
        raise CalibrationError(str(error)) from None
    if type(values) is not dict or values.get("board") != board_name:
        raise CalibrationError("of another board")
    del values["board"]
    _check(values)
    return values


def load(board):
    """(values, None), or (defaults, why the file was not used)."""
    try:
        with open(board.CALIBRATION_FILE, "rb") as stream:
            return unpack(stream.read(_HEAD + SIZE_MAX + crc.CRC_SIZE + 1), board.NAME), None
    except OSError:
        return defaults(board), "missing"
    except CalibrationError as error:
        return defaults(board), str(error)


def save(values, board):
    """Write the file; it counts from the next start. CalibrationError for values no board can have."""
    data = pack(values, board.NAME)
    with open(board.CALIBRATION_FILE, "wb") as stream:
        stream.write(data)


def _check(values):
    names = VOLTAGES + PILOTS + ("reference",)
    if len(values) != len(names):
        raise CalibrationError("other quantities")
    for name in names:
        if name not in values:
            raise CalibrationError("no " + name)
    for name in VOLTAGES:
        _check_pair(name, values[name], GAIN_RANGE, (-OFFSET_MAX_MV, OFFSET_MAX_MV))
    for name in PILOTS:
        _check_pair(name, values[name], ZERO_RANGE_MV, SPAN_RANGE_MV)
    _check_number("reference", values["reference"], REFERENCE_RANGE_MOHM)


def _check_pair(name, pair, first, second):
    if type(pair) not in (list, tuple) or len(pair) != 2:
        raise CalibrationError(name + " is not a pair")
    _check_number(name, pair[0], first)
    _check_number(name, pair[1], second)


def _check_number(name, value, limits):
    if type(value) is not int or not limits[0] <= value <= limits[1]:
        raise CalibrationError(name + " out of range")
