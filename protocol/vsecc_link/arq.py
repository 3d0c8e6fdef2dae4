"""Reliable delivery in one session: window, cumulative ack, selective repeat, exactly once in order."""

from . import frame
from .ticks import add, diff

# Frames on their way at most; also bounds what the receiver keeps of later frames while one is missing.
WINDOW = 8
# Messages kept for sending at most, those on their way included.
QUEUE_MAX = 32
# A message sent this often without an ack ends the session: at a bit error rate of 1e-4 that is below 1e-6 a
# frame.
REPEATS_MAX = 12
# Ack delay plus the polling of both ends, with margin; the time of the bytes on their way is added.
REPEAT_AFTER_MS = 25

_NUMBER = 0
_PAYLOAD = 1
_REPEATS = 2
_SENT_AT = 3  # None: not sent yet
_DUE = 4


class Sender:
    """Keeps each payload until it is acknowledged; says which are due on the line."""

    def __init__(self, baud):
        self._baud = baud
        # Bytes on their way at most: 20 ms of the line, so that a queue never delays the newest event for
        # long.
        self._flight_max = max(2 * frame.FRAME_MAX, baud // 500)
        self._queue = []
        self._number = 1
        self._base = 1  # oldest number not acknowledged
        self._timer = None  # when the oldest was last sent or the ack last moved
        self.repeats = 0

    def push(self, payload):
        """False when the queue is full."""
        if len(self._queue) >= QUEUE_MAX:
            return False
        self._queue.append([self._number, payload, 0, None, True])
        self._number += 1
        return True

    def on_ack(self, low8, now):
        """Everything before the number whose low 8 bits are given has arrived."""
        count = (low8 - self._base) & 0xFF
        if count == 0 or count > len(self._queue) or self._queue[count - 1][_SENT_AT] is None:
            return
        del self._queue[:count]
        self._base += count
        self._timer = now

    def on_missing(self, now):
        """The peer has later frames but not the oldest one: repeat just that."""
        if self._queue and self._queue[0][_SENT_AT] is not None and self._queue[0][_SENT_AT] != now:
            self._queue[0][_DUE] = True

    def due(self, now):
        """[(number, payload)] to be sent now, oldest first; counts them as sent."""
        out = []
        flight = 0
        for entry in self._queue[:WINDOW]:
            flight += len(entry[_PAYLOAD]) + frame.OVERHEAD
            if entry[_DUE] and (flight <= self._flight_max or entry is self._queue[0]):
                out.append((entry[_NUMBER], entry[_PAYLOAD]))
                self._mark_sent(entry, now)
        return out

    def has_due(self):
        """True when a frame of the window waits to be sent."""
        for index in range(min(len(self._queue), WINDOW)):
            if self._queue[index][_DUE]:
                return True
        return False

    def _mark_sent(self, entry, now):
        if entry[_SENT_AT] is not None:
            entry[_REPEATS] += 1
            self.repeats += 1
        entry[_SENT_AT] = now
        entry[_DUE] = False
        if entry[_NUMBER] == self._base:
            self._timer = now

    def deadline(self):
        """When the oldest unacknowledged frame is to be repeated, None when nothing is on its way."""
        if not self._queue or self._queue[0][_SENT_AT] is None or self._timer is None:
            return None
        return add(self._timer, self._repeat_after_ms())

    def tick(self, now):
        """Mark the oldest frame for repetition when its time is over."""
        at = self.deadline()
        if at is not None and diff(now, at) >= 0:
            self._queue[0][_DUE] = True
            self._timer = now

    def exhausted(self):
        """True when the oldest frame was repeated too often or the numbers are used up."""
        return self._number >= frame.NUMBER_MAX or (
            bool(self._queue) and self._queue[0][_REPEATS] > REPEATS_MAX
        )

    def _repeat_after_ms(self):
        flight = 0
        for entry in self._queue[:WINDOW]:
            if entry[_SENT_AT] is not None:
                flight += len(entry[_PAYLOAD]) + frame.OVERHEAD
        wait = REPEAT_AFTER_MS + flight * 10000 // self._baud
        return wait << min(self._queue[0][_REPEATS], 2)


class Receiver:
    """Puts numbered payloads in order and drops what came before."""

    def __init__(self):
        self.expected = 1
        self.duplicates = 0
        self._early = {}
        self._asked_for = 0

    def put(self, number, payload):
        """Payloads that are now in order, oldest first; an empty list for a duplicate or an early one."""
        if number != self.expected:
            if number < self.expected or number in self._early:
                self.duplicates += 1
            elif number < self.expected + WINDOW:
                self._early[number] = payload
            return []
        ready = [payload]
        self.expected += 1
        while self.expected in self._early:
            ready.append(self._early.pop(self.expected))
            self.expected += 1
        return ready

    def ask(self):
        """True once for each number that is missing while later ones are kept: ask the peer to repeat it."""
        if not self._early or self._asked_for == self.expected:
            return False
        self._asked_for = self.expected
        return True
