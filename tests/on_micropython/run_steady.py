"""Runs under MicroPython: the compiled program charges for a while on a fake board; prints the heap it needs.

micropython run_steady.py SLOT TESTS
"""

import gc
import sys

sys.path[:0] = sys.argv[1:3]

from unit.mcu.boards import Bench  # noqa: E402
from unit.mcu.hosts import Host  # noqa: E402

SECONDS = 20


def main():
    """Charge, look at the heap, end."""
    gc.collect()
    bench = Bench(collect=gc.collect)
    gc.collect()
    used = gc.mem_alloc()
    host = Host(bench).link_up().charge(1)
    gc.disable()
    for _ in range(SECONDS * 10):
        host.cycles(100)  # the fakes around the program leave garbage, too
        host.messages = []
        host.events = []
        host.wire_log = []
        bench.board.changes = []
        gc.collect()
    assert bench.safety.relays[0].closed and host.link.up
    print("used", used, "collect_us", bench.control.collect_max_us, "after", gc.mem_alloc())


main()
