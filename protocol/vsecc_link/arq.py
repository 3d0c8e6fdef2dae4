"""Reliable delivery in one session: window, cumulative ack, selective repeat, exactly once in order."""

from . import frame
from .ticks import add, diff

# Frames on their way at most; also bounds what the receiver keeps of later frames while one is missing.
WINDOW = 16
# Messages kept for sending at most, those on their way included.
QUEUE_MAX = 32
# A message sent this often without an ack ends the session: at a bit error rate of 1e-4 that is below 1e-6 a
# frame.
REPEATS_MAX = 12
# Ack delay plus the polling of both ends, with margin; the time of the bytes on their way is added.
REPEAT_AFTER_MS = 25

# An entry of the queue.
_NUMBER = 0
_PAYLOAD = 1
_REPEATS = 2
_SENT_AT = 3  # None: not sent yet
_DUE = 4
_ORDER = 5  # counts every sending, repeats included
_THERE = 6  # the peer keeps it and waits for an earlier one


class Sender:
    """Keeps each payload until it is acknowledged; says which are due on the line."""

    def __init__(self, baud):
        self._baud = baud
        # Bytes on their way at most: 12 ms of the line. Enough for the polling of both ends, while neither a
        # repeat nor the newest event waits long behind them.
        self._flight_max = max(2 * frame.FRAME_MAX, baud // 800)
        self._queue = []
        self._number = 1
        self._base = 1  # oldest number not acknowledged
        self._order = 0
        self._timer = None  # when the oldest was last sent or the ack last moved
        self.repeats = 0

    def push(self, payload):
        """False when the queue is full."""
        if len(self._queue) >= QUEUE_MAX:
            return False
        self._queue.append([self._number, payload, 0, None, True, 0, False])
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

    def on_missing(self, low8, there):
        """The peer waits for the number with these low bits and keeps later ones: bit 0 of `there` the next.

        The line keeps order, so whatever was sent before something that has arrived, and has not, is lost.
        """
        if low8 != self._base & 0xFF:
            return
        newest = 0
        for index in range(1, min(len(self._queue), WINDOW + 1)):
            entry = self._queue[index]
            if there >> (index - 1) & 1 and entry[_SENT_AT] is not None:
                entry[_THERE] = True
                entry[_DUE] = False
                newest = max(newest, entry[_ORDER])
        for entry in self._queue[:WINDOW]:
            if entry[_SENT_AT] is not None and not entry[_THERE] and entry[_ORDER] < newest:
                entry[_DUE] = True

    def due(self, now):
        """[(number, payload)] to be sent now, oldest first; counts them as sent."""
        out = []
        flight = 0
        for entry in self._queue[:WINDOW]:
            if entry[_THERE]:
                continue
            flight += len(entry[_PAYLOAD]) + frame.OVERHEAD
            if flight > self._flight_max and entry is not self._queue[0]:
                break
            if entry[_DUE]:
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
        self._order += 1
        entry[_ORDER] = self._order
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
            if entry[_SENT_AT] is not None and not entry[_THERE]:
                flight += len(entry[_PAYLOAD]) + frame.OVERHEAD
        wait = REPEAT_AFTER_MS + flight * 10000 // self._baud
        return wait << min(self._queue[0][_REPEATS], 2)


class Receiver:
    """Puts numbered payloads in order and drops what came before."""

    def __init__(self):
        self.expected = 1
        self.duplicates = 0
        self.early = {}

    def put(self, number, payload):
        """Payloads that are now in order, oldest first; an empty list for a duplicate or an early one."""
        if number != self.expected:
            if number < self.expected or number in self.early:
                self.duplicates += 1
            elif number < self.expected + WINDOW:
                self.early[number] = payload
            return []
        ready = [payload]
        self.expected += 1
        while self.expected in self.early:
            ready.append(self.early.pop(self.expected))
            self.expected += 1
        return ready

    def there(self):
        """Which numbers after the expected one are kept: bit 0 the next."""
        bits = 0
        for number in self.early:
            bits |= 1 << (number - self.expected - 1)
        return bits
