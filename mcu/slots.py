"""The slot this program was started from, and how it keeps it: by running for a while, outputs under control.

The format of the pointer file and the start of a slot are those of boot.py, which cannot be imported here.
"""

import binascii
import os

from mcu.crash import STARTS

POINTER = "/slot"
COMPLETE = "complete"  # see boot.py; its text is the digest of the files, in hex
SETTLED_CYCLES = 100
TRIAL_CYCLES = 1000
_LETTERS = "ab"
_POINTER_MAX = 4
_DIGEST_MAX = 80  # characters of a file that should hold 64


def own_letter(path=__file__):
    """Letter of the slot that holds this file, empty when it lies elsewhere (simulation)."""
    parts = path.split("/")
    return parts[1] if len(parts) == 4 and parts[1] and parts[1] in _LETTERS else ""


def is_settled(letter, pointer=POINTER):
    """True when the pointer file names this slot without a question mark."""
    try:
        with open(pointer) as stream:
            return stream.read(_POINTER_MAX).strip() == letter
    except (OSError, ValueError):  # none, or bytes that are no text
        return False


def recorded_digest(letter=None, root="/"):
    """Digest the slot's files had when they were written and checked; None when none is recorded."""
    letter = own_letter() if letter is None else letter
    if not letter:
        return None
    try:
        with open(root + letter + "/" + COMPLETE) as stream:
            return binascii.unhexlify(stream.read(_DIGEST_MAX).strip())
    except (OSError, ValueError):
        return None


def settle(letter, pointer=POINTER):
    """Names this slot for good; a power cut leaves the old text or the new one."""
    with open(pointer + ".new", "w") as stream:
        stream.write(letter)
    os.rename(pointer + ".new", pointer)


def announce(version, image_sha256, letter=None):
    """One line at the console for whoever waits for this program to come up."""
    letter = own_letter() if letter is None else letter
    if letter:
        print("vsecc %s slot %s image %s" % (version, letter, binascii.hexlify(image_sha256).decode()))


def prove(hal, control, letter=None, pointer=POINTER):
    """Runs the control path without a host; who gets through has proved itself. True: it was on trial.

    Only before the line is served: writing to the flash stops the program, up to 0.4 s, and no relay may be
    driven then.
    """
    letter = own_letter() if letter is None else letter
    if not letter:
        return False
    settled = is_settled(letter, pointer)
    control.rehearse(SETTLED_CYCLES if settled else TRIAL_CYCLES)
    hal.keep(STARTS, hal.kept(STARTS) & ~0xFF)
    if settled:
        return False
    settle(letter, pointer)
    return True
