"""First program after a reset: outputs safe, then the slot to run from. Copied to the root of the device."""

from machine import Pin

# The same pins on every board (boards/common.py), written out because nothing may run before they are silent:
# relay pumps, pilots (low is steady -12 V, state F), locks.
for _number in (6, 7, 8, 0, 2, 4, 5):
    Pin(_number, Pin.OUT, value=0)

import sys  # noqa: E402

SLOT_FILE = "/slot"
SLOTS = ("a", "b")


def active_slot():
    """Letter of the slot the pointer file names; the first one when it names none."""
    try:
        with open(SLOT_FILE) as stream:
            letter = stream.read().strip()
    except OSError:
        letter = ""
    return letter if letter in SLOTS else SLOTS[0]


sys.path.insert(0, "/" + active_slot())
