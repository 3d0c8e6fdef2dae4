"""UART <-> `vsecc_link.Link`: obeys what the host may ask, reports what happened; decides about no relay."""

import sys

from mcu.crash import Frames, at_start, parts
from mcu.cyclic_values import fill_status, fill_telemetry, fill_temperatures
from mcu.image import VERSION
from mcu.ticks import add, diff
from vsecc_link import messages
from vsecc_link import ticks as milliseconds
from vsecc_link.cyclic import CyclicReader
from vsecc_link.envelope import MCU
from vsecc_link.frame import COUNT_MASK
from vsecc_link.link import LOST, MESSAGE, UP, Link

try:
    from vsecc_link.viper import CyclicFrame
except (ImportError, AttributeError, SyntaxError):  # CPython, or no native code emitter
    from vsecc_link.cyclic import CyclicFrame

STATUS_EVERY_US = 20_000
TELEMETRY_EVERY_US = 200_000
TEMPERATURES_AFTER_US = 100_000  # half way between two TELEMETRY
LINK_TICK_EVERY_US = 4_000
RESET_DELAY_US = 20_000  # lets the acknowledgement out
TICKS_HZ = 1_000_000
CAUSE_COMMANDED = 2  # index into RESET_NAMES
LOGS_MAX = 8
_RX_SIZE = 256
_NOTHING = -1
_U16 = 0xFFFF
# What the link takes from the heap, in bytes, measured and rounded up: an exchange of messages, a frame that
# failed its check, a chunk too long for the byte loop. Grants in and STATUS out take nothing.
_HEAP_PER_EXCHANGE = 1800
_HEAP_PER_BAD_FRAME = 160
_HEAP_PER_LONG_CHUNK = 160
_SHORT_CHUNK = 32


def interpreter_text():
    """Interpreter, version and machine, at most 48 characters."""
    name = sys.implementation.name
    version = ".".join([str(number) for number in sys.implementation.version[:3]])
    return (name + " " + version + " " + getattr(sys.implementation, "_machine", sys.platform))[:48]


