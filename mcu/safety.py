"""The one place that lets a relay close: rules S1 to S7, recomputed every tick, default open.

The host can only restrict. Nothing here allocates, waits or knows a clock; `now` is `ticks_us` of the cycle.
"""

from mcu.ticks import add, diff
from vsecc_link.messages import (
    CP_A,
    CP_B,
    DEVICE_ADC_REFERENCE,
    DEVICE_BROWN_OUT,
    DEVICE_IMAGE,
    DEVICE_MEMORY,
    DEVICE_SAMPLING,
    FAULT_CC1,
    FAULT_PP,
    FAULT_RELAY_NO_CLOSE,
    FAULT_RELAY_WELDED,
    FAULT_SELF_TEST,
    OPEN_BOOT,
    OPEN_CC1,
    OPEN_CP,
    OPEN_DEVICE,
    OPEN_FAULT,
    OPEN_GRANT_EXPIRED,
    OPEN_NO_GRANT,
    OPEN_NOT,
    OPEN_PP,
    PILOT_PWM,
    PILOT_STEADY_POSITIVE,
)

GRANT_MAX_MS = 500  # rule S3
# The pump starves within 20 ms; what remains is the contact's own travel with margin.
CONTACT_TIME_US = 100_000
# PP divider 330 ohm to 5 V with 2.7 kohm to PE: 150 ohm (type 1 latched) 1.5 V, 1500 ohm (CCS 2) 3.7 V;
# between them the release button (2.8 V), above an open pin (4.5 V), below a short.
PP_RANGES_MV = ((1000, 2200), (3300, 4100))
# CC1 of GB/T: 12 V behind 1 kohm; 1 kohm in the plug and 1 kohm in the vehicle make 4 V. Plug out or its
# switch pressed is 6 V, both 12 V, a short 0 V.
CC1_RANGES_MV = ((3200, 4800),)
CC1_AC = 0
CC1_DC = 1
CONFIRM_READINGS = 2  # one each 16 ms

# Faults of the device under which no relay may close; the others concern comfort or show in PP and CC1.
BLOCKING = (
    1 << DEVICE_BROWN_OUT
    | 1 << DEVICE_ADC_REFERENCE
    | 1 << DEVICE_SAMPLING
    | 1 << DEVICE_MEMORY
    | 1 << DEVICE_IMAGE
)


class Contact:
    """One proximity contact: recognised, or its supervision switched off by its DIP switch (rule S1)."""

    def __init__(self, ranges_mv, dip_mask):
        self._ranges_mv = ranges_mv
        self._dip_mask = dip_mask
        self._plugged = False
        self._streak = 0  # readings in a row that disagree with `_plugged`
        self.ok = False
        self.millivolt = 0

    def feed(self, millivolt, dip_switches):
        """Take one reading, every 16 ms; True when it satisfies the rule."""
        self.millivolt = millivolt
        plugged = False
        for low, high in self._ranges_mv:
            if low <= millivolt <= high:
                plugged = True
        self._streak = self._streak + 1 if plugged != self._plugged else 0
        if self._streak >= CONFIRM_READINGS:
            self._plugged = plugged
            self._streak = 0
        self.ok = self._plugged or dip_switches & self._dip_mask != 0
        return self.ok


class Relay:
    """One safety relay: the decision, its keep-alive, and contact feedback against the decision."""

    def __init__(self, hal, number, changes):
        self._hal = hal
        self._number = number
        self._changes = changes
        self.driven = False
        self.closed = False
        self.reason = OPEN_BOOT
        self.changed_ticks = 0
        self._differs = False
        self._differs_since = 0
        self._is_late = False

    def decide(self, reason, now):
        """Close when `reason` is OPEN_NOT, else open; acts at once."""
        self.reason = reason
        driven = reason == OPEN_NOT
        if driven != self.driven:
            self.driven = driven
            self._differs = self._is_late = False
            self.drive()
        self.changed_ticks = now
        self._changes.note()

    def drive(self):
        """Feed the keep-alive for the coming cycles or stop it now (rule S4)."""
        if self.driven:
            self._hal.relay_feed(self._number)
        else:
            self._hal.relay_drop(self._number)

    def supervise(self, now):
        """Fault mask: contact differs from the decision for longer than it may."""
        closed = self._hal.relay_feedback(self._number)
        if closed != self.closed:
            self.closed = closed
            self.changed_ticks = now
            self._changes.note()
        if closed == self.driven:
            self._differs = self._is_late = False
            return 0
        if not self._differs:
            self._differs = True
            self._differs_since = now
        elif not self._is_late:  # kept as a flag: a difference of ticks would wrap
            self._is_late = diff(now, self._differs_since) >= CONTACT_TIME_US
        if not self._is_late:
            return 0
        return 1 << (FAULT_RELAY_NO_CLOSE if self.driven else FAULT_RELAY_WELDED)


