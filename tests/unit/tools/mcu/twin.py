"""The host's end of the link for emulator tests: link machine, standing grant, what the MCU reported."""

from vsecc_link import messages
from vsecc_link.envelope import HOST
from vsecc_link.link import LOST, MESSAGE, UP, Link, host_hello

GRANT_EVERY_MS = 100
GRANT_MS = 500


class HostTwin:
    """Sans-I/O: `step` takes bytes and milliseconds and gives bytes."""

    def __init__(self):
        self.link = Link(HOST, 0x1234, host_hello("test"))
        self.granted = 0
        self.hello = None
        self.ups = 0
        self.silent = False
        self.newest = {}
        self.received = []
        self._grant_at_ms = 0
        self._stamp = 0

    def step(self, data, now_ms):
        """Bytes that arrived, the time; bytes to send."""
        if self.silent:
            return b""
        if data:
            self.link.receive(data, now_ms)
        if self.link.up and now_ms >= self._grant_at_ms:
            self._grant_at_ms = now_ms + GRANT_EVERY_MS
            self._stamp = (self._stamp + 1) & 0xFFFF
            self.link.send((messages.GRANT, self._stamp, self.granted, GRANT_MS), now_ms)
        self.link.tick(now_ms)
        events, out = self.link.take()
        for kind, value in events:
            self._note(kind, value)
        return out

    def _note(self, kind, value):
        if kind == UP:
            self.ups += 1
            self.hello = value
            self.granted = 0
        elif kind == MESSAGE:
            self.newest[value[0]] = value
            self.received.append(value)
        elif kind == LOST:
            self.received.append(("lost", value))

    def send(self, *message):
        """A reliable message."""
        assert self.link.send(message, self.link._now)

    def cp_state(self, port):
        """Newest state of a port as STATUS tells it."""
        status = self.newest.get(messages.STATUS)
        if status is None:
            return messages.CP_UNKNOWN
        fields = [field[0] for field in messages.CATALOGUE[messages.STATUS][3]]
        return status[1 + fields.index(f"cp{port}_state")]
