"""The superloop: one absolute 1 ms cycle; pilots, safety, keep-alive first, everything else after.

The part up to the keep-alive allocates nothing, and neither does a steady line to the host (rule S5). The
collector runs at chosen moments only, under power only where the measured time of a collection keeps rule S2.
"""

import gc
from array import array

from mcu.ticks import add, diff
from vsecc_link.messages import CP_A, CP_F, CP_UNKNOWN

CYCLE_US = 1000
# Rule S2 leaves 10 ms; pilot period, phase of the cycle and debounce take at most 4 of them.
COLLECT_LIMIT_US = 5500
COLLECT_IDLE_EVERY_US = 2_000_000
# Heap the link may take between two collections; the smaller chip has 185 kB left when the program stands.
COLLECT_AFTER_BYTES = 48 * 1024
# A chip too slow to collect under power goes on up to here, then gives the session up and collects.
RESERVE_BYTES = 128 * 1024
PERIOD_EVERY_CYCLES = 16
PROXIMITY_EVERY_CYCLES = 10

# One bit per duty of a cycle; the watchdog is fed only when all are set (rule S4).
_PILOT_1 = 1
_PILOT_2 = 2
_DECIDED = 4
_DRIVEN = 8
_LINKED = 16
_ALL = 31


class Control:
    """Runs the cycle and owns its clock, its counters and the collector."""

    def __init__(self, hal, safety, io_control, link, collect=None):
        self._hal = hal
        self._safety = safety
        self._io = io_control
        self._link = link
        self._collect = collect or gc.collect
        self._plateaus = array("i", (0, 0, 0, 0))
        self._token = 0
        self._slot = 0
        self._deadline = hal.ticks_us()
        self._collect_at = self._deadline
        self._collected = False
        self.cycle_max_us = 0
        self.cycle_overruns = 0
        self.collect_max_us = 0
        self.heap_free_kib = 0
        link.control = self

    def run(self):
        """Start the collector's discipline, then cycle for ever."""
        self.start()
        while True:
            self.cycle()
            self.wait()

    def start(self):
        """Collect, measure what a collection takes, switch the automatic one off."""
        best = 0
        for attempt in range(3):
            took = self._measured_collect()
            best = took if attempt == 0 else min(best, took)
        self.collect_max_us = best
        if best > COLLECT_LIMIT_US:
            self._link.log(2, "a collection takes %d us: none under power" % best)
        self._note_heap()
        gc.disable()
        self._deadline = self._hal.ticks_us()

    def cycle(self):
        """One period: everything that decides, then everything that talks."""
        now = self._hal.ticks_us()
        self._token = 0
        self.protect(now)
        self._io.step(now)
        if self._link.step(now):
            self._token |= _LINKED
        if self._token == _ALL and self._link.was_up:
            self._hal.watchdog_feed()
        took = diff(self._hal.ticks_us(), now)
        if took > self.cycle_max_us:
            self.cycle_max_us = took
        self._collect_when_due(now)

    def protect(self, now):
        """The control path: sample both pilots, judge, decide, feed or drop. Allocates nothing (rule S5)."""
        slot = self._slot
        self._slot = slot + 1 if slot < 79 else 0  # 80: a multiple of both rates below
        for port in (1, 2):
            self._read_port(port, slot, now)
        self._safety.tick(now)
        self._token |= _DECIDED
        self._safety.drive()
        self._token |= _DRIVEN

    def wait(self):
        """Idle until the next cycle; a late one starts at once and the grid starts anew."""
        self._deadline = add(self._deadline, CYCLE_US)
        now = self._hal.ticks_us()
        if diff(now, self._deadline) > 0:
            self.cycle_overruns += not self._collected  # a collection has its own figure
            self._deadline = now
        else:
            self._hal.idle_until(self._deadline)
        self._collected = False

    def _read_port(self, port, slot, now):
        hal = self._hal
        guard = self._safety.guards[port - 1]
        out = self._plateaus
        hal.pilot_measure(port, out)
        guard.monitor.feed(out[0], out[1], out[2], out[3], now)
        # The slower readings of the two ports fall into different cycles.
        if slot % PERIOD_EVERY_CYCLES == 7 * port:
            guard.monitor.feed_period(hal.pilot_period_us(port))
        if slot % PROXIMITY_EVERY_CYCLES == 4 * port:
            guard.feed_proximity(hal.proximity_mv(port), hal.dip_switches())
        self._token |= _PILOT_1 if port == 1 else _PILOT_2

    def _is_idle(self):
        """No vehicle on any port."""
        for guard in self._safety.guards:
            if guard.monitor.state not in _IDLE_STATES:
                return False
        return True

    def _collect_when_due(self, now):
        idle = self._is_idle()
        if idle and diff(now, self._collect_at) >= 0:
            self._collect_at = add(now, COLLECT_IDLE_EVERY_US)
        elif self._link.heap_taken < COLLECT_AFTER_BYTES or not self._may_collect():
            return
        self._link.heap_taken = 0
        took = self._measured_collect()
        if took > self.collect_max_us:
            self.collect_max_us = took
        if idle:
            self._note_heap()
        self._collected = True

    def _may_collect(self):
        """Under power only within the limit; with the reserve used up the relays open first."""
        if self.collect_max_us <= COLLECT_LIMIT_US or not self._safety.relays_driven():
            return True
        if self._link.heap_taken >= RESERVE_BYTES:
            self._link.log(3, "heap used up under power: session given up")
            self._safety.lose_host()
        return False

    def _measured_collect(self):
        start = self._hal.ticks_us()
        self._collect()
        return diff(self._hal.ticks_us(), start)

    def _note_heap(self):
        """Walks the heap, 9 ms on the chip: only while no vehicle is there."""
        if hasattr(gc, "mem_free"):
            self.heap_free_kib = gc.mem_free() >> 10


_IDLE_STATES = (CP_UNKNOWN, CP_A, CP_F)
