"""Control pilot of one port, IEC 61851-1: what is driven (`PilotDriver`), what it reads (`CpMonitor`).

Every number is a whole millivolt, a permille or a count of pilot periods (one 1 ms cycle sees one period).
"""

from mcu.changes import Changes
from vsecc_link.messages import (
    CP_A,
    CP_B,
    CP_C,
    CP_D,
    CP_E,
    CP_F,
    CP_UNKNOWN,
    FAULT_CP_DIODE,
    FAULT_CP_LEVEL,
    FAULT_CP_PWM,
    FAULT_CP_SHORT,
    FAULT_SELF_TEST,
    PILOT_PWM,
    PILOT_STEADY_NEGATIVE,
    PILOT_STEADY_POSITIVE,
)

# Bands of the positive plateau from the top down; odd ones of 1..9 are states, even ones the gaps between.
BAND_NAMES = ("over", "A", "A/B", "B", "B/C", "C", "C/D", "D", "D/E", "E", "below", "F", "none")
_OVER = 0
_A_BAND = 1
_E_BAND = 9
_BELOW = 10
_F_BAND = 11
_NONE = 12
# Lowest mV of bands 0..9; a gap is open at both ends, a state's band closed (ranges of the 3rd edition).
_FLOORS_MV = (13001, 11000, 10001, 8000, 7001, 5000, 4001, 2000, 1001, -1000)
NEGATIVE_LOW_MV = -13000
NEGATIVE_HIGH_MV = -11000

# The whole state table: row = confirmed state, column = band, entry = what this reading speaks for.
# Gaps are hysteresis: they keep a neighbouring state. From further away a gap speaks for the neighbour that
# carries no energy; C and D are entered by their own band only. A level outside the table counts as E.
#                over  A     A/B   B     B/C   C     C/D   D     D/E   E     below F     none
_U, _A, _B, _C, _D, _E, _F = (CP_UNKNOWN, CP_A, CP_B, CP_C, CP_D, CP_E, CP_F)
NEXT = (
    (_E, _A, _U, _B, _U, _C, _U, _D, _U, _E, _E, _F, _U),  # unknown
    (_E, _A, _A, _B, _B, _C, _A, _D, _E, _E, _E, _F, _U),  # A
    (_E, _A, _B, _B, _B, _C, _B, _D, _E, _E, _E, _F, _U),  # B
    (_E, _A, _B, _B, _C, _C, _C, _D, _E, _E, _E, _F, _U),  # C
    (_E, _A, _B, _B, _B, _C, _D, _D, _D, _E, _E, _F, _U),  # D
    (_E, _A, _B, _B, _B, _C, _E, _D, _E, _E, _E, _F, _U),  # E
    (_E, _A, _U, _B, _U, _C, _U, _D, _U, _E, _E, _F, _U),  # F
)

# Periods of agreement before a reading becomes the state. Leaving C or D takes any readings that are neither:
# 3 periods, one cycle of phase, one period of the pilot and a collection of 5 ms are within 10 ms (rule S2).
LEAVE_PERIODS = 3
ENTER_PERIODS = 20
OTHER_PERIODS = 10
FAULT_PERIODS = 10

# Read-back, one period in four: 32 of them resolve the duty to 1 permille; two averages in a row must agree.
SETTLE_COUNTS = 2
DUTY_AVERAGE_COUNTS = 32
DUTY_TOLERANCE_PERMILLE = 8
PERIOD_AVERAGE = 8
PERIOD_LOW_US = 980
PERIOD_HIGH_US = 1020
_BAD_AVERAGES = 2
_PWM_FAULT = 1 << FAULT_CP_PWM

DUTY_STEADY_POSITIVE = 1000
DUTY_STEADY_NEGATIVE = 0
# Outside these the plateau is too short to be measured; IEC 61851-1 gives no duty beyond them a meaning.
DUTY_PWM_MIN_PERMILLE = 30
DUTY_PWM_MAX_PERMILLE = 970

_ENERGY = (False, False, False, True, True, False, False)
# Positive plateaus that keep a state, its band and the gaps beside it: the short way of `CpMonitor.feed`.
KEEP_MV = ((1, 0), (10001, 13000), (7001, 10999), (4001, 7999), (1001, 4999), (1, 0), (1, 0))


