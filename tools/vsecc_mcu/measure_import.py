"""Runs under MicroPython: heap that each module takes when it is imported after those it needs.

    micropython measure_import.py SLOT SHIMS MODULE...

Prints `MODULE BYTES` a line. The emulated chip's modules are imported first and do not count.
"""

import gc
import sys


def main(slot, shims, modules):
    """Dependencies come first in `modules`, so that each pays for itself alone."""
    sys.path[:] = [slot, shims]
    for name in ("chip", "machine", "rp2", "time", "uctypes", "array", "os", "hashlib", "binascii", "struct"):
        __import__(name)
    for name in modules:
        gc.collect()
        before = gc.mem_alloc()
        __import__(name)
        gc.collect()
        print(name, gc.mem_alloc() - before)


main(sys.argv[1], sys.argv[2], sys.argv[3:])
