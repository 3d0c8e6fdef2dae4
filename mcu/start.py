"""Second program after a reset: runs the program of the slot. Copied to the root of the device as main.py."""

import sys
import time

from machine import reset

try:
    from mcu.main import main

    main()
except (SystemExit, KeyboardInterrupt):
    raise
except BaseException as error:  # files of the slot that do not load
    sys.print_exception(error)
    time.sleep(3)  # a person at the console can break in
    reset()
