"""The superloop: one absolute 1 ms cycle; pilots, safety, keep-alive first, everything else after.

The part up to the keep-alive allocates nothing, and neither does a steady line to the host (rule S5). The
collector runs at chosen moments only, under power only where the measured time of a collection keeps rule S2.
"""

import gc
from array import array

from mcu.crash import PROGRESS, ROUNDS
from mcu.safety import CC1_AC, CC1_DC
from mcu.self_test import NO_LEVEL_MV, SelfTest
from mcu.ticks import add, diff
from vsecc_link.messages import CP_A, CP_F, CP_UNKNOWN

CYCLE_US = 1000
# Where in the pilot's period a cycle begins: 50 us of 5 % duty, a slow edge and one sample after it rose. The
# newest pulse is then read at once, whole, and the one before it no more.
PHASE_US = 70
SLEW_US = 50  # how far a cycle moves towards that place
# A cycle that began later than this begins the grid anew: one disturbed pulse is never in three readings.
LATE_US = 250
# Rule S2 leaves 10 ms; pilot period, phase of the cycle and debounce take at most 4 of them.
COLLECT_LIMIT_US = 5500
COLLECT_IDLE_EVERY_US = 2_000_000
# Heap the link may take between two collections; the smaller chip has some 125 kB left at the start.
COLLECT_AFTER_BYTES = 48 * 1024
# A chip too slow to collect under power goes on up to here, then gives the session up and collects.
RESERVE_BYTES = 96 * 1024

# One chore a cycle, a round of 16 cycles over and over; odd cycles count samples of ports 1 and 2 in turn.
_KEEP_ALIVE = 0
_COUNTS_1 = 1
_COUNTS_2 = 2
_PROXIMITY_1 = 3
_PROXIMITY_2 = 4
_PERIOD_1 = 5
_PERIOD_2 = 6
CHORES = bytes((0, 1, 3, 2, 0, 1, 5, 2, 0, 1, 4, 2, 0, 1, 6, 2))
_ROUND_MASK = 15
_ROUNDS_MASK = 0x3FFFFFFF
_STAGE_LINE = 1  # index into crash.STAGES
# Every other cycle, those without a longer chore, serves one slow part; one considers a collection.
_IO_ODD = 1
COLLECT_SLOT = 11

# One bit per duty of a cycle; the watchdog is fed only when all are set (rule S4).
_PILOT_1 = 1
_PILOT_2 = 2
_DECIDED = 4
_CHORE = 8
_LINKED = 16
_ALL = 31


