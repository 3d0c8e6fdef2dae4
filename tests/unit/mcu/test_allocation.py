"""Rule S5: with the heap locked, the control path runs in every state and a steady line runs the whole cycle.

On CPython nothing is locked and the same cycles merely run.
"""

from unit.mcu.boards import LEVEL_MV, SAMPLES, FakeBoard
from unit.mcu.hosts import Host

from mcu import ticks
from mcu.cp_control import BAND_NAMES, NEXT
from mcu.hal.sim import Hal
from mcu.main import make_control
from vsecc_link import messages as m

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """CPython cannot."""

    def heap_unlock():
        """CPython cannot."""


LOCKED_CYCLES = 2000
CONTACT = 1


class QuietHal(Hal):
    """The simulated hardware without its allocations: answers from attributes, eats what is written."""

    def __init__(self, board):
        Hal.__init__(self, board)
        self.quiet = False
        self.now = 0
        self.high_mv = [0, 6000, 12000]  # port 1 charges, port 2 is empty
        self.low_mv = [0, -12000, 0]
        self.n_high = [0, 5, SAMPLES]
        self.frame = b""
        self.frame_due = False
        self.written = 0
        self.fed = 0

    def ticks_us(self):
        return self.now if self.quiet else Hal.ticks_us(self)

    def idle_until(self, ticks_us):
        if self.quiet:
            self.now = ticks_us
        else:
            Hal.idle_until(self, ticks_us)

    def pilot_measure(self, port, out):
        if not self.quiet:
            Hal.pilot_measure(self, port, out)
            return
        out[0] = self.high_mv[port]
        out[1] = self.low_mv[port]
        out[2] = self.n_high[port]
        out[3] = SAMPLES - self.n_high[port]

    def pilot_drive(self, port, duty_permille):
        if not self.quiet:
            Hal.pilot_drive(self, port, duty_permille)

    def relay_feed(self, relay):
        if self.quiet:
            self.fed += 1
        else:
            Hal.relay_feed(self, relay)

    def relay_drop(self, relay):
        if not self.quiet:
            Hal.relay_drop(self, relay)

    def relay_feedback(self, relay):
        return relay == CONTACT if self.quiet else Hal.relay_feedback(self, relay)

    def uart_read_into(self, buffer):
        if not self.quiet:
            return Hal.uart_read_into(self, buffer)
        if not self.frame_due:
            return 0
        self.frame_due = False
        frame = self.frame
        for index in range(len(frame)):
            buffer[index] = frame[index]
        return len(frame)

    def uart_write(self, buffer, n):
        if not self.quiet:
            return Hal.uart_write(self, buffer, n)
        self.written += n
        return n


class Quiet:
    """Bench on the quiet hardware, brought to charging before the heap is locked."""

    def __init__(self):
        self.board = FakeBoard()
        self.hal = QuietHal(self.board)
        self.control = make_control(self.hal, b"\x00" * 32, collect=nothing)
        self.link = self.control._link
        self.safety = self.control._safety
        self.host = Host(self)

    def cycles(self, count):
        for _ in range(count):
            self.control.cycle()
            self.control.wait()

    def plug(self, port, letter):
        self.board.level_mv[port] = LEVEL_MV[letter]

    def hush(self):
        """From here on nothing of the fake allocates."""
        self.hal.now = Hal.ticks_us(self.hal)
        self.hal.quiet = True


def nothing():
    """No collection while the heap is locked."""


def charging():
    bench = Quiet()
    bench.host.link_up()
    bench.host.charge(1)
    bench.host.cycles(100)
    return bench


def grants_ahead(host, count):
    """Frames of the next grants, as the host would write them."""
    frames = []
    for _ in range(count):
        host.grant()
        frames.append(host.link.take()[1])
    return frames


def locked_protect(bench, cycles):
    """The control path alone; MemoryError escapes with the heap unlocked again."""
    control, hal = bench.control, bench.hal
    heap_lock()
    try:
        for _ in range(cycles):
            control.protect(hal.now)
            hal.now = ticks.add(hal.now, 1000)
    finally:
        heap_unlock()


