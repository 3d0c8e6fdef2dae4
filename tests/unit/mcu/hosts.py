"""A host on the other end of the bench's UART: the very Link the real host uses, on the same virtual time."""

from vsecc_link import messages as m
from vsecc_link.cyclic import CyclicReader
from vsecc_link.link import HOST, MESSAGE, Link, host_hello

GRANT_EVERY_MS = 100


class Host:
    """Attach to a Bench; `cycles` runs both. `grant_relays` None: sends no grants."""

    def __init__(self, bench, hello=None):
        self.bench = bench
        self.status = CyclicReader(m.STATUS)
        self.link = Link(HOST, 100, hello or host_hello("test"), watch=self.status)
        self.events = []
        self.messages = []
        self.grant_relays = None
        self.stamp = 0
        self.connected = True
        self.wire_log = []  # every write of the host, for replays
        self._grant_at_ms = 0

    def now_ms(self):
        return self.bench.board.time_us // 1000 & 0x3FFFFFFF

    def cycles(self, count):
        """Run the bench and this host, 1 ms at a time."""
        for _ in range(count):
            self.step()
            self.bench.cycles(1)

    def step(self):
        now = self.now_ms()
        board = self.bench.board
        sent = bytes(board.sent)
        board.sent = bytearray()
        if self.connected and sent:
            self.link.receive(sent, now)
        at = self.link.next_deadline()
        if at is not None and now >= at:
            self.link.tick(now)
        if self.link.up and self.grant_relays is not None and now >= self._grant_at_ms:
            self.grant()
        events, data = self.link.take()
        for kind, value in events:
            self.events.append((kind, value))
            if kind == MESSAGE:
                self.messages.append(value)
        if self.connected and data:
            self.wire_log.append(data)
            board.received += data

    def grant(self):
        self.stamp += 1
        self._grant_at_ms = self.now_ms() + GRANT_EVERY_MS
        self.link.send((m.GRANT, self.stamp & 0xFFFF, self.grant_relays, 500), self.now_ms())

    def send(self, *message):
        assert self.link.send(message, self.now_ms())

    def of(self, message_id):
        """Messages of that kind received so far."""
        return [message for message in self.messages if message[0] == message_id]

    def link_up(self):
        for _ in range(300):
            self.cycles(1)
            if self.link.up and self.bench.link.link.up:
                return self
        raise AssertionError("no link")

    def charge(self, port=1):
        """Bring a port to C with its relay closed, all by messages."""
        self.grant_relays = self.grant_relays or 0
        self.bench.plug(port, "B")
        self.cycles(30)
        self.send(m.SET_PILOT, port, m.PILOT_PWM, 50)
        self.cycles(30)
        self.bench.plug(port, "C")
        self.cycles(30)
        self.grant_relays |= 1 << port - 1
        self.grant()
        self.cycles(30)
        assert self.bench.safety.relays[port - 1].closed
        return self
