"""First thing that runs in the interpreter process: takes over the emulated chip and starts the firmware.

Arguments: reader fd, writer fd, "wall" or "virtual", machine name, calibration file, file of the crash
report, then the folders of the firmware.
"""

import sys

_MICROPYTHON = sys.implementation.name == "micropython"


class _PlainStream:
    """Reads and writes whole blocks on CPython the way MicroPython's streams do."""

    def __init__(self, fd):
        import os

        self._fd = fd
        self._readv = os.readv
        self._write = os.write

    def readinto(self, buffer, count):
        """Fills `count` bytes; 0 when the other side is gone."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < count:
            got = self._readv(self._fd, [view[done:count]])
            if not got:
                return 0
            done += got
        return done

    def write(self, buffer, count):
        """Writes the first `count` bytes."""
        view = memoryview(buffer)[:count]
        done = 0
        while done < count:
            done += self._write(self._fd, view[done:])


def _take_over_cpython():
    """Puts the emulated `time` in the place of the real one, which is built in and cannot be shadowed."""
    import importlib.util
    import os
    import time

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "cpython"))
    import chip

    wall = time.monotonic_ns
    spec = importlib.util.spec_from_file_location("time", os.path.join(here, "time.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["time"] = module
    return chip, lambda: wall() // 1000


def _take_over_micropython():
    import chip
    import utime

    return chip, utime.ticks_us


def main():
    """Connects to the board and runs the firmware's own start."""
    for folder in sys.argv[7:]:
        sys.path.append(folder)
    chip, wall_clock = _take_over_micropython() if _MICROPYTHON else _take_over_cpython()
    reader, writer = int(sys.argv[1]), int(sys.argv[2])
    if _MICROPYTHON:
        streams = open(reader, "rb"), open(writer, "wb")
    else:
        streams = _PlainStream(reader), _PlainStream(writer)
    from mcu import boards

    table = boards.choose(sys.argv[4])
    table.CALIBRATION_FILE = sys.argv[5]
    table.CRASH_FILE = sys.argv[6]
    chip.connect(streams[0], streams[1], wall_clock if sys.argv[3] == "wall" else None)
    from mcu import main as firmware
    from mcu.hal.pico import Hal

    try:
        firmware.run(Hal(table))
    except KeyboardInterrupt:  # the console waits for a person; time goes on
        while True:
            chip.sleep_us(1000)


main()