class Control:
    """Runs the cycle and owns its clock, its counters and the collector."""

    def __init__(self, hal, safety, io_control, link, collect=None):
        self._hal = hal
        self._safety = safety
        self._io = io_control
        self.link = self._link = link
        self._collect = collect or gc.collect
        self._monitor_1 = safety.guards[0].monitor
        self._monitor_2 = safety.guards[1].monitor
        self._plateaus = array("i", (0, 0, 0, 0))
        self.self_test = SelfTest(hal, safety)
        self._is_told = False  # what the self-test found
        self._token = 0
        self._slot = 0
        self._deadline = self._began = hal.ticks_us()
        self._collect_at = self._deadline
        self._collected = False
        self.cycle_max_us = 0
        self.cycle_overruns = 0
        self.collect_max_us = 0
        self.heap_free_kib = 0
        self.rounds = 0  # of 16 cycles each: how long the program runs
        self.must_feed = False  # the watchdog was armed before the first session: a program on trial
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
        self._start_grid()

    def rehearse(self, cycles):
        """The control path alone, no host: no relay can close (slots.py)."""
        self._start_grid()
        for _ in range(cycles):
            self.protect(self._hal.ticks_us())
            self.wait()

    def _start_grid(self):
        self._deadline = self._began = self._hal.ticks_us()

    def cycle(self):
        """One period: everything that decides, then everything that talks."""
        hal = self._hal
        link = self._link
        now = hal.ticks_us()
        self._token = 0
        hal.keep(PROGRESS, self._slot << 8)
        self.protect(now)
        slot = self._slot
        if not self._is_told and self._safety.is_tested:
            self._is_told = True
            self.self_test.report(link.log)
        hal.keep(PROGRESS, slot << 8 | _STAGE_LINE)
        if not slot:
            self.rounds = self.rounds + 1 & _ROUNDS_MASK
            hal.keep(ROUNDS, self.rounds)
        if not slot & _IO_ODD:
            self._io.step(slot >> 1, now)
        if link.step(now):
            self._token |= _LINKED
        if self._token == _ALL and (link.was_up or self.must_feed):
            hal.watchdog_feed()
        took = diff(hal.ticks_us(), now)
        if took > self.cycle_max_us:
            self.cycle_max_us = took
        if slot == COLLECT_SLOT:
            self._collect_when_due(now)

    def protect(self, now):
        """The control path: sample, judge, decide, port by port; one chore. Allocates nothing (rule S5)."""
        hal = self._hal
        out = self._plateaus
        self._began = now
        chore = CHORES[self._slot]
        self._slot = self._slot + 1 & _ROUND_MASK
        if not self._safety.is_tested:
            self._test(now)
            self._token |= _PILOT_1 | _PILOT_2 | _DECIDED | _CHORE
            return
        safety = self._safety
        safety.begin(now)
        hal.pilot_measure(1, out)
        self._monitor_1.feed(out[0], out[1], out[2], out[3], now)
        safety.decide(0, now)
        if chore == _COUNTS_1:
            self._monitor_1.read_back.feed_counts(out[2], out[3])
        token = _PILOT_1
        hal.pilot_measure(2, out)
        self._monitor_2.feed(out[0], out[1], out[2], out[3], now)
        safety.decide(1, now)
        if chore == _COUNTS_2:
            self._monitor_2.read_back.feed_counts(out[2], out[3])
        token |= _PILOT_2 | _DECIDED
        if chore == _KEEP_ALIVE:
            safety.refresh(now)
        elif chore > _COUNTS_2:
            self._slow_reading(chore)
        self._token |= token | _CHORE

    def _test(self, now):
        """A cycle before the self-test is over: nothing is judged, nothing can close."""
        level_1_mv = self._level_mv(1)
        level_2_mv = self._level_mv(2)
        self._safety.watch(now)
        if self.self_test.step(level_1_mv, level_2_mv, now):
            self._safety.is_tested = True

    def _level_mv(self, port):
        """Level of a steady pilot."""
        out = self._plateaus
        self._hal.pilot_measure(port, out)
        if not out[2] and not out[3]:
            return NO_LEVEL_MV
        return out[0] if out[2] > out[3] else out[1]

    def wait(self):
        """Idle until the next cycle; a late one starts at once."""
        hal = self._hal
        deadline = self._deadline
        if diff(self._began, deadline) > LATE_US:
            deadline = self._began
        deadline = add(deadline, CYCLE_US)
        now = hal.ticks_us()
        ahead = diff(deadline, now)
        off = (hal.pilot_phase_us() + ahead) % CYCLE_US - PHASE_US
        off = max(-SLEW_US, min(SLEW_US, off))  # never across the pulse: a cycle before it waits for its end
        self._deadline = add(deadline, -off)
        if ahead > off:
            hal.idle_until(self._deadline)
        else:
            self.cycle_overruns += not self._collected  # a collection has its own figure
        self._collected = False

    def _slow_reading(self, chore):
        """Pilot period or proximity of one port; CC1 goes with proximity, AC first."""
        hal = self._hal
        guards = self._safety.guards
        if chore == _PERIOD_1:
            self._monitor_1.read_back.feed_period(hal.pilot_period_us(1))
        elif chore == _PERIOD_2:
            self._monitor_2.read_back.feed_period(hal.pilot_period_us(2))
        elif chore == _PROXIMITY_1:
            guards[0].proximity.feed(hal.proximity_mv(1), hal.dip_switches())
            guards[1].feed_cc1(CC1_AC, hal.cc1_mv(CC1_AC), hal.dip_switches())
        elif chore == _PROXIMITY_2:
            guards[1].proximity.feed(hal.proximity_mv(2), hal.dip_switches())
            guards[1].feed_cc1(CC1_DC, hal.cc1_mv(CC1_DC), hal.dip_switches())

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