class PortGuard:
    """Everything that decides about the relay of one port."""

    def __init__(self, monitor, driver, relay, changes, proximity, cc1=()):
        self.monitor = monitor
        self.driver = driver
        self.relay = relay
        self.faults = 0  # latched
        self.fault_ticks = 0
        self.start_faults = 0  # found by the self-test, present until a restart
        self.proximity = proximity
        self.cc1 = cc1  # contacts of CC1 that supervise this port's relay
        self.cc1_ok = not cc1
        self.granted = False
        # Grants count only in a session the host began with PWM: not after a start, not after a silence.
        self.needs_pilot = True
        self._fell_silent = False
        self._changes = changes

    def feed_cc1(self, index, millivolt, dip_switches):
        """Take one reading of CC1_AC or CC1_DC."""
        self.cc1[index].feed(millivolt, dip_switches)
        ok = True
        for contact in self.cc1:
            ok = ok and contact.ok
        self.cc1_ok = ok

    def grant(self, allowed):
        """A grant counts in C and D only, and not before this session's first PWM."""
        self.granted = allowed and self.monitor.is_energy and not self.needs_pilot

    def silence(self):
        """The host fell silent: open now, steady pilot once open, start over."""
        self.granted = False
        self.needs_pilot = self._fell_silent = True

    def begin(self):
        """The host set PWM: from here on its grants count."""
        self.needs_pilot = self._fell_silent = False

    def tick(self, now, blocked):
        """Latch faults, then decide about the relay; the pilot follows an opened relay one tick later.

        `blocked`: the device itself is not fit to close anything.
        """
        relay = self.relay
        monitor = self.monitor
        if self.needs_pilot and not relay.driven and self.driver.mode == PILOT_PWM:
            self.driver.set(PILOT_STEADY_POSITIVE, 0)
        present = monitor.faults | self.start_faults | relay.supervise(now)
        if relay.driven:
            if not self.proximity.ok:
                present |= 1 << FAULT_PP
            if not self.cc1_ok:
                present |= 1 << FAULT_CC1
        if present & ~self.faults:
            self.faults |= present
            self._faults_changed(now)
        reason = self._reason(blocked)
        if reason != relay.reason:
            relay.decide(reason, now)

    def _reason(self, blocked):
        """OPEN_NOT when all of rule S1 holds, else the first that does not; that may end the grant."""
        if blocked or self.faults or not self.monitor.is_energy:
            self.granted = False
        if blocked:
            return OPEN_DEVICE
        if self.faults:
            return OPEN_FAULT
        if not self.monitor.is_energy:
            return OPEN_CP
        if not self.proximity.ok:
            return OPEN_PP
        if not self.cc1_ok:
            return OPEN_CC1
        if self.granted:
            return OPEN_NOT
        return OPEN_GRANT_EXPIRED if self._fell_silent else OPEN_NO_GRANT

    def clear_faults(self, now):
        """None when all are cleared, else why not: CP must be A or B and every cause gone."""
        state = self.monitor.state
        if state != CP_A and state != CP_B:
            return "CP is not A or B"
        kept = self.faults & (self.monitor.faults | self.start_faults | self.relay.supervise(now))
        if kept != self.faults:
            self.faults = kept
            self._faults_changed(now)
        return "cause still present" if kept else None

    def _faults_changed(self, now):
        self.fault_ticks = now
        self._changes.note()


class Safety:
    """Both ports, the unassigned third relay, and the life of the host's grant."""

    def __init__(self, guards, spare, changes, device_faults):
        self.guards = guards
        self.changes = changes
        self.device_faults = device_faults
        self.spare = spare  # REL3: stays open until a port is assigned to it
        self.relays = (guards[0].relay, guards[1].relay, spare)
        self.is_tested = False  # the self-test at start is over; before it nothing is decided
        self.host_alive = False
        self._host_until = 0
        self._is_blocked = True

    def grant(self, relays, valid_ms, now):
        """A GRANT was taken now: bit 0 = REL1 may close for `valid_ms`; 0 ms withdraws every grant."""
        valid_ms = min(valid_ms, GRANT_MAX_MS)
        self._hear_host(valid_ms or GRANT_MAX_MS, now)
        for index in range(2):
            self.guards[index].grant(valid_ms > 0 and relays >> index & 1 == 1)

    def set_pilot(self, port, mode, duty_permille, now):
        """None when done, else why not. PWM starts the silence timer: it ends without grants (rule S3)."""
        if not self.is_tested:  # it ends at X1
            return None if mode == PILOT_STEADY_POSITIVE else "self-test is running"
        guard = self.guards[port - 1]
        if not guard.driver.set(mode, duty_permille):
            return "duty outside 30..970 permille"
        if mode == PILOT_PWM:
            guard.begin()
            if not self.host_alive:
                self._hear_host(GRANT_MAX_MS, now)
        return None

    def lose_host(self):
        """The session is over: as silence, but at once."""
        self.host_alive = False
        for guard in self.guards:
            guard.silence()

    def watch(self, now):
        """Contacts only, while the self-test drives the pilots."""
        for relay in self.relays:
            relay.supervise(now)

    def begin(self, now):
        """A cycle begins: is the host still there, the device fit?"""
        if self.host_alive and diff(now, self._host_until) >= 0:
            self.lose_host()
        self._is_blocked = self.device_faults.mask & BLOCKING != 0

    def decide(self, index, now):
        """Decide about the relay of port 1 (index 0) or 2; once a cycle, right after its pilot was read."""
        self.guards[index].tick(now, self._is_blocked)

    def refresh(self, now):
        """Renew each keep-alive, every 4 ms of its 19; a change was passed on at once by `decide`."""
        for relay in self.relays:
            relay.drive()
        # No samples of either pilot is the converter, not a port.
        silent = self.guards[0].monitor.faults & self.guards[1].monitor.faults & 1 << FAULT_SELF_TEST
        self.device_faults.set(DEVICE_SAMPLING, silent != 0, now)
        self.spare.supervise(now)
        if self.spare.reason != OPEN_NO_GRANT:
            self.spare.decide(OPEN_NO_GRANT, now)

    def relays_driven(self):
        """Bit 0 = REL1."""
        return self.relays[0].driven | self.relays[1].driven << 1 | self.relays[2].driven << 2

    def relays_closed(self):
        """Bit 0 = REL1: contact feedback."""
        return self.relays[0].closed | self.relays[1].closed << 1 | self.relays[2].closed << 2

    def _hear_host(self, valid_ms, now):
        self.host_alive = True
        self._host_until = add(now, valid_ms * 1000)