class HostLink:
    """One step a cycle; a steady line (grants in, STATUS and TELEMETRY out) allocates nothing."""

    def __init__(self, hal, safety, io_control, image_sha256):
        self._hal = hal
        self._safety = safety
        self._io = io_control
        self._changes = safety.changes
        self._changes_seen = _NOTHING
        self.image_sha256 = image_sha256
        self._reset_cause = hal.reset_cause()
        self._catalogue_crc = messages.catalogue_crc()  # takes milliseconds: once
        self._grant = CyclicReader(messages.GRANT)
        self.link = Link(MCU, hal.boot_id & _U16, self._hello, hal.uart_baud, self._grant)
        self.control = None  # set by Control: its counters are reported
        self.was_up = False
        self._session = 0  # the link's count of the session whose UP was taken
        self.refused = 0
        self.heap_taken = 0  # estimate since the last collection
        self._bad_frames = 0
        self._rx = bytearray(_RX_SIZE)
        self._pending = b""
        self._status = CyclicFrame(messages.STATUS)
        self._telemetry = CyclicFrame(messages.TELEMETRY)
        self._temperatures = CyclicFrame(messages.TEMPERATURES)
        self._handlers = {
            messages.SET_PILOT: self._set_pilot,
            messages.CLEAR_FAULTS: self._clear_faults,
            messages.SET_OUTPUTS: self._set_outputs,
            messages.SET_LOCK: self._set_lock,
            messages.SET_LED: self._set_led,
            messages.RESET: self._reset,
        }
        self._logs = []
        self._crash = []  # parts of a report still to be told
        self.frames = Frames()
        io_control.log = self.log
        self._start_clocks(hal.ticks_us())
        self._is_behind = False  # bytes, reports or lines are left for the next cycle
        self._forget_reports()

    def _start_clocks(self, now):
        self._now = now
        self._now_ms = 0
        self._rest_us = 0
        self._tick_at = self._status_at = self._telemetry_at = now
        self._temperatures_at = add(now, TEMPERATURES_AFTER_US)
        self._reset_at = None
        self._grants_taken = 0
        self._grant_stamp = 0
        self._grant_ticks = 0
        self._due_at = now

    def _forget_reports(self):
        """A new session starts with everything reported afresh."""
        self._unreported = True
        self._states = [_NOTHING, _NOTHING]
        self._faults = [0, 0]
        self._relays = [_NOTHING, _NOTHING, _NOTHING]
        self._locks = [_NOTHING, _NOTHING]
        self._device_faults = 0
        self._overloads = 0

    def step(self, now):
        """Read, obey, report, write; never waits. True when all of it ran."""
        count = self._hal.uart_read_into(self._rx)
        if (
            count
            or diff(now, self._due_at) >= 0
            or self._changes.count != self._changes_seen
            or self._is_behind
        ):
            self._talk(count, now)
        return True

    def _talk(self, count, now):
        """The long way of `step`: something came, is due, has changed or is left over."""
        self._advance(now)
        if count:
            self._receive(count)
        if diff(now, self._tick_at) >= 0:
            self._tick_at = add(now, LINK_TICK_EVERY_US)
            self.link.tick(self._now_ms)
        if self._grant.count != self._grants_taken:
            self._take_grant(now)
        self._is_behind = False
        # A session that stands since this very cycle is told its state once its UP was taken, not before.
        if self.link.up and self.link.sessions == self._session:
            self._report(now)
        if self._pending:
            self._flush()
        elif self.link.ready():
            self._take()
        if self._pending:
            self._is_behind = True
        else:
            self._send_cyclic(now)
        if self._reset_at is not None and diff(now, self._reset_at) >= 0:
            self._hal.reset(CAUSE_COMMANDED)
        self._due_at = self._tick_at
        if diff(self._status_at, self._due_at) < 0:
            self._due_at = self._status_at

    def _receive(self, count):
        self.link.receive(self._rx, self._now_ms, count)
        bad = self.link.parser.bad
        self.heap_taken += _HEAP_PER_BAD_FRAME * (bad - self._bad_frames & COUNT_MASK)
        self._bad_frames = bad
        if count > _SHORT_CHUNK:
            self.heap_taken += _HEAP_PER_LONG_CHUNK

    def log(self, level, text):
        """A line for the host; beyond a few waiting ones the newest is dropped."""
        if len(self._logs) < LOGS_MAX:
            self._logs.append((messages.LOG, self._now, level, text[:120]))

    def tell_last_crash(self):
        """The report of the run before, if it did not end well, goes out with the first session."""
        report = at_start(self._hal, self._reset_cause)
        if report:
            self._crash = parts(report, self._now)

    def _hello(self):
        """HELLO in catalogue order; asked for at every handshake."""
        major, minor = messages.PROTOCOL_VERSION
        return (
            messages.HELLO,
            major,
            minor,
            self._catalogue_crc,
            TICKS_HZ,
            self.image_sha256,
            VERSION,
            self._hal.board_name,
            interpreter_text(),
            self._reset_cause,
            self._hal.boot_id,
            self._now,
        )

    def _advance(self, now):
        """Milliseconds for the link, from ticks that wrap."""
        total = self._rest_us + diff(now, self._now)
        self._now = now
        self._now_ms = milliseconds.add(self._now_ms, total // 1000)
        self._rest_us = total % 1000

    def _take_grant(self, now):
        """Field order of GRANT: stamp, relays, valid_ms."""
        grant = self._grant
        self._grants_taken = grant.count
        if not self.link.up:
            return
        self._grant_stamp = grant.values[0]
        self._grant_ticks = now
        self._safety.grant(grant.values[1], grant.values[2], now)

    # ---- what the host says ----

    def _take(self):
        events, data = self.link.take()
        self.heap_taken += _HEAP_PER_EXCHANGE
        if data:
            self._write(data)
        for kind, value in events:
            if kind == UP:
                self._on_up()
            elif kind == LOST:
                self._safety.lose_host()
                self._io.host_is(False)
            elif kind == MESSAGE:
                self._obey(value)

    def _on_up(self):
        self.was_up = True
        self._session = self.link.sessions
        self._is_behind = True
        self._grants_taken = self._grant.count
        self._forget_reports()
        self._io.tell_state()
        self._io.host_is(True)

    def _obey(self, message):
        self.frames.note(message[0])
        handler = self._handlers.get(message[0])
        problem = handler(message) if handler else "not known here"
        if problem:
            self.refused = self.refused + 1 & COUNT_MASK
            self.link.send((messages.REFUSED, message[0], problem[:80]), self._now_ms)

    def _set_pilot(self, message):
        return self._safety.set_pilot(message[1], message[2], message[3], self._now)

    def _clear_faults(self, message):
        return self._safety.guards[message[1] - 1].clear_faults(self._now)

    def _set_outputs(self, message):
        self._io.set_outputs(message[1], message[2])

    def _set_lock(self, message):
        return self._io.set_lock(message[1], message[2], self._now)

    def _set_led(self, message):
        self._io.set_led(message[1], message[2])

    def _reset(self, _message):
        self._safety.lose_host()
        self._reset_at = add(self._now, RESET_DELAY_US)

    # ---- what we say ----

    def _report(self, now):
        """Reliable messages for whatever differs from what the host was told; a full queue is tried again."""
        if self._changes.count != self._changes_seen:
            self._changes_seen = self._changes.count
            self._status_at = now
            self._unreported = True
        if self._unreported:
            self._unreported = False
            self._report_changes()
        if self._crash and self.link.send(self._crash[0], self._now_ms):
            self._crash.pop(0)
        if self._logs and self.link.send(self._logs[0], self._now_ms):
            self._logs.pop(0)
        if self._logs or self._crash or self._unreported:
            self._is_behind = True

    def _report_changes(self):
        for index in range(2):
            guard = self._safety.guards[index]
            if guard.monitor.state != self._states[index]:
                self._report_state(index, guard.monitor)
            if guard.faults != self._faults[index]:
                self._report_fault(index, guard)
        for index in range(3):
            relay = self._safety.relays[index]
            if self._relays[index] != relay.reason << 1 | relay.closed:
                self._report_relay(index, relay)
        self._report_device()

    def _send(self, event):
        """A reliable message; a full queue leaves it for the next cycle."""
        if self.link.send(event, self._now_ms):
            self.frames.note(event[0])
            return True
        self._unreported = True
        return False

    def _report_state(self, index, monitor):
        reported = self._states[index]
        previous = monitor.previous if reported == _NOTHING else reported
        ticks, state = monitor.changed_ticks, monitor.state
        levels = (monitor.high_mv, monitor.low_mv)
        if self._send((messages.CP_STATE, ticks, index + 1, state, previous) + levels):
            self._states[index] = state

    def _report_fault(self, index, guard):
        for fault in range(len(messages.FAULT_NAMES)):
            bit = 1 << fault
            if (guard.faults ^ self._faults[index]) & bit:
                latched = guard.faults & bit != 0
                event = (messages.FAULT, guard.fault_ticks, index + 1, fault, latched)
                if self._send(event):
                    self._faults[index] ^= bit

    def _report_relay(self, index, relay):
        event = (messages.RELAY_STATE, relay.changed_ticks, index + 1, relay.closed, relay.reason)
        if self._send(event):
            self._relays[index] = relay.reason << 1 | relay.closed

    def _report_device(self):
        """Locks, button, outputs and what is wrong with the board."""
        io = self._io
        for index in range(2):
            lock = io.locks[index]
            if lock.state != self._locks[index]:
                if self._send((messages.LOCK_STATE, lock.changed_ticks, index + 1, lock.state)):
                    self._locks[index] = lock.state
        while io.button.events and self._send((messages.BUTTON,) + io.button.events[0]):
            io.button.events.pop(0)
        if io.output_overloads != self._overloads:
            if self._send((messages.OUTPUT_OVERLOAD, self._now, io.output_overloads)):
                self._overloads = io.output_overloads
        changed = io.device_faults.mask ^ self._device_faults
        fault = 0
        while changed >> fault:
            if changed >> fault & 1:
                present = io.device_faults.mask >> fault & 1 == 1
                if self._send((messages.DEVICE_FAULT, io.device_faults.ticks, fault, present)):
                    self._device_faults ^= 1 << fault
            fault += 1

    def _send_cyclic(self, now):
        if diff(now, self._status_at) >= 0:
            self._status_at = add(now, STATUS_EVERY_US)
            fill_status(self._status.values, now, self._safety, self._grant_stamp, self._grant_ticks)
            self._stamp(self._status)
        elif diff(now, self._telemetry_at) >= 0:
            self._telemetry_at = add(now, TELEMETRY_EVERY_US)
            fill_telemetry(self._telemetry.values, now, self._io, self.control, self.link, self.refused)
            self._stamp(self._telemetry)
        elif diff(now, self._temperatures_at) >= 0:
            self._temperatures_at = add(now, TELEMETRY_EVERY_US)
            fill_temperatures(self._temperatures.values, now, self._io.temperatures)
            self._stamp(self._temperatures)

    def _stamp(self, cyclic):
        buffer = self.link.stamp(cyclic, self._now_ms)
        if buffer is not None:
            self._write(buffer)

    def _write(self, data):
        """What does not fit at once is kept; nothing else is written before it is out."""
        taken = self._hal.uart_write(data, len(data))
        if taken < len(data):
            self._pending = bytes(data[taken:])

    def _flush(self):
        taken = self._hal.uart_write(self._pending, len(self._pending))
        if taken:
            self._pending = self._pending[taken:]
