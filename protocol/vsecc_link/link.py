"""The link machine of both ends: bytes and ticks in, events and bytes out; no clock, no UART, no asyncio.

    link.receive(data, now)   bytes that arrived (damaged ones too; nothing escapes)
    link.send(message, now)   a catalogue message we want delivered
    link.next_deadline()      when to call tick, None: never
    link.tick(now)            the deadline passed
    link.take()               -> (events, bytes to write), emptied by reading

`now` counts milliseconds and wraps at 2^30 (ticks.py). Events are pairs (kind, value):

    UP       the peer's HELLO (host) or HELLO_REQUEST (MCU): a new session, numbers start anew
    LOST     text: the session is over; what was not acknowledged is gone, whoever needs it reports it again
    MESSAGE  a catalogue message that passed every check
    REFUSED  text: a frame or message that changed nothing (rule S7); `refused` counts them all
    FOREIGN  text: the peer speaks another protocol or catalogue (rule S7)
"""

import struct

from . import frame, messages
from .arq import Receiver, Sender
from .envelope import HOST, MCU, foreign_problem, host_hello, pack, unpack
from .ticks import add, diff, earlier

__all__ = ("HOST", "MCU", "UP", "LOST", "MESSAGE", "REFUSED", "FOREIGN", "Link", "host_hello")

UP = 0
LOST = 1
MESSAGE = 2
REFUSED = 3
FOREIGN = 4
EVENT_NAMES = ("up", "lost", "message", "refused", "foreign")

# No good frame of the session for this long: the peer is gone (rule S3).
SILENCE_MAX_MS = 500
# Something is sent at least this often, so that a lost frame or three never look like silence.
KEEP_ALIVE_MS = 100
# An ack waits this long for a frame to ride on.
ACK_DELAY_MS = 4
# ... but every second reliable frame is acknowledged at once, which keeps the peer's window moving.
ACK_EVERY = 2
HELLO_REPEAT_MS = 100
# A peer with another catalogue stays so until somebody updates it.
HELLO_REPEAT_FOREIGN_MS = 1000
# Events kept until take(); refusals beyond are counted only.
EVENTS_MAX = 64


