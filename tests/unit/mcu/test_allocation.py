"""Rule S5: with the heap locked, the control path runs in every state and a steady line runs the whole cycle.

On CPython nothing is locked and the same cycles merely run.
"""

from unit.mcu.boards import LEVEL_MV, SAMPLES, FakeBoard
from unit.mcu.hosts import Host

from mcu import ticks
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
            hal.now = (hal.now + 1000) & 0x3FFFFFFF
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
