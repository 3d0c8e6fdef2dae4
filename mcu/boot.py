"""First program after a reset: outputs safe, then the slot to run from. Copied to the device's root."""

# `/slot` names the slot: `b` is settled, `b?` on trial. A program that has proved itself (slots.py) settles
# its slot and clears the count of starts, which lives in a register that every reset but a power-on keeps.
# After three starts without that the other slot has its turn, if it is complete. Nothing is written here.

from machine import Pin

# The same pins on every board (boards/common.py), written out because nothing may run before they are silent:
# relay pumps, pilots (low is steady -12 V, state F), locks, reset of the expanders (outputs off).
for _number in (6, 7, 8, 0, 2, 4, 5, 1):
    Pin(_number, Pin.OUT, value=0)

import os  # noqa: E402
import sys  # noqa: E402

from machine import WDT, mem32, reset  # noqa: E402

SLOT_FILE = "/slot"
SLOTS = ("a", "b")
COMPLETE = "complete"  # last file of a slot to be written, first one to go
POINTER_MAX = 4  # what is longer names no slot
ATTEMPTS_MAX = 3
TRIAL_WATCHDOG_MS = 8000  # a program on trial that hangs before it proved itself
# Scratch register 1 of the watchdog: a mark, a count that crash.py keeps, this count; below 2^30 together.
ATTEMPTS_REGISTER = 0x40058010 if "RP2040" in sys.implementation._machine else 0x400D8010
ATTEMPTS_MARK = 0x2A5A0000
MARK_BITS = 0x3FFF0000
CAUSE_COMMANDED = 0x15530002  # as hal/pico.py records it in register 0


def pointer():
    """(letter, on trial?) of the slot the pointer file names; the first one when it names none."""
    try:
        with open(SLOT_FILE) as stream:
            text = stream.read(POINTER_MAX).strip()
    except (OSError, ValueError):  # none, or bytes that are no text
        text = ""
    if text[:1] in SLOTS and text[1:] in ("", "?"):
        return text[:1], text[1:] == "?"
    return SLOTS[0], False


def is_complete(letter):
    """True when all files of the slot were written and checked."""
    try:
        os.stat("/" + letter + "/" + COMPLETE)
        return True
    except OSError:
        return False


def attempts():
    """Starts since a program proved itself."""
    return _register() & 0xFF


def count_attempts(number):
    """Notes the number for the next start."""
    mem32[ATTEMPTS_REGISTER] = _register() & ~0xFF | number & 0xFF


def _register():
    value = mem32[ATTEMPTS_REGISTER]
    return value if value & MARK_BITS == ATTEMPTS_MARK else ATTEMPTS_MARK


def restart():
    """Resets the chip on purpose: for the console."""
    mem32[ATTEMPTS_REGISTER - 4] = CAUSE_COMMANDED
    reset()


def choose():
    """(letter, on trial?) of the slot to run: the pointer's, or for three attempts in turn the other one.

    The other one at once where only that is complete: then the pointer's file was damaged.
    """
    letter, trial = pointer()
    other = SLOTS[1 - SLOTS.index(letter)]
    if is_complete(other) and (attempts() // ATTEMPTS_MAX % 2 or not is_complete(letter)):
        return other, True
    return letter, trial


active_slot, on_trial = choose()
count_attempts(attempts() + 1)
if on_trial:
    WDT(timeout=TRIAL_WATCHDOG_MS)
sys.path.insert(0, "/" + active_slot)