class Link:
    """One end of the line. `role` HOST or MCU; `nonce` 16 random bits, another value after every start.

    `hello` is the message this end introduces itself with (host: `host_hello`; MCU: the HELLO tuple, or a
    function returning it). `baud` bounds what is under way at once. `watch`: a CyclicReader that takes one
    cyclic message without an event and without allocation.
    """

    def __init__(self, role, nonce, hello, baud=921600, watch=None):
        self.role = role
        self.watch = watch
        self.parser = frame.Parser()
        self.up = False
        self.sessions = 0  # begun; wraps
        self.refused = 0
        self.replayed = 0
        self._hello = hello
        self._baud = baud
        self._catalogue_crc = messages.catalogue_crc()  # takes the MCU milliseconds: once
        self._own = nonce & 0xFFFF or 1
        self._peer = 0
        self._pending = None  # MCU: (peer nonce, own nonce, HELLO_REQUEST) offered, not yet confirmed
        self._events = []
        self._answer = None  # handshake frame to be written
        self._hello_at = None
        self._partial_since = None
        self._now = 0
        self._foreign = False
        self._repeats_before = self._duplicates_before = 0
        self._new_session()
        self._last_in = 0

    def receive(self, data, now, count=None):
        """Bytes that arrived: all of data, or its first `count` bytes."""
        self._now = now
        parser = self.parser
        end = len(data) if count is None else count
        start = 0
        seen = parser.good + parser.bad
        while start < end:
            start += parser.push(data, start, end)
            while parser.next():
                self._on_frame(now)
        if not parser.partial():
            self._partial_since = None
        elif self._partial_since is None or parser.good + parser.bad != seen:
            self._partial_since = now

    def send(self, message, now):
        """True when taken for delivery; False when there is no session or the queue is full.

        ValueError for a message the catalogue does not allow from this end: that is our own mistake.
        """
        self._now = now
        payload = pack(message, self.role)
        if not self.up:
            return False
        if messages.CATALOGUE[message[0]][2] == messages.CYCLIC:
            self._cyclic[message[0]] = payload
            return True
        return self._sender.push(payload)

    def next_deadline(self):
        """Tick at which `tick` is due, None when nothing is pending."""
        at = self._hello_at
        if self._partial_since is not None:
            at = earlier(at, add(self._partial_since, frame.FRAME_TIMEOUT_MS))
        if self.up:
            at = earlier(at, add(self._last_in, SILENCE_MAX_MS))
            at = earlier(at, add(self._last_out, KEEP_ALIVE_MS))
            at = earlier(at, self._sender.deadline())
            if self._unacknowledged:
                at = earlier(at, add(self._ack_since, ACK_DELAY_MS))
        elif self.role == HOST and at is None:
            at = self._now
        return at

    def tick(self, now):
        """Time has passed: repeat, acknowledge, give up."""
        self._now = now
        if self._partial_since is not None and diff(now, self._partial_since) >= frame.FRAME_TIMEOUT_MS:
            self._give_up_partial(now)
        if self.up:
            self._tick_session(now)
        if self.role == HOST and not self.up and (self._hello_at is None or diff(now, self._hello_at) >= 0):
            self._answer = self._handshake(0, self._own, self._hello)
            self._hello_at = add(now, HELLO_REPEAT_FOREIGN_MS if self._foreign else HELLO_REPEAT_MS)

    def take(self):
        """(events, bytes to write): both are handed over once. The bytes are whole frames."""
        events = self._events
        if events:
            self._events = []
        return events, self._output(self._now)

    def ready(self):
        """True when `take` has something to hand over; unlike take() it allocates nothing."""
        return bool(
            self._events
            or self._answer is not None
            or (self.up and (self._ask or self._acknowledge_now or self._cyclic or self._sender.has_due()))
        )

    def stamp(self, cyclic, now):
        """Buffer of a CyclicFrame ready to be written after what take() gave, None without a session.

        Allocates nothing on MicroPython (viper.CyclicFrame). Write it before the next stamp of the same
        frame.
        """
        if not self.up:
            return None
        self._now = now
        self._cyclic_number += 1
        cyclic.patch(self._peer, self._cyclic_number, self._receiver.expected & 0xFF)
        self._unacknowledged = 0
        self._last_out = now
        return cyclic.buffer

    @property
    def repeats(self):
        """Reliable frames sent again."""
        return self._repeats_before + self._sender.repeats

    @property
    def duplicates(self):
        """Reliable frames received again and dropped."""
        return self._duplicates_before + self._receiver.duplicates

    @property
    def session(self):
        """(own nonce, peer nonce); the peer's is 0 without a session."""
        return self._own, self._peer

    def drop(self, reason, now):
        """End the session: the transport broke. A host asks for a new one at once."""
        self._now = now
        self.parser.reset()
        self._partial_since = None
        self._answer = None
        if self.up:
            self._lose(reason)
        else:
            self._hello_at = None

    def _new_session(self):
        self._sender = Sender(self._baud)
        self._receiver = Receiver()
        self._cyclic = {}
        self._cyclic_number = 0  # last sent
        self._cyclic_seen = 0  # last received
        self._unacknowledged = 0
        self._ack_since = 0
        self._ask = False
        self._acknowledge_now = False
        self._last_out = 0

    def _open(self, own, peer, hello, now):
        if self.up:
            self._lose("peer started a new session")
        self._repeats_before = self.repeats
        self._duplicates_before = self.duplicates
        self._new_session()
        self._own = own
        self._peer = peer
        self._pending = None
        self._foreign = False
        self._hello_at = None
        self._last_in = self._last_out = now
        self._acknowledge_now = True  # tells the peer that the session stands
        self.up = True
        self.sessions = self.sessions + 1 & frame.COUNT_MASK
        self._events.append((UP, hello))

    def _lose(self, reason):
        self.up = False
        self._peer = 0
        self._own = self._own % 0xFFFF + 1
        self._hello_at = None
        self._events.append((LOST, reason))

    def _tick_session(self, now):
        self._sender.tick(now)
        if diff(now, self._last_in) >= SILENCE_MAX_MS:
            self._lose("silent for 500 ms")
        elif self._sender.exhausted() or self._cyclic_number >= frame.NUMBER_MAX:
            self._lose("not acknowledged")
        elif diff(now, self._last_out) >= KEEP_ALIVE_MS or (
            self._unacknowledged and diff(now, self._ack_since) >= ACK_DELAY_MS
        ):
            self._acknowledge_now = True

    def _give_up_partial(self, now):
        self._partial_since = None
        self.parser.give_up()
        while self.parser.next():
            self._on_frame(now)
        if self.parser.partial():
            self._partial_since = now

    def _on_frame(self, now):
        parser = self.parser
        if parser.kind == frame.HANDSHAKE:
            self._on_handshake(now)
            return
        if parser.session != self._own or not self.up:
            pending = self._pending
            if pending is None or parser.session != pending[1]:
                self._refuse("frame of another session")
                return
            self._open(pending[1], pending[0], pending[2], now)
        if parser.kind == frame.RELIABLE:
            self._on_reliable(now)
        elif parser.kind == frame.CYCLIC or parser.kind == frame.ACK:
            self._on_unnumbered(now)
        else:
            self._refuse("unknown kind of frame")

    def _on_reliable(self, now):
        parser = self.parser
        receiver = self._receiver
        if parser.number >= receiver.expected:  # an old one proves nothing: it may be a replay
            self._last_in = now
            self._sender.on_ack(parser.ack, now)
        if not self._unacknowledged:
            self._ack_since = now
        self._unacknowledged += 1
        for payload in receiver.put(parser.number, parser.payload()):
            self._deliver(payload, messages.RELIABLE)
        if receiver.early:
            self._ask = self._acknowledge_now = True
        elif self._unacknowledged >= ACK_EVERY:
            self._acknowledge_now = True

    def _on_unnumbered(self, now):
        parser = self.parser
        if parser.number <= self._cyclic_seen:
            self.replayed = self.replayed + 1 & frame.COUNT_MASK
            self._refuse("replayed frame")
            return
        self._cyclic_seen = parser.number
        self._last_in = now
        self._sender.on_ack(parser.ack, now)
        if parser.flags & frame.FLAG_MISSING and parser.payload_end == frame.HEAD_SIZE + 2:
            there = parser.buffer[frame.HEAD_SIZE] | parser.buffer[frame.HEAD_SIZE + 1] << 8
            self._sender.on_missing(parser.ack, there)
        if parser.kind == frame.CYCLIC:
            watch = self.watch
            if watch is None or not watch.read(parser.buffer, frame.HEAD_SIZE, parser.payload_end):
                self._deliver(parser.payload(), messages.CYCLIC)

    def _deliver(self, payload, travel):
        message, problem = unpack(payload, 1 - self.role)
        if problem is None and messages.CATALOGUE[message[0]][2] != travel:
            problem = messages.name_of(message[0]) + " in the wrong kind of frame"
        if problem is None and message[0] in (messages.HELLO, messages.HELLO_REQUEST):
            problem = "hello outside the handshake"
        if problem:
            self._refuse(problem)
        elif self.watch is not None and message[0] == self.watch.message_id:
            self.watch.put(message)
        else:
            self._events.append((MESSAGE, message))

    def _on_handshake(self, now):
        parser = self.parser
        peer = parser.number & 0xFFFF
        message, problem = unpack(parser.payload(), 1 - self.role)
        if problem:
            self._refuse("handshake: " + problem)
        elif self.role == MCU and message[0] == messages.HELLO_REQUEST and parser.session == 0 and peer:
            self._on_hello_request(message, peer)
        elif self.role == HOST and parser.session == self._own and not self.up:
            self._on_hello(message, peer, now)
        elif self.role == MCU or parser.session != self._own:
            self._refuse("handshake of another session")

    def _on_hello_request(self, message, peer):
        problem = foreign_problem("host", message, self._catalogue_crc)
        if problem:
            self._events.append((FOREIGN, problem))
            self.refused = self.refused + 1 & frame.COUNT_MASK
            self._answer = self._handshake(peer, 0, (messages.REFUSED, message[0], problem))
            return
        if self.up and peer == self._peer:
            own = self._own
        else:
            if self._pending is None or self._pending[0] != peer:
                self._pending = (
                    peer,
                    (self._pending[1] if self._pending else self._own) % 0xFFFF + 1,
                    message,
                )
            own = self._pending[1]
        self._answer = self._handshake(peer, own, self._hello() if callable(self._hello) else self._hello)

    def _on_hello(self, message, peer, now):
        if message[0] == messages.REFUSED:
            self._foreign = True
            self._events.append((FOREIGN, message[2]))
        elif message[0] != messages.HELLO or not peer:
            self._refuse("handshake: not a hello")
        else:
            problem = foreign_problem("MCU", message, self._catalogue_crc)
            if problem:
                self._foreign = True
                self.refused = self.refused + 1 & frame.COUNT_MASK
                self._events.append((FOREIGN, problem))
            else:
                self._open(self._own, peer, message, now)

    def _handshake(self, session, own, message):
        return frame.build(frame.HANDSHAKE, session, own, 0, pack(message, self.role))

    def _output(self, now):
        out = []
        if self._answer is not None:
            out.append(self._answer)
            self._answer = None
        if self.up:
            self._session_output(out, now)
        if not out:
            return b""
        self._last_out = now
        return out[0] if len(out) == 1 else b"".join(out)

    def _session_output(self, out, now):
        ack = self._receiver.expected & 0xFF
        if self._cyclic:
            for message_id in sorted(self._cyclic):
                self._cyclic_number += 1
                out.append(
                    frame.build(frame.CYCLIC, self._peer, self._cyclic_number, ack, self._cyclic[message_id])
                )
            self._cyclic = {}
        for number, payload in self._sender.due(now):
            out.append(frame.build(frame.RELIABLE, self._peer, number, ack, payload))
        if self._ask or (self._acknowledge_now and not out):
            self._cyclic_number += 1
            out.append(self._acknowledgement(ack))
        if out:
            self._ask = self._acknowledge_now = False
            self._unacknowledged = 0

    def _acknowledgement(self, ack):
        if not self._receiver.early:
            return frame.build(frame.ACK, self._peer, self._cyclic_number, ack)
        there = struct.pack("<H", self._receiver.there())
        return frame.build(frame.ACK | frame.FLAG_MISSING, self._peer, self._cyclic_number, ack, there)

    def _refuse(self, reason):
        self.refused = self.refused + 1 & frame.COUNT_MASK
        if len(self._events) < EVENTS_MAX:
            self._events.append((REFUSED, reason))
