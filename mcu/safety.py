"""The one place that lets a relay close: rules S1 to S7, recomputed every tick, default open.

The host can only restrict. Nothing here allocates, waits or knows a clock; `now` is `ticks_us` of the cycle.
"""

from mcu.cp_control import is_energy
from mcu.ticks import add, diff
from vsecc_link.messages import (
    CP_A,
    CP_B,
    FAULT_PP,
    FAULT_RELAY_NO_CLOSE,
    FAULT_RELAY_WELDED,
    OPEN_BOOT,
    OPEN_CP,
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
PP_CONFIRM = 2  # readings, one each 10 ms
_VERSION_MASK = 0x3FFF


class Relay:
    """One safety relay: the decision, its keep-alive, and contact feedback against the decision."""

    def __init__(self, hal, number):
        self._hal = hal
        self._number = number
        self.driven = False
        self.closed = False
        self.reason = OPEN_BOOT
        self.changed_ticks = 0
        self._differs = False
        self._differs_since = 0
        self._is_late = False
        self.version = 0

    def decide(self, reason, now):
        """Close while `reason` is OPEN_NOT, else open."""
        if reason == self.reason:
            return
        driven = reason == OPEN_NOT
        if driven != self.driven:
            self.driven = driven
            self._differs = self._is_late = False
        self.reason = reason
        self._changed(now)

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
            self._changed(now)
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

    def _changed(self, now):
        self.changed_ticks = now
        self.version = (self.version + 1) & _VERSION_MASK


class PortGuard:
    """Everything that decides about the relay of one port."""

    def __init__(self, monitor, driver, relay, dip_mask):
        self.monitor = monitor
        self.driver = driver
        self.relay = relay
        self.faults = 0  # latched
        self.fault_ticks = 0
        self.proximity_mv = 0
        self.granted = False
        # Grants count only in a session the host began with PWM: not after a start, not after a silence.
        self.needs_pilot = True
        self._fell_silent = False
        self._dip_mask = dip_mask
        self._pp_good = 0
        self._pp_bad = 0
        self._pp_plugged = False
        self._pp_off = False
        self._pp_fault = 0
        self.version = 0

    @property
    def pp_ok(self):
        """Supervision satisfied, or switched off by this port's DIP switch."""
        return self._pp_off or self._pp_plugged

    def feed_proximity(self, millivolt, dip_switches):
        """Take one PP reading, every 10 ms."""
        self.proximity_mv = millivolt
        self._pp_off = dip_switches & self._dip_mask != 0
        plugged = False
        for low, high in PP_RANGES_MV:
            if low <= millivolt <= high:
                plugged = True
        self._pp_good = min(self._pp_good + 1, PP_CONFIRM) if plugged else 0
        self._pp_bad = 0 if plugged else min(self._pp_bad + 1, PP_CONFIRM)
        if self._pp_good == PP_CONFIRM:
            self._pp_plugged = True
        elif self._pp_bad == PP_CONFIRM:
            self._pp_plugged = False

    def grant(self, allowed):
        """A grant counts in C and D only, and not before this session's first PWM."""
        self.granted = allowed and is_energy(self.monitor.state) and not self.needs_pilot

    def silence(self):
        """The host fell silent: open now, steady pilot once open, start over."""
        self.granted = False
        self.needs_pilot = self._fell_silent = True

    def begin(self):
        """The host set PWM: from here on its grants count."""
        self.needs_pilot = self._fell_silent = False

    def tick(self, now):
        """Latch faults, then decide about the relay; the pilot follows an opened relay one tick later."""
        if self.needs_pilot and not self.relay.driven and self.driver.mode == PILOT_PWM:
            self.driver.set(PILOT_STEADY_POSITIVE, 0)
        self._latch(now)
        if not is_energy(self.monitor.state):
            self.granted = False
        self.relay.decide(self._why_open(), now)

    def clear_faults(self, now):
        """None when all are cleared, else why not: CP must be A or B and every cause gone."""
        state = self.monitor.state
        if state != CP_A and state != CP_B:
            return "CP is not A or B"
        self._pp_fault = 0
        kept = self.faults & self._present(now)
        if kept != self.faults:
            self.faults = kept
            self._changed(now)
        return "cause still present" if kept else None

    def _why_open(self):
        if self.faults:
            return OPEN_FAULT
        if not is_energy(self.monitor.state):
            return OPEN_CP
        if not (self._pp_off or self._pp_plugged):
            return OPEN_PP
        if self.granted:
            return OPEN_NOT
        return OPEN_GRANT_EXPIRED if self._fell_silent else OPEN_NO_GRANT

    def _present(self, now):
        return self.monitor.faults | self.relay.supervise(now) | self._pp_fault

    def _latch(self, now):
        lost = self.relay.driven and not (self._pp_off or self._pp_plugged)
        self._pp_fault = 1 << FAULT_PP if lost else 0
        faults = self.faults | self._present(now)
        if faults != self.faults:
            self.faults = faults
            self._changed(now)

    def _changed(self, now):
        self.fault_ticks = now
        self.version = (self.version + 1) & _VERSION_MASK


class Safety:
    """Both ports, the unassigned third relay, and the life of the host's grant."""

    def __init__(self, guards, spare):
        self.guards = guards
        self.spare = spare  # REL3: stays open until a port is assigned to it
        self.relays = (guards[0].relay, guards[1].relay, spare)
        self.host_alive = False
        self._host_until = 0

    def grant(self, relays, valid_ms, now):
        """A GRANT was taken now: bit 0 = REL1 may close for `valid_ms`; 0 ms withdraws every grant."""
        valid_ms = min(valid_ms, GRANT_MAX_MS)
        self._hear_host(valid_ms or GRANT_MAX_MS, now)
        for index in range(2):
            self.guards[index].grant(valid_ms > 0 and relays >> index & 1 == 1)

    def set_pilot(self, port, mode, duty_permille, now):
        """None when done, else why not. PWM starts the silence timer: it ends without grants (rule S3)."""
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

    def tick(self, now):
        """Decide about every relay; call once a cycle, after the pilots were read."""
        if self.host_alive and diff(now, self._host_until) >= 0:
            self.lose_host()
        for guard in self.guards:
            guard.tick(now)
        self.spare.supervise(now)
        self.spare.decide(OPEN_NO_GRANT, now)

    def drive(self):
        """Pass the decisions to the keep-alives."""
        for relay in self.relays:
            relay.drive()

    def relays_driven(self):
        """Bit 0 = REL1."""
        return self.relays[0].driven | self.relays[1].driven << 1 | self.relays[2].driven << 2

    def relays_closed(self):
        """Bit 0 = REL1: contact feedback."""
        return self.relays[0].closed | self.relays[1].closed << 1 | self.relays[2].closed << 2

    def version(self):
        """Changes whenever a relay or a latched fault did."""
        total = self.spare.version
        for guard in self.guards:
            total += guard.version + guard.relay.version
        return total

    def _hear_host(self, valid_ms, now):
        self.host_alive = True
        self._host_until = add(now, valid_ms * 1000)
