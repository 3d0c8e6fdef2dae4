"""Factory-reset button: debounced, its hold time, and what the host has to be told of it."""

from mcu.ticks import diff

CONFIRM = 3  # equal readings, one each 16 ms
REPORT_AFTER_MS = 5000
HELD_MAX_MS = 65535
EVENTS_MAX = 4


class Button:
    """`events` holds (ticks, held_ms, pressed) for the host: held for 5 s, and each release."""

    def __init__(self, changes):
        self._changes = changes
        self.held_ms = 0
        self.events = []
        self._pressed = False
        self._agreed = 0
        self._last = 0
        self._rest_us = 0

    def step(self, pressed, now):
        """Take one reading; allocates only when there is something to tell."""
        self._agreed = self._agreed + 1 if pressed != self._pressed else 0
        if self._pressed:
            self._hold(now)
        self._last = now
        if self._agreed >= CONFIRM:
            self._agreed = 0
            self._pressed = pressed
            if not pressed:
                self._tell(now, False)
                self.held_ms = 0
                self._rest_us = 0

    def _hold(self, now):
        before = self.held_ms
        spent_us = self._rest_us + diff(now, self._last)
        self._rest_us = spent_us % 1000
        self.held_ms = min(before + spent_us // 1000, HELD_MAX_MS)
        if before < REPORT_AFTER_MS <= self.held_ms:
            self._tell(now, True)

    def _tell(self, now, pressed):
        if len(self.events) < EVENTS_MAX:
            self.events.append((now, self.held_ms, pressed))
        self._changes.note()
