"""Calibrate a board from its console (docs/hardware.md). Nothing else may run: the relays stay open.

>>> from mcu.calibrate import start
>>> c = start()
>>> c.point("a1", 1000); c.point("a1", 9000)       what a good meter shows at the terminal, in mV
>>> c.point("cp1", 12000); c.point("cp1", -12000)  the pilot is driven to that side, nothing plugged in
>>> c.reference(1000350)                           the fixed resistor of the temperatures, in milliohm
>>> c.save()                                       counts from the next start
"""

import time
from array import array

from mcu import calibration
from mcu.calibration import GAIN_ONE, PILOTS, VOLTAGES, CalibrationError

READINGS = 64
SETTLE_MS = 20
# Two points closer than this say nothing about a gain.
APART_MV = 1000


def start():
    """Takes the board over, without its present calibration."""
    import sys

    from mcu.boards import choose
    from mcu.hal.pico import Hal

    board = choose(sys.implementation._machine)
    target, board.CALIBRATION_FILE = board.CALIBRATION_FILE, ""
    hal = Hal(board)
    board.CALIBRATION_FILE = target
    return Calibrate(hal, board)


class Calibrate:
    """Collects points, computes gain and offset, writes the file; `values` is what would be written."""

    def __init__(self, hal, board):
        self._hal = hal
        self._board = board
        self._points = {}
        self._out = array("i", (0, 0, 0, 0))
        self.values = calibration.load(board)[0]

    def point(self, name, true_mv):
        """What the board reads now is truly this; one point gives the offset, two the gain too."""
        raw_mv = self._pilot(name, true_mv) if name in PILOTS else self._voltage(name)
        points = self._points.setdefault(name, [])
        points.append((raw_mv, true_mv))
        self._points[name] = points[-2:]
        self.values[name] = self._line(name, self._points[name])
        return raw_mv

    def reference(self, mohm):
        """The fixed resistor as measured by a good meter."""
        self.values["reference"] = mohm

    def save(self):
        """Write the file; CalibrationError, and nothing written, for values no board can have."""
        calibration.save(self.values, self._board)

    def _voltage(self, name):
        if name not in VOLTAGES:
            raise CalibrationError("no quantity " + name)
        hal = self._hal
        total = 0
        for _ in range(READINGS):
            if name == "supply":
                total += hal.supply_mv()
            elif name in ("pp1", "pp2"):
                total += hal.proximity_mv(int(name[2]))
            elif name in ("a1", "a2"):
                total += hal.analog_mv(int(name[1]))
            else:
                total += hal.cc1_mv(name == "cc1dc")
        return (total + READINGS // 2) // READINGS

    def _pilot(self, name, true_mv):
        """Drive the side the point lies on and read its plateau."""
        hal, port = self._hal, int(name[2])
        side = 0 if true_mv > 0 else 1
        hal.pilot_drive(port, 0 if side else 1000)
        total = 0
        for _ in range(READINGS):
            time.sleep_ms(SETTLE_MS)
            hal.pilot_measure(port, self._out)
            if not self._out[2 + side]:
                raise CalibrationError(name + ": the pilot does not follow")
            total += self._out[side]
        hal.pilot_drive(port, 1000)
        return (total + READINGS // 2) // READINGS

    def _line(self, name, points):
        """Gain and offset through the points; zero and span for a pilot."""
        raw, true = points[-1]
        gain = GAIN_ONE
        if len(points) == 2:
            if abs(points[1][1] - points[0][1]) < APART_MV or points[0][0] == points[1][0]:
                raise CalibrationError(name + ": the points are too close")
            gain = (points[1][1] - points[0][1]) * GAIN_ONE // (points[1][0] - points[0][0])
        if name in PILOTS:
            zero, span = self._board.PILOT_ZERO_MV, self._board.PILOT_SPAN_MV
            return [true - (raw - zero) * gain // GAIN_ONE, span * gain // GAIN_ONE]
        return [gain, true - raw * gain // GAIN_ONE]
