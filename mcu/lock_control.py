"""Connector lock of one port: drives the motor for at most 2 s and believes only its feedback.

Feedback is a resistor: 1 kohm unlocked, 11 kohm locked. Below both windows it is shorted, above open.
"""

from mcu.ticks import diff
from vsecc_link.messages import LOCK_FAULT, LOCK_LOCKED, LOCK_MOVING, LOCK_UNKNOWN, LOCK_UNLOCKED

DRIVE_MAX_US = 1_980_000  # bridge and motor stand 2 s; a step comes every 16 ms
END_US = 100_000  # driven on into the end stop
PAUSE_US = 1_000_000  # between two attempts
ATTEMPTS = 3
CONFIRM = 3  # equal readings, one each 16 ms
UNLOCKED_OHM = (500, 3000)
LOCKED_OHM = (7000, 16000)
NOT_FITTED = -1
TO_LOCKED = 1
TO_UNLOCKED = -1
STOP = 0


def position_of(ohm):
    """LOCK_LOCKED or LOCK_UNLOCKED, LOCK_MOVING between the windows, LOCK_FAULT for a broken feedback."""
    if UNLOCKED_OHM[0] <= ohm <= UNLOCKED_OHM[1]:
        return LOCK_UNLOCKED
    if LOCKED_OHM[0] <= ohm <= LOCKED_OHM[1]:
        return LOCK_LOCKED
    return LOCK_MOVING if UNLOCKED_OHM[1] < ohm < LOCKED_OHM[0] else LOCK_FAULT


class LockControl:
    """`state` is a LOCK_* the host is told; `step` every 16 ms, allocates nothing."""

    def __init__(self, hal, port, relay, changes):
        self._hal = hal
        self._port = port
        self._relay = relay
        self._changes = changes
        self.fitted = hal.lock_ohm(port) != NOT_FITTED
        self.state = LOCK_UNKNOWN
        self.changed_ticks = 0
        self.ohm = 65535
        self._position = LOCK_UNKNOWN  # confirmed
        self._candidate = LOCK_UNKNOWN
        self._agreed = 0
        self._wanted = LOCK_UNKNOWN  # nothing asked yet
        self._direction = STOP
        self._attempts = 0
        self._since = 0  # of the drive, or of the pause after it
        self._arrived = False
        self._paused = False
        self._failed = False

    def set(self, locked, now):
        """None when it is being done, else why not: a plug under power is never released."""
        if not self.fitted:
            return "no lock here"
        if not locked and self._is_powered():
            return "relay is not open"
        wanted = LOCK_LOCKED if locked else LOCK_UNLOCKED
        if wanted == self._wanted and (self._direction != STOP or self._paused):
            return None
        self._wanted = wanted
        self._attempts = 0
        self._failed = False
        self._start(now)
        return None

    def step(self, now):
        """Read the feedback, stop or repeat the drive, tell the state."""
        if not self.fitted:
            return
        self._confirm(self._hal.lock_ohm(self._port))
        if self._direction != STOP:
            self._watch_drive(now)
        elif self._paused and diff(now, self._since) >= PAUSE_US:
            self._start(now)
        self._tell(self._judge(), now)

    def release(self):
        """Motor off, whatever it was doing."""
        self._hal.lock_drive(self._port, STOP)
        self._direction = STOP
        self._paused = False

    def _is_powered(self):
        return self._relay.driven or self._relay.closed

    def _confirm(self, ohm):
        self.ohm = ohm
        seen = position_of(ohm)
        self._agreed = self._agreed + 1 if seen == self._candidate else 1
        self._candidate = seen
        if self._agreed >= CONFIRM:
            self._agreed = CONFIRM
            self._position = seen

    def _start(self, now):
        self._paused = False
        if self._position == self._wanted:
            self.release()
            return
        if self._wanted == LOCK_UNLOCKED and self._is_powered():
            self._give_up()
            return
        self._attempts += 1
        self._since = now
        self._arrived = False
        self._direction = TO_LOCKED if self._wanted == LOCK_LOCKED else TO_UNLOCKED
        self._hal.lock_drive(self._port, self._direction)

    def _watch_drive(self, now):
        if self._direction == TO_UNLOCKED and self._is_powered():
            self._give_up()
        elif self._arrived:
            if diff(now, self._since) >= END_US:
                self.release()
        elif self._position == self._wanted:
            self._arrived = True
            self._since = now
        elif self._hal.lock_overload(self._port) or diff(now, self._since) >= DRIVE_MAX_US:
            self.release()
            self._since = now
            if self._attempts < ATTEMPTS:
                self._paused = True
            else:
                self._failed = True

    def _give_up(self):
        self.release()
        self._failed = True

    def _judge(self):
        """What the host is told of all this."""
        if self._direction != STOP or self._paused:
            return LOCK_MOVING
        position = self._position
        if position == self._wanted:
            self._failed = False
        elif self._failed:
            return LOCK_FAULT
        if position == LOCK_FAULT and self._wanted == LOCK_UNKNOWN:
            return LOCK_UNKNOWN  # nobody uses a lock here, none may be connected
        if position == LOCK_MOVING:  # between the windows without a drive: stuck half way, or nobody asked
            return LOCK_UNKNOWN if self._wanted == LOCK_UNKNOWN else LOCK_FAULT
        return position

    def _tell(self, state, now):
        if state != self.state:
            self.state = state
            self.changed_ticks = now
            self._changes.note()
