"""Pilot monitor and driver: the state table exhaustively, hysteresis, debounce, faults, read-back."""

from mcu import cp_control
from mcu.cp_control import (
    DUTY_AVERAGE_COUNTS,
    ENTER_PERIODS,
    FAULT_PERIODS,
    KEEP_MV,
    LEAVE_PERIODS,
    NEXT,
    OTHER_PERIODS,
    SETTLE_COUNTS,
    CpMonitor,
    PilotDriver,
    band_of,
)
from vsecc_link import messages as m

A, B, C, D, E, F, UNKNOWN = m.CP_A, m.CP_B, m.CP_C, m.CP_D, m.CP_E, m.CP_F, m.CP_UNKNOWN
STATES = (UNKNOWN, A, B, C, D, E, F)
# Lowest, middle and highest mV of each band with a positive plateau.
BAND_MV = (
    (13001, 14000, 15000),
    (11000, 12000, 13000),
    (10001, 10500, 10999),
    (8000, 9000, 10000),
    (7001, 7500, 7999),
    (5000, 6000, 7000),
    (4001, 4500, 4999),
    (2000, 3000, 4000),
    (1001, 1500, 1999),
    (-1000, 0, 1000),
    (-14000, -5000, -1001),
)
# mV in the middle of each state's own band; F and unknown are no positive plateau.
STATE_MV = {A: 12000, B: 9000, C: 6000, D: 3000, E: 0}
ENERGY = (C, D)


def feed(monitor, high_mv, times=1, low_mv=-12000, n_high=5, n_low=95, now=0):
    """Feed the same period so many times; number of state changes."""
    changes = 0
    for _ in range(times):
        changes += monitor.feed(high_mv, low_mv, n_high, n_low, now)
        monitor.read_back.feed_counts(n_high, n_low)
    return changes


def feed_band(monitor, band, high_mv, times):
    """Feed a reading of that band; F and none have no positive plateau."""
    if band == 11:
        return feed(monitor, 0, times, -12000, 0, 100)
    if band == 12:
        return feed(monitor, 0, times, 0, 0, 0)
    return feed(monitor, high_mv, times)


def monitor_in(state):
    """A monitor under 5 % PWM that has confirmed the state."""
    monitor = CpMonitor()
    monitor.read_back.expect(50)
    if state == F:
        feed_band(monitor, 11, 0, ENTER_PERIODS)
    elif state != UNKNOWN:
        feed(monitor, STATE_MV[state], ENTER_PERIODS)
    assert monitor.state == state
    return monitor


