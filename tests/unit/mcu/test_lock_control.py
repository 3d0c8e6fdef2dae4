"""Connector lock: drive limit, feedback windows, retries, faults, and never open under power."""

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from mcu import lock_control
from vsecc_link import messages as m

LOCKED, UNLOCKED, OPEN, HALF_WAY = 11_000, 1000, 65535, 5000
STOP, TO_LOCKED, TO_UNLOCKED = 0, 1, -1


class Lock:
    """One lock on the whole program; `travel_ms` until its feedback follows the motor, None: jammed."""

    def __init__(self, ohm=UNLOCKED, travel_ms=300):
        self.bench = Bench()
        self.board = self.bench.board
        self.board.lock_resistance[1] = ohm
        self.travel_ms = travel_ms
        self.driven_ms = 0
        self.longest_ms = 0
        self.drives = 0
        self._driven = STOP
        self.control = self.bench.control._io.locks[0]
        self.cycles(100)

    def cycles(self, count):
        for _ in range(count):
            before = self._driven
            self.bench.cycles(1)
            direction = self.board.locks[1] or STOP
            self._driven = direction
            if direction and not before:
                self.drives += 1
                self.driven_ms = 0
            if direction:
                self.driven_ms += 1
                self.longest_ms = max(self.longest_ms, self.driven_ms)
                if self.travel_ms is not None and self.driven_ms == self.travel_ms:
                    self.board.lock_resistance[1] = LOCKED if direction == TO_LOCKED else UNLOCKED

    def set(self, locked):
        return self.bench.control._io.set_lock(1, locked, self.bench.hal.ticks_us())


def test_windows():
    for ohm, position in (
        (0, m.LOCK_FAULT),
        (499, m.LOCK_FAULT),
        (500, m.LOCK_UNLOCKED),
        (1000, m.LOCK_UNLOCKED),
        (3000, m.LOCK_UNLOCKED),
        (3001, m.LOCK_MOVING),
        (6999, m.LOCK_MOVING),
        (7000, m.LOCK_LOCKED),
        (11000, m.LOCK_LOCKED),
        (16000, m.LOCK_LOCKED),
        (16001, m.LOCK_FAULT),
        (65535, m.LOCK_FAULT),
    ):
        assert lock_control.position_of(ohm) == position, ohm


def test_locks_and_unlocks_with_the_feedback():
    lock = Lock()
    assert lock.control.state == m.LOCK_UNLOCKED
    assert lock.set(True) is None
    lock.cycles(200)
    assert lock.control.state == m.LOCK_MOVING and lock.board.locks[1] == TO_LOCKED
    lock.cycles(400)
    assert lock.control.state == m.LOCK_LOCKED and lock.board.locks[1] == STOP
    assert lock.set(False) is None
    lock.cycles(600)
    assert lock.control.state == m.LOCK_UNLOCKED and lock.longest_ms < 500


def test_a_jammed_lock_is_driven_2_s_three_times_then_a_fault():
    lock = Lock(travel_ms=None)
    lock.set(True)
    lock.cycles(12_000)
    assert lock.control.state == m.LOCK_FAULT and lock.board.locks[1] == STOP
    assert lock.drives == lock_control.ATTEMPTS and lock.longest_ms <= 2000
    lock.cycles(5000)
    assert lock.drives == lock_control.ATTEMPTS


def test_a_new_command_tries_again():
    lock = Lock(travel_ms=None)
    lock.set(True)
    lock.cycles(12_000)
    lock.travel_ms = 300
    lock.set(True)
    lock.cycles(700)
    assert lock.control.state == m.LOCK_LOCKED


def test_a_repeated_command_does_not_prolong_the_drive():
    lock = Lock(travel_ms=None)
    for _ in range(100):
        lock.set(True)
        lock.cycles(100)
    assert lock.longest_ms <= 2000


def test_broken_feedback_is_a_fault_once_the_lock_is_used():
    for ohm in (OPEN, 0, HALF_WAY):
        lock = Lock(ohm=ohm, travel_ms=None)
        assert lock.control.state == m.LOCK_UNKNOWN
        lock.set(True)
        lock.cycles(12_000)
        assert lock.control.state == m.LOCK_FAULT and lock.longest_ms <= 2000


def test_feedback_that_breaks_or_moves_later_is_told():
    lock = Lock()
    lock.set(True)
    lock.cycles(800)
    lock.board.lock_resistance[1] = OPEN
    lock.cycles(80)
    assert lock.control.state == m.LOCK_FAULT
    lock.board.lock_resistance[1] = UNLOCKED  # somebody forced it
    lock.cycles(80)
    assert lock.control.state == m.LOCK_UNLOCKED and lock.board.locks[1] == STOP


def test_an_overloaded_bridge_ends_the_drive_at_once():
    lock = Lock(travel_ms=None)
    lock.board.lock_fault[1] = True
    lock.set(True)
    lock.cycles(5000)
    assert lock.longest_ms <= 20 and lock.control.state == m.LOCK_FAULT


def test_a_lock_in_place_is_not_driven():
    lock = Lock(ohm=LOCKED)
    lock.set(True)
    lock.cycles(100)
    assert lock.drives == 0 and lock.control.state == m.LOCK_LOCKED


def test_never_unlocked_under_power():
    lock = Lock(ohm=LOCKED)
    bench = lock.bench
    bench.charge(1)
    assert lock.set(False) == "relay is not open"
    bench.grant(0)
    bench.board.contact[1] = True  # welded
    bench.cycles(5)
    assert lock.set(False) == "relay is not open"
    bench.board.contact[1] = None
    bench.cycles(5)
    assert lock.set(False) is None


def test_power_while_unlocking_stops_the_motor():
    lock = Lock(ohm=LOCKED, travel_ms=None)
    lock.set(False)
    lock.cycles(100)
    assert lock.board.locks[1] == TO_UNLOCKED
    lock.board.contact[1] = True
    lock.cycles(40)
    assert lock.board.locks[1] == STOP and lock.control.state == m.LOCK_FAULT


def test_power_during_the_pause_cancels_the_next_attempt():
    lock = Lock(ohm=LOCKED, travel_ms=None)
    lock.set(False)
    lock.cycles(2200)
    assert lock.board.locks[1] == STOP and lock.control.state == m.LOCK_MOVING
    lock.board.contact[1] = True
    lock.cycles(3000)
    assert lock.drives == 1 and lock.control.state == m.LOCK_FAULT


def test_ports_have_locks_of_their_own():
    lock = Lock()
    lock.set(True)
    lock.cycles(600)
    assert lock.board.locks[2] is None or lock.board.locks[2] == STOP
    assert lock.bench.control._io.locks[1].state == m.LOCK_UNLOCKED


def test_a_board_without_locks_says_so():
    bench = Bench()
    bench.board.lock_resistance[2] = -1
    control = lock_control.LockControl(bench.hal, 2, bench.safety.relays[1], bench.safety.changes)
    assert control.set(True, 0) == "no lock here"
    control.step(0)
    assert control.state == m.LOCK_UNKNOWN and control.ohm == 65535


def test_the_host_is_told_each_state():
    host = Host(Bench()).link_up()
    host.cycles(100)
    host.send(m.SET_LOCK, 1, True)
    host.cycles(200)
    host.bench.board.lock_resistance[1] = LOCKED
    host.cycles(300)
    states = [one[3] for one in host.of(m.LOCK_STATE) if one[2] == 1]
    assert states[-3:] == [m.LOCK_UNLOCKED, m.LOCK_MOVING, m.LOCK_LOCKED]