def band_of(high_mv, low_mv, n_high, n_low):
    """Band of one measured period; without a positive plateau the steady negative level decides."""
    if n_high == 0:
        if n_low == 0:
            return _NONE
        return _F_BAND if NEGATIVE_LOW_MV <= low_mv <= NEGATIVE_HIGH_MV else _BELOW
    for band in range(10):
        if high_mv >= _FLOORS_MV[band]:
            return band
    return _BELOW


class PilotDriver:
    """What this port drives: X1, PWM or F; starts at X1."""

    def __init__(self, hal, port, monitor):
        self._hal = hal
        self._port = port
        self._monitor = monitor
        self.mode = PILOT_STEADY_POSITIVE
        self.duty_permille = DUTY_STEADY_POSITIVE
        self._apply()

    def set(self, mode, duty_permille):
        """False and no change when the duty is none a vehicle understands; duty matters for PWM only."""
        if mode == PILOT_PWM:
            if not DUTY_PWM_MIN_PERMILLE <= duty_permille <= DUTY_PWM_MAX_PERMILLE:
                return False
        elif mode == PILOT_STEADY_NEGATIVE:
            duty_permille = DUTY_STEADY_NEGATIVE
        else:
            duty_permille = DUTY_STEADY_POSITIVE
        if mode != self.mode or duty_permille != self.duty_permille:
            self.mode = mode
            self.duty_permille = duty_permille
            self._apply()
        return True

    def _apply(self):
        self._hal.pilot_drive(self._port, self.duty_permille)
        self._monitor.read_back.expect(self.duty_permille)