def expected(state, band):
    """IEC 61851-1 as told in words: bands are states, gaps keep a neighbour, anything else is E."""
    if band in (0, 10):
        return E
    if band == 11:
        return F
    if band == 12:
        return UNKNOWN
    if band % 2:
        return (A, B, C, D, E)[band // 2]
    upper, lower = (A, B, C, D, E)[band // 2 - 1], (A, B, C, D, E)[band // 2]
    if state in (upper, lower):
        return state
    if state in (UNKNOWN, F):
        return UNKNOWN
    # From further away: the neighbour without energy that is nearer; no such neighbour, no change.
    candidates = [one for one in (upper, lower) if one not in ENERGY]
    if not candidates:
        return state
    nearest = candidates[0]
    for one in candidates:
        if abs(one - state) < abs(nearest - state):
            nearest = one
    return nearest


def test_every_millivolt_has_the_band_of_the_table():
    for high_mv in range(-15000, 15001, 7):
        band = band_of(high_mv, -12000, 5, 95)
        low, _, high = BAND_MV[band]
        assert low <= high_mv <= high or band in (0, 10)
    for band in range(11):
        for high_mv in BAND_MV[band]:
            assert band_of(high_mv, -12000, 5, 95) == band


def test_band_without_positive_plateau():
    assert band_of(0, -12000, 0, 100) == 11
    assert band_of(0, -13000, 0, 100) == 11
    assert band_of(0, -11000, 0, 100) == 11
    assert band_of(0, -10999, 0, 100) == 10
    assert band_of(0, -13001, 0, 100) == 10
    assert band_of(0, 0, 0, 0) == 12


def test_table_lists_every_state_and_band():
    assert len(NEXT) == len(m.CP_NAMES) == len(STATES)
    for row in NEXT:
        assert len(row) == len(cp_control.BAND_NAMES) == 13


def test_every_state_with_every_band_exhaustively():
    for state in STATES:
        for band in range(13):
            levels = BAND_MV[band] if band < 11 else (0,)
            for high_mv in levels:
                monitor = monitor_in(state)
                feed_band(monitor, band, high_mv, 1)
                assert monitor.state == state
                feed_band(monitor, band, high_mv, ENTER_PERIODS)
                assert monitor.state == expected(state, band), (state, band, high_mv)


def test_energy_states_are_entered_by_their_own_band_only():
    for state in STATES:
        for band in range(13):
            if NEXT[state][band] in ENERGY and state not in ENERGY:
                assert band in (5, 7)


def test_the_short_way_keeps_exactly_what_the_table_keeps():
    for state in (A, B, C, D):
        low, high = KEEP_MV[state]
        for high_mv in range(-1500, 14000):
            if low <= high_mv <= high:
                assert NEXT[state][band_of(high_mv, -12000, 5, 95)] == state
        for high_mv in (low - 1, high + 1):
            assert NEXT[state][band_of(high_mv, -12000, 5, 95)] != state or state == A
    for state in (UNKNOWN, E, F):
        low, high = KEEP_MV[state]
        assert low > high


def test_hysteresis_keeps_either_neighbour_in_the_gap():
    for upper, lower, high_mv in ((A, B, 10500), (B, C, 7500), (C, D, 4500), (D, E, 1500)):
        for state in (upper, lower):
            monitor = monitor_in(state)
            assert feed(monitor, high_mv, 1000) == 0
            assert monitor.state == state


def test_debounce_counts_are_the_documented_ones():
    assert (LEAVE_PERIODS, ENTER_PERIODS, OTHER_PERIODS, FAULT_PERIODS) == (3, 20, 10, 10)


def test_leaving_energy_takes_exactly_three_periods():
    for state in ENERGY:
        for high_mv in (12000, 9000, 0):
            monitor = monitor_in(state)
            assert feed(monitor, high_mv, LEAVE_PERIODS - 1) == 0
            assert feed(monitor, high_mv) == 1
            assert monitor.state not in ENERGY
            assert monitor.previous == state


def test_leaving_energy_counts_any_reading_that_is_no_energy():
    monitor = monitor_in(C)
    feed(monitor, 9000)
    feed(monitor, 14000)
    assert monitor.state == C
    feed(monitor, 0)
    assert monitor.state == E


def test_entering_energy_takes_exactly_twenty_periods():
    for state in (UNKNOWN, A, B, E, F):
        monitor = monitor_in(state)
        assert feed(monitor, 6000, ENTER_PERIODS - 1) == 0
        assert feed(monitor, 6000) == 1
        assert monitor.state == C


def test_between_c_and_d_takes_the_long_debounce_and_stays_energy():
    monitor = monitor_in(C)
    assert feed(monitor, 3000, ENTER_PERIODS - 1) == 0
    assert feed(monitor, 3000) == 1
    assert monitor.state == D


def test_other_changes_take_exactly_ten_periods():
    for state, high_mv in ((A, 9000), (B, 12000), (E, 12000), (UNKNOWN, 9000)):
        monitor = monitor_in(state)
        assert feed(monitor, high_mv, OTHER_PERIODS - 1) == 0
        assert feed(monitor, high_mv) == 1


def test_a_disturbance_restarts_the_count():
    monitor = monitor_in(B)
    for _ in range(10):
        feed(monitor, 6000, ENTER_PERIODS - 1)
        feed(monitor, 9000)
    assert monitor.state == B


def test_two_lost_periods_in_c_change_nothing():
    monitor = monitor_in(C)
    for _ in range(100):
        feed(monitor, 9000, LEAVE_PERIODS - 1)
        feed(monitor, 6000)
    assert monitor.state == C


def test_change_carries_the_ticks_of_its_cycle():
    monitor = monitor_in(B)
    feed(monitor, 6000, ENTER_PERIODS - 1, now=70)
    feed(monitor, 6000, now=71)
    assert monitor.changed_ticks == 71


def has(monitor, fault):
    return monitor.faults >> fault & 1 == 1


def test_s6_missing_diode_is_named():
    for state in (B, C, D):
        monitor = monitor_in(state)
        feed(monitor, STATE_MV[state], FAULT_PERIODS - 1, -STATE_MV[state])
        assert not monitor.faults
        feed(monitor, STATE_MV[state], 1, -STATE_MV[state])
        assert has(monitor, m.FAULT_CP_DIODE) and not has(monitor, m.FAULT_CP_LEVEL)


def test_s6_diode_bounds_of_the_negative_plateau():
    for low_mv, bad in ((-10999, True), (-11000, False), (-13000, False)):
        monitor = monitor_in(B)
        feed(monitor, 9000, FAULT_PERIODS, low_mv)
        assert has(monitor, m.FAULT_CP_DIODE) == bad


def test_s6_diode_stays_while_nothing_can_be_told():
    monitor = monitor_in(B)
    feed(monitor, 9000, FAULT_PERIODS, -9000)
    monitor.read_back.expect(1000)
    feed(monitor, 9000, 1000, 0, 100, 0)
    assert has(monitor, m.FAULT_CP_DIODE)
    feed(monitor, 12000, OTHER_PERIODS, 0, 100, 0)
    assert not has(monitor, m.FAULT_CP_DIODE)


def test_s6_short_to_pe_is_named():
    monitor = monitor_in(C)
    feed(monitor, 0, LEAVE_PERIODS, 0, 100, 0)
    assert monitor.state == E and has(monitor, m.FAULT_CP_SHORT)
    feed(monitor, 0, 200, 0, 100, 0)
    assert monitor.faults == 1 << m.FAULT_CP_SHORT
    feed(monitor, 12000)
    assert not monitor.faults


def test_s6_level_outside_the_table_is_named_and_counts_as_e():
    for high_mv in (13001, 15000, -1001, -9000):
        monitor = monitor_in(C)
        feed(monitor, high_mv, LEAVE_PERIODS)
        assert monitor.state == E
        feed(monitor, high_mv, FAULT_PERIODS)
        assert has(monitor, m.FAULT_CP_LEVEL) and not has(monitor, m.FAULT_CP_SHORT)


def test_s6_negative_rail_dead_is_a_level_fault_even_unplugged():
    monitor = monitor_in(A)
    feed(monitor, 12000, FAULT_PERIODS, -10000)
    assert monitor.faults == 1 << m.FAULT_CP_LEVEL
    monitor = monitor_in(B)
    feed(monitor, 9000, FAULT_PERIODS, -13001)
    assert monitor.faults == 1 << m.FAULT_CP_LEVEL


def test_s6_sampling_that_stands_still_is_no_state():
    monitor = monitor_in(C)
    feed(monitor, 0, LEAVE_PERIODS, 0, 0, 0)
    assert monitor.state == UNKNOWN
    feed(monitor, 0, FAULT_PERIODS, 0, 0, 0)
    assert has(monitor, m.FAULT_SELF_TEST)


def averaged(monitor, n_high, n_low, averages=2):
    feed(
        monitor, 9000 if n_high else 0, averages * DUTY_AVERAGE_COUNTS, -12000 if n_low else 0, n_high, n_low
    )


def test_s6_duty_out_of_tolerance_is_named_after_two_averages():
    for n_high, n_low, bad in (
        (50, 950, False),
        (42, 958, False),
        (41, 959, True),
        (58, 942, False),
        (59, 941, True),
    ):
        monitor = monitor_in(B)
        monitor.read_back.expect(50)
        feed(monitor, 9000, SETTLE_COUNTS)
        averaged(monitor, n_high, n_low, 1)
        assert not monitor.faults
        averaged(monitor, n_high, n_low, 1)
        assert has(monitor, m.FAULT_CP_PWM) == bad, n_high
        averaged(monitor, 50, 950, 1)
        assert not monitor.faults


def test_s6_pwm_that_does_not_run_or_does_not_stop_is_named():
    for duty, n_high, n_low in ((50, 100, 0), (50, 0, 100), (1000, 5, 95), (0, 5, 95), (0, 100, 0)):
        monitor = CpMonitor()
        monitor.read_back.expect(duty)
        feed(monitor, 0, SETTLE_COUNTS, 0, 0, 0)
        averaged(monitor, n_high, n_low)
        assert has(monitor, m.FAULT_CP_PWM), duty


def test_s6_coarse_sample_counts_average_to_the_duty():
    monitor = monitor_in(B)
    monitor.read_back.expect(53)
    feed(monitor, 9000, SETTLE_COUNTS)
    for _ in range(3):
        for index in range(DUTY_AVERAGE_COUNTS):
            feed(monitor, 9000, 1, -12000, 5 + (index % 3 == 0), 95 - (index % 3 == 0))
    assert not monitor.faults


def test_s6_frequency_out_of_tolerance_is_named():
    for period_us, bad in ((979, True), (980, False), (1020, False), (1021, True), (0, True)):
        monitor = monitor_in(B)
        feed(monitor, 9000, SETTLE_COUNTS)
        for _ in range(16):
            monitor.read_back.feed_period(period_us)
        assert has(monitor, m.FAULT_CP_PWM) == bad


def test_s6_frequency_does_not_matter_while_steady():
    monitor = CpMonitor()
    feed(monitor, 12000, 50, 0, 100, 0)
    for _ in range(100):
        monitor.read_back.feed_period(0)
    assert not monitor.faults


def test_readback_restarts_with_a_new_duty():
    monitor = monitor_in(B)
    averaged(monitor, 50, 950, 1)
    monitor.read_back.expect(500)
    feed(monitor, 9000, SETTLE_COUNTS, -12000, 50, 950)
    averaged(monitor, 500, 500, 2)
    assert not monitor.faults


def test_counters_stay_small_however_long_a_state_lasts():
    monitor = monitor_in(B)
    for high_mv, low_mv, n_high, n_low in ((9000, -9000, 5, 95), (0, 0, 0, 0), (15000, -12000, 5, 95)):
        feed(monitor, high_mv, 500, low_mv, n_high, n_low)
        for count in (monitor._agreed, monitor._away, monitor._no_diode, monitor._silent, monitor._invalid):
            assert count <= ENTER_PERIODS


class Drives:
    """Hardware that only remembers what was driven."""

    def __init__(self):
        self.driven = []

    def pilot_drive(self, port, permille):
        self.driven.append((port, permille))


def test_driver_starts_at_x1_and_drives_changes_only():
    hal = Drives()
    driver = PilotDriver(hal, 2, CpMonitor())
    assert hal.driven == [(2, 1000)]
    for mode, duty in ((m.PILOT_PWM, 50), (m.PILOT_PWM, 50), (m.PILOT_STEADY_NEGATIVE, 50)):
        assert driver.set(mode, duty)
    assert driver.set(m.PILOT_STEADY_POSITIVE, 50)
    assert hal.driven == [(2, 1000), (2, 50), (2, 0), (2, 1000)]


def test_driver_refuses_a_duty_no_vehicle_understands():
    hal = Drives()
    driver = PilotDriver(hal, 1, CpMonitor())
    for duty in (0, 29, 971, 1000):
        assert not driver.set(m.PILOT_PWM, duty)
    assert hal.driven == [(1, 1000)] and driver.mode == m.PILOT_STEADY_POSITIVE
    for duty in (30, 970):
        assert driver.set(m.PILOT_PWM, duty)