def locked_cycles(bench, frames):
    """Whole cycles with a grant every 100 ms."""
    control, hal = bench.control, bench.hal
    heap_lock()
    try:
        for index in range(LOCKED_CYCLES):
            if index % 100 == 0:
                hal.frame = frames[index // 100]
                hal.frame_due = True
            control.cycle()
            control.wait()
    finally:
        heap_unlock()


def test_s5_whole_steady_cycle_allocates_nothing():
    bench = charging()
    frames = grants_ahead(bench.host, LOCKED_CYCLES // 100)
    bench.hush()
    fed = bench.hal.fed
    locked_cycles(bench, frames)
    assert bench.hal.fed - fed == LOCKED_CYCLES // 4
    assert bench.hal.written > LOCKED_CYCLES // 20 * 60
    assert bench.safety.relays[0].driven


def test_s5_control_path_allocates_nothing_in_any_state_or_fault():
    bench = charging()
    bench.hush()
    hal = bench.hal
    for high_mv, low_mv, n_high in (
        (6000, -12000, 5),
        (3000, -12000, 5),
        (9000, -12000, 5),
        (9000, -9000, 5),
        (12000, 0, 100),
        (0, 0, 100),
        (15000, -12000, 5),
        (0, -12000, 0),
        (7500, -12000, 60),
    ):
        hal.high_mv[1] = high_mv
        hal.low_mv[1] = low_mv
        hal.n_high[1] = n_high
        locked_protect(bench, 150)
    assert bench.safety.guards[0].faults and not bench.safety.relays[0].driven


# One reading for each band: high and low plateau, mV, and samples high and low.
READINGS = (
    (14000, -12000, 5, 95),
    (12000, -12000, 5, 95),
    (10500, -12000, 5, 95),
    (9000, -12000, 5, 95),
    (7500, -12000, 5, 95),
    (6000, -12000, 5, 95),
    (4500, -12000, 5, 95),
    (3000, -12000, 5, 95),
    (1500, -12000, 5, 95),
    (0, 0, 100, 0),
    (-1500, -12000, 5, 95),
    (0, -12000, 0, 100),
    (0, 0, 0, 0),
)


class Raw(QuietHal):
    """Readings of both ports straight from one tuple, contacts from a list."""

    def __init__(self, board):
        QuietHal.__init__(self, board)
        self.reading = READINGS[1]
        self.contacts = [False, False, False, False]

    def pilot_measure(self, port, out):
        for index in range(4):
            out[index] = self.reading[index]

    def pilot_period_us(self, port):
        return 1000

    def relay_feedback(self, relay):
        return self.contacts[relay]


class RawBench(Quiet):
    """A program on raw readings, quiet from the start; its self-test is over unless told otherwise."""

    def __init__(self, tested=True):
        self.board = FakeBoard()
        self.hal = Raw(self.board)
        self.control = make_control(self.hal, b"\x00" * 32, collect=nothing)
        self.link = self.control._link
        self.safety = self.control._safety
        self.hush()
        self.safety.is_tested = tested


def test_s5_every_state_meets_every_band_without_allocation():
    bench = RawBench()
    hal = bench.hal
    assert len(READINGS) == len(BAND_NAMES)
    for state in range(len(NEXT)):
        for band in range(len(BAND_NAMES)):
            for guard in bench.safety.guards:
                guard.faults = 0
                guard.monitor._enter(state, hal.now)
                guard.granted = True
            hal.reading = READINGS[band]
            locked_protect(bench, 24)
            expected = NEXT[state][band]
            seen = bench.safety.guards[0].monitor.state
            assert seen == expected or NEXT[expected][band] == seen, (state, band)


def test_s5_the_self_test_allocates_nothing_whatever_it_finds():
    for reading in (READINGS[1], READINGS[3], READINGS[11], READINGS[9], READINGS[0]):
        for closed in (False, True):
            bench = RawBench(tested=False)
            bench.hal.reading = reading
            bench.hal.contacts[1] = closed
            locked_protect(bench, 300)
            assert bench.safety.is_tested
            assert bench.safety.guards[0].faults or reading in (READINGS[3], READINGS[9])


def test_s5_every_other_fault_comes_and_goes_without_allocation():
    bench = RawBench()
    hal, board, safety = bench.hal, bench.board, bench.safety
    hal.reading = READINGS[5]
    driven = []
    for trouble in ("none", "weld", "no close", "pp", "cc1", "dip", "device", "expiry", "wrap"):
        for guard in safety.guards:
            guard.faults = 0
            safety.set_pilot(1 + safety.guards.index(guard), m.PILOT_PWM, 50, hal.now)
        board.pp_mv[2] = 3700
        board.dip = 0b1100
        hal.contacts = [False, False, False, False]
        safety.device_faults.set(m.DEVICE_BROWN_OUT, False, hal.now)
        locked_protect(bench, 60)
        if trouble == "wrap":
            hal.now = 0x3FFFFFFF - 40_000
        safety.grant(3, 500, hal.now)
        locked_protect(bench, 4)
        driven.append(safety.relays_driven())
        hal.contacts = [False, trouble != "no close", True, False]
        if trouble == "weld":
            safety.grant(0, 500, hal.now)
        elif trouble == "pp":
            board.pp_mv[2] = 0
        elif trouble == "cc1":
            board.dip = 0
        elif trouble == "dip":
            board.dip = 0b1111
        elif trouble == "device":
            safety.device_faults.set(m.DEVICE_BROWN_OUT, True, hal.now)
        locked_protect(bench, 600 if trouble == "expiry" else 150)
        faults = (safety.guards[0].faults, safety.guards[1].faults)
        weld, refusal = 1 << m.FAULT_RELAY_WELDED, 1 << m.FAULT_RELAY_NO_CLOSE
        wanted = {
            "weld": (weld, weld),
            "no close": (refusal, 0),
            "pp": (0, 1 << m.FAULT_PP | weld),
            "cc1": (0, 1 << m.FAULT_CC1 | weld),
            "device": (weld, weld),
            "expiry": (weld, weld),
        }.get(trouble, (0, 0))
        assert faults == wanted, (trouble, faults)
        hal.contacts = [False, False, False, False]
        locked_protect(bench, 10)
    assert driven == [3] * 9


def test_s5_a_trip_allocates_nothing():
    for high_mv in (9000, 12000, 0):
        bench = charging()
        bench.hush()
        locked_protect(bench, 30)
        assert bench.safety.relays[0].driven
        bench.hal.high_mv[1] = high_mv
        locked_protect(bench, 3)
        assert not bench.safety.relays[0].driven


def test_s5_expiry_of_a_grant_allocates_nothing():
    bench = charging()
    bench.hush()
    locked_protect(bench, 520)
    assert not bench.safety.relays[0].driven
    assert bench.safety.guards[0].driver.mode == m.PILOT_STEADY_POSITIVE


def test_s5_time_near_a_wrap_allocates_nothing():
    marks = (0, 5, 0x1FFFFFFF, 0x20000000, 0x3FFFFFFA, 0x3FFFFFFF)
    heap_lock()
    try:
        for earlier in marks:
            for later in marks:
                ticks.diff(later, earlier)
            ticks.add(earlier, 500000)
    finally:
        heap_unlock()
    assert ticks.diff(5, 0x3FFFFFFA) == 11
    assert ticks.diff(0x3FFFFFFA, 5) == -11