class ReadBack:
    """Does the pilot do what is driven? Judges duty and period, marks CP_PWM in the monitor (rule S6)."""

    def __init__(self, monitor):
        self._monitor = monitor
        self.expect(DUTY_STEADY_POSITIVE)

    def expect(self, duty_permille):
        """The drive changed: start over after the settling time."""
        self._duty = duty_permille
        self._is_pwm = DUTY_STEADY_NEGATIVE < duty_permille < DUTY_STEADY_POSITIVE
        self._settle = SETTLE_COUNTS
        self._n_high = self._n_all = self._n_counts = 0
        self._period_sum_us = self._period_count = 0
        self._duty_bad = self._period_bad = 0

    def feed_counts(self, n_high, n_low):
        """Sample counts of one period, every fourth will do; steady levels are judged too."""
        if self._settle:
            self._settle -= 1
            return
        self._n_high += n_high
        self._n_all += n_high + n_low
        self._n_counts += 1
        if self._n_counts >= DUTY_AVERAGE_COUNTS:
            self._judge_duty()

    def feed_period(self, period_us):
        """One reading of the pilot period; matters while PWM runs and has settled."""
        if self._settle or not self._is_pwm:
            return
        self._period_sum_us += period_us
        self._period_count += 1
        if self._period_count < PERIOD_AVERAGE:
            return
        period_us = self._period_sum_us // self._period_count
        self._period_sum_us = self._period_count = 0
        self._period_bad = 0 if PERIOD_LOW_US <= period_us <= PERIOD_HIGH_US else self._period_bad + 1
        self._mark()

    def _judge_duty(self):
        n_high = self._n_high
        n_all = self._n_all
        self._n_high = self._n_all = self._n_counts = 0
        if n_all == 0:
            return
        off = (n_high * 1000 + n_all // 2) // n_all - self._duty
        good = -DUTY_TOLERANCE_PERMILLE <= off <= DUTY_TOLERANCE_PERMILLE
        # A shorted pilot has no duty; the short has its own name.
        self._duty_bad = 0 if good or self._monitor.state == CP_E else self._duty_bad + 1
        self._mark()

    def _mark(self):
        if self._duty_bad >= _BAD_AVERAGES or self._period_bad >= _BAD_AVERAGES:
            self._monitor.faults |= _PWM_FAULT
        elif not self._duty_bad and not self._period_bad:
            self._monitor.faults &= ~_PWM_FAULT


class CpMonitor:
    """Debounced CP state and present faults of one port; `feed` once a cycle, allocates nothing."""

    def __init__(self, changes=None):
        self._changes = changes or Changes()
        self.state = CP_UNKNOWN
        self.previous = CP_UNKNOWN
        self.is_energy = False  # C or D, confirmed
        self.changed_ticks = 0
        self.high_mv = 0
        self.low_mv = 0
        self.faults = 0  # present ones; `Safety` latches
        self._candidate = CP_UNKNOWN
        self._agreed = 0
        self._away = 0
        self._invalid = 0
        self._silent = 0
        self._no_diode = 0
        self._is_calm = False  # nothing pending: a reading that keeps the state needs no second look
        self._keep_low_mv, self._keep_high_mv = KEEP_MV[CP_UNKNOWN]
        self.read_back = ReadBack(self)

    def feed(self, high_mv, low_mv, n_high, n_low, now):
        """Take one measured period; True when the confirmed state changed."""
        self.high_mv = high_mv
        self.low_mv = low_mv
        if (
            self._is_calm
            and n_high
            and self._keep_low_mv <= high_mv <= self._keep_high_mv
            and (n_low == 0 or NEGATIVE_LOW_MV <= low_mv <= NEGATIVE_HIGH_MV)
        ):
            return False
        return self._judge(band_of(high_mv, low_mv, n_high, n_low), low_mv, n_low, now)

    def _judge(self, band, low_mv, n_low, now):
        """The long way: debounce, then every check."""
        negative_bad = n_low > 0 and not NEGATIVE_LOW_MV <= low_mv <= NEGATIVE_HIGH_MV
        changed = self._debounce(NEXT[self.state][band], now)
        self._check_positive(band)
        self._check_negative(band, low_mv, n_low, negative_bad)
        self._is_calm = not (self._agreed or self._silent or self._invalid or self._no_diode)
        return changed

    def _debounce(self, candidate, now):
        state = self.state
        self._agreed = self._agreed + 1 if candidate == self._candidate else 1
        self._candidate = candidate
        if candidate == state:  # counters stay small however long a state lasts
            self._agreed = 0
            self._away = 0
            return False
        if self.is_energy and not _ENERGY[candidate]:
            self._away += 1
            needed = LEAVE_PERIODS
            seen = self._away
        else:
            self._away = 0
            needed = ENTER_PERIODS if _ENERGY[candidate] else OTHER_PERIODS
            seen = self._agreed
        if seen < needed:
            return False
        self._enter(candidate, now)
        return True

    def _enter(self, state, now):
        self.previous = self.state
        self.state = state
        self.is_energy = _ENERGY[state]
        self.changed_ticks = now
        self._keep_low_mv, self._keep_high_mv = KEEP_MV[state]
        self._away = 0
        self._agreed = 0
        self._changes.note()

    def _check_positive(self, band):
        """Sampling that stands still, and a short to PE: level around 0 V and confirmed."""
        self._silent = self._mark(FAULT_SELF_TEST, self._silent, band == _NONE)
        if band != _E_BAND:
            self.faults &= ~(1 << FAULT_CP_SHORT)
        elif self.state == CP_E:
            self.faults |= 1 << FAULT_CP_SHORT

    def _check_negative(self, band, low_mv, n_low, negative_bad):
        """Missing diode, and levels outside the table. The diode shows only on a plugged pilot under PWM."""
        plugged = _A_BAND < band < _E_BAND
        diode_bad = negative_bad and plugged and low_mv > NEGATIVE_HIGH_MV
        diode_good = band == _A_BAND or (n_low > 0 and not negative_bad)
        if diode_bad or diode_good:
            self._no_diode = self._mark(FAULT_CP_DIODE, self._no_diode, diode_bad)
        level_bad = band == _OVER or band == _BELOW
        if negative_bad and not diode_bad and band != _E_BAND:
            level_bad = True
        self._invalid = self._mark(FAULT_CP_LEVEL, self._invalid, level_bad)

    def _mark(self, fault, periods, is_bad):
        """Present after FAULT_PERIODS bad readings in a row, gone with a good one; the new count."""
        if not is_bad:
            self.faults &= ~(1 << fault)
            return 0
        if periods + 1 < FAULT_PERIODS:
            return periods + 1
        self.faults |= 1 << fault
        return periods
