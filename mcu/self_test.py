"""Self-test at start: pilot drivers, references, contacts, memory, image. Before its end no relay may close.

What needs time is a machine fed once a cycle like the monitors; it allocates nothing until it reports. What
it finds in a port's driver stays until a restart: it failed without any vehicle.
"""

from vsecc_link.messages import (
    DEVICE_ADC_REFERENCE,
    DEVICE_IMAGE,
    DEVICE_MEMORY,
    FAULT_SELF_TEST,
    PILOT_STEADY_NEGATIVE,
    PILOT_STEADY_POSITIVE,
)

# Cycles a level is driven before it counts, and readings averaged then: the driver latches a level at the end
# of its period, and the converter's newest period must lie wholly behind that.
SETTLE_CYCLES = 12
READINGS = 4
# A driver that is off stays off; a plug that moves, or a disturbed period, does not come three times.
ATTEMPTS = 3
# For `step`: nothing new was sampled of a pilot. The cycle came late, or the converter stands still.
NO_LEVEL_MV = -(1 << 20)
# Cycles without samples after which the test goes on with what there is: the sampling is dead.
MISSING_CYCLES = 100
# A contact that was driven before the reset has opened by then; `Relay.supervise` names the one that has not.
CONTACT_CYCLES = 120

# Generator tolerance of 0.6 V and 1.7 % of the measuring span.
POSITIVE_MV = (11200, 12800)
NEGATIVE_MV = (-12800, -11200)
# With a vehicle the positive level is its business, not ours; below this the driver does not get up at all.
VEHICLE_MV = (-1000, 11199)
SHORT_MV = 1000
REFERENCE_MV = (2450, 2550)

NEGATIVE = 0
POSITIVE = 1
CONTACTS = 2
DONE = 3
PHASE_NAMES = ("drive -12 V", "drive +12 V", "contacts open", "done")

# What a port's levels say.
GOOD = 0
VEHICLE = 1  # positive level not ours to judge
OFF = 2  # both levels there, outside their tolerance
DEAD = 3  # a level that does not follow its drive
VERDICT_NAMES = ("good", "vehicle there", "levels off", "driver dead")


def judge_levels(negative_mv, positive_mv):
    """Verdict over the two driven levels of one port, in mV."""
    negative_good = NEGATIVE_MV[0] <= negative_mv <= NEGATIVE_MV[1]
    if negative_good and POSITIVE_MV[0] <= positive_mv <= POSITIVE_MV[1]:
        return GOOD
    if VEHICLE_MV[0] <= positive_mv <= VEHICLE_MV[1] and negative_mv <= SHORT_MV:
        # A vehicle without a diode pulls the negative level too, and a short both: the monitor names them.
        return VEHICLE
    if positive_mv > VEHICLE_MV[1] and negative_mv < VEHICLE_MV[0]:
        return OFF
    return DEAD


class SelfTest:
    """Drives both pilots to -12 V and +12 V and reads them back, then waits for the contacts."""

    def __init__(self, hal, safety):
        self._hal = hal
        self._safety = safety
        self._cycle = 0
        self._missing = 0
        self._attempts = 0
        self._sums = [0, 0]
        self.levels = [[0, 0], [0, 0]]  # mV by port and phase
        self.verdicts = [DEAD, DEAD]
        self.reference_mv = 0
        self.phase = NEGATIVE
        self._drive(PILOT_STEADY_NEGATIVE)

    def step(self, level_1_mv, level_2_mv, now):
        """One cycle: the level each pilot shows in mV, or NO_LEVEL_MV. True when the test is over."""
        if self.phase < CONTACTS:
            self._measure(level_1_mv, level_2_mv)
        if self.phase == CONTACTS:
            self._wait_for_contacts(now)
        return self.phase == DONE

    def report(self, log):
        """A line for each thing that is not good."""
        for index in range(2):
            verdict = self.verdicts[index]
            levels = self.levels[index]
            if verdict != GOOD:
                text = "self-test: CP%d %d mV, %d mV, %s"
                values = (index + 1, levels[NEGATIVE], levels[POSITIVE], VERDICT_NAMES[verdict])
                log(1 if verdict < OFF else 3, text % values)
        if not REFERENCE_MV[0] <= self.reference_mv <= REFERENCE_MV[1]:
            log(3, "self-test: reference reads %d mV" % self.reference_mv)
        if self._safety.relays_closed():
            log(3, "self-test: contacts closed, mask %d" % self._safety.relays_closed())

    def _measure(self, level_1_mv, level_2_mv):
        if level_1_mv == NO_LEVEL_MV or level_2_mv == NO_LEVEL_MV:
            self._missing += 1
            if self._missing < MISSING_CYCLES:
                return
            level_1_mv = level_1_mv if level_1_mv != NO_LEVEL_MV else 0
            level_2_mv = level_2_mv if level_2_mv != NO_LEVEL_MV else 0
        self._cycle += 1
        if self._cycle <= SETTLE_CYCLES:
            return
        self._sums[0] += level_1_mv
        self._sums[1] += level_2_mv
        if self._cycle < SETTLE_CYCLES + READINGS:
            return
        for index in range(2):
            self.levels[index][self.phase] = self._sums[index] // READINGS
            self._sums[index] = 0
        self._cycle = 0
        self.phase += 1
        if self.phase == POSITIVE:
            self._drive(PILOT_STEADY_POSITIVE)
        elif not self._judge() and self._attempts < ATTEMPTS:
            self.phase = NEGATIVE
            self._drive(PILOT_STEADY_NEGATIVE)

    def _judge(self):
        """Verdicts over both ports; True when no driver is to blame."""
        self._attempts += 1
        for index in range(2):
            levels = self.levels[index]
            self.verdicts[index] = judge_levels(levels[NEGATIVE], levels[POSITIVE])
        return max(self.verdicts) < OFF

    def _wait_for_contacts(self, now):
        self._cycle += 1
        if self._safety.relays_closed() and self._cycle < CONTACT_CYCLES:
            return
        self.phase = DONE
        self._conclude(now)

    def _drive(self, mode):
        for guard in self._safety.guards:
            guard.driver.set(mode, 0)

    def _conclude(self, now):
        off = 0
        for index in range(2):
            off += self.verdicts[index] == OFF
            if self.verdicts[index] >= OFF:
                self._safety.guards[index].start_faults |= 1 << FAULT_SELF_TEST
        self.reference_mv = self._hal.reference_mv()
        # Both pilots off is no coincidence of two drivers: the reference they are measured with is wrong.
        if off == 2 or not REFERENCE_MV[0] <= self.reference_mv <= REFERENCE_MV[1]:
            self._safety.device_faults.set(DEVICE_ADC_REFERENCE, True, now)


def check_memory(safety, memory_test, now):
    """March over the free heap; a bad cell blocks every relay until a restart. Number of bytes tested."""
    tested, bad_at = memory_test.free_heap()
    if bad_at >= 0:
        safety.device_faults.set(DEVICE_MEMORY, True, now)
    return tested


def check_image(safety, digest, expected, now):
    """The program is the one its slot was written with; `expected` None: nothing is recorded (simulation)."""
    if expected is not None and digest != expected:
        safety.device_faults.set(DEVICE_IMAGE, True, now)
