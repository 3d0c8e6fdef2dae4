"""Rules S1 and S3 on the whole program over a fake board; no link involved."""

from unit.mcu.boards import Bench, closed, disturb, keep_granted

from mcu import ticks
from mcu.safety import BLOCKING, GRANT_MAX_MS
from vsecc_link import messages as m


def reason(bench, relay=1):
    return bench.safety.relays[relay - 1].reason


def test_s1_closes_only_when_all_hold():
    bench = Bench()
    bench.charge(1)
    assert closed(bench) and not closed(bench, 2) and not closed(bench, 3)
    assert reason(bench) == m.OPEN_NOT


def test_s1_each_condition_alone_keeps_it_open():
    for letter, faulty, pp_mv, granted, why in (
        ("B", False, 3700, True, m.OPEN_CP),
        ("A", False, 3700, True, m.OPEN_CP),
        ("C", True, 3700, True, m.OPEN_FAULT),
        ("C", False, 4500, True, m.OPEN_PP),
        ("C", False, 3700, False, m.OPEN_NO_GRANT),
    ):
        bench = Bench()
        bench.plug(1, "B")
        bench.cycles(30)
        bench.set_pwm(1)
        bench.plug(1, letter)
        bench.board.pp_mv[1] = pp_mv
        bench.cycles(30)
        if faulty:
            bench.safety.guards[0].faults = 1 << m.FAULT_CP_LEVEL
        keep_granted(bench, 300, 1 if granted else 0)
        assert not closed(bench)
        assert reason(bench) == why
        assert bench.board.feeds[1] == 0


def test_s1_d_allows_as_c_does():
    bench = Bench()
    bench.charge(1)
    bench.plug(1, "D")
    keep_granted(bench, 100)
    assert closed(bench) and bench.safety.guards[0].monitor.state == m.CP_D


def test_s1_opens_when_any_condition_goes():
    for change in ("cp", "pp", "grant", "fault"):
        bench = Bench()
        bench.charge(1)
        bench.grant(1)
        if change == "cp":
            bench.plug(1, "B")
        elif change == "pp":
            bench.board.pp_mv[1] = 2800
        elif change == "grant":
            bench.grant(0)
        else:
            disturb(bench, "diode")
        bench.cycles(25)
        assert not closed(bench), change
        assert not bench.board.relay_output(1)


def test_s1_pp_supervision_has_a_switch_per_port_and_cp_has_none():
    for port in (1, 2):
        for dip in range(16):
            bench = Bench()
            bench.board.pp_mv[port] = 4500
            bench.board.dip = dip | 0b1100
            bench.set_pwm(port)
            bench.plug(port, "C")
            bench.cycles(40)
            keep_granted(bench, 100, 1 << port - 1)
            assert closed(bench, port) == (dip >> port - 1 & 1 == 1)
            bench.plug(port, "B")
            keep_granted(bench, 100, 1 << port - 1)
            assert not closed(bench, port)


def test_s1_pp_ranges():
    for pp_mv, good in (
        (999, False),
        (1000, True),
        (2200, True),
        (2201, False),
        (3299, False),
        (3300, True),
        (4101, False),
    ):
        bench = Bench()
        bench.board.pp_mv[1] = pp_mv
        bench.cycles(40)
        assert bench.safety.guards[0].proximity.ok == good, pp_mv


def test_s1_cc1_supervision_has_a_switch_for_ac_and_dc_and_concerns_rel2_only():
    for port in (1, 2):
        for dip in range(16):
            for ac_mv, dc_mv in ((4000, 4000), (4000, 6000), (6000, 4000), (12000, 0)):
                bench = Bench()
                bench.board.dip = dip
                bench.board.cc1 = [ac_mv, dc_mv]
                bench.set_pwm(port)
                bench.plug(port, "C")
                bench.cycles(40)
                keep_granted(bench, 100, 1 << port - 1)
                satisfied = (dip & 4 or ac_mv == 4000) and (dip & 8 or dc_mv == 4000)
                assert closed(bench, port) == bool(port == 1 or satisfied), (port, dip, ac_mv, dc_mv)
                if not closed(bench, port):
                    assert reason(bench, port) == m.OPEN_CC1


def test_s1_cc1_ranges():
    for cc1_mv, good in (
        (3199, False),
        (3200, True),
        (4800, True),
        (4801, False),
        (0, False),
        (12000, False),
    ):
        bench = Bench()
        bench.board.dip = 0b1000
        bench.board.cc1[0] = cc1_mv
        bench.cycles(40)
        assert bench.safety.guards[1].cc1_ok == good, cc1_mv


def test_s1_cc1_lost_under_power_is_a_latched_fault_of_port_2():
    for kind in (0, 1):
        bench = Bench()
        bench.board.dip = 0
        bench.board.cc1 = [4000, 4000]
        bench.charge(1)
        bench.charge(2)
        bench.grant(3)
        bench.board.cc1[kind] = 6000
        bench.cycles(40)
        assert bench.safety.guards[1].faults == 1 << m.FAULT_CC1 and not closed(bench, 2)
        assert closed(bench, 1) and not bench.safety.guards[0].faults
        bench.board.cc1[kind] = 4000
        keep_granted(bench, 200, 3)
        assert not closed(bench, 2) and reason(bench, 2) == m.OPEN_FAULT


def test_s1_a_device_that_is_not_fit_closes_nothing_and_uses_the_grant_up():
    for fault in range(len(m.DEVICE_FAULT_NAMES)):
        bench = Bench()
        bench.charge(1)
        bench.charge(2)
        bench.grant(3)
        bench.safety.device_faults.set(fault, True, bench.hal.ticks_us())
        bench.cycles(1)
        blocks = BLOCKING >> fault & 1 == 1
        assert closed(bench, 1) == closed(bench, 2) == (not blocks), m.DEVICE_FAULT_NAMES[fault]
        if blocks:
            assert reason(bench) == m.OPEN_DEVICE
            bench.safety.device_faults.set(fault, False, bench.hal.ticks_us())
            bench.cycles(5)
            assert not closed(bench) and reason(bench) == m.OPEN_NO_GRANT
            keep_granted(bench, 100, 3)
            assert closed(bench)


def test_s1_pp_lost_under_power_is_a_latched_fault():
    bench = Bench()
    bench.charge(1)
    bench.board.pp_mv[1] = 4500
    bench.cycles(30)
    assert bench.safety.guards[0].faults == 1 << m.FAULT_PP
    bench.board.pp_mv[1] = 3700
    keep_granted(bench, 200)
    assert not closed(bench) and reason(bench) == m.OPEN_FAULT


def test_s1_one_disturbed_reading_of_pp_opens_nothing_two_do():
    for readings in (1, 2):
        bench = Bench()
        bench.charge(1)
        bench.grant(1)
        bench.board.pp_mv[1] = 5000
        bench.cycles(16 * readings)  # each holds one reading
        bench.board.pp_mv[1] = 3700
        bench.cycles(32)
        assert closed(bench) == (readings == 1)


def test_s1_relay_three_stays_open_whatever_is_granted():
    bench = Bench()
    bench.charge(1)
    bench.charge(2)
    keep_granted(bench, 300, 7)
    assert closed(bench, 1) and closed(bench, 2) and not closed(bench, 3)
    assert bench.board.feeds[3] == 0


def test_s1_a_grant_outside_c_and_d_does_nothing():
    bench = Bench()
    bench.plug(1, "B")
    bench.cycles(30)
    bench.set_pwm(1)
    bench.grant(1)
    bench.plug(1, "C")
    bench.cycles(100)
    assert not closed(bench) and reason(bench) == m.OPEN_NO_GRANT
    bench.grant(1)
    bench.cycles(1)
    assert closed(bench)


def test_s1_a_grant_taken_in_the_cycle_before_c_is_confirmed_does_nothing():
    for early in range(25):
        bench = Bench()
        bench.plug(1, "B")
        bench.cycles(30)
        bench.set_pwm(1)
        bench.plug(1, "C")
        bench.cycles(early)
        confirmed = bench.safety.guards[0].monitor.is_energy
        bench.grant(1)
        bench.cycles(30)
        assert closed(bench) == confirmed, early


def test_s1_leaving_c_uses_the_grant_up():
    bench = Bench()
    bench.charge(1)
    bench.grant(1)
    bench.plug(1, "B")
    bench.cycles(20)
    bench.plug(1, "C")
    bench.cycles(100)
    assert not closed(bench)


def test_s1_boot_default_is_open():
    bench = Bench()
    assert reason(bench) == m.OPEN_BOOT and not closed(bench)
    bench.grant(7)
    bench.cycles(5)
    assert not closed(bench)
    assert [change for change in bench.board.changes if change[1] == "close"] == []


def open_time_after_last_grant(start_us, valid_ms=GRANT_MAX_MS):
    """Virtual time from the grant to the opened relay."""
    bench = Bench(start_us)
    bench.charge(1)
    bench.grant(1, valid_ms)
    taken = bench.board.time_us
    bench.cycles(600)
    opened = [change for change in bench.board.changes if change[1:] == ("open", 1)]
    assert len(opened) == 1
    return opened[0][0] - taken, bench


def test_s3_grant_expires_at_exactly_500_ms():
    elapsed, _ = open_time_after_last_grant(0)
    assert elapsed == 500_000


def test_s3_a_shorter_validity_is_kept_and_a_longer_one_is_cut():
    assert open_time_after_last_grant(0, 120)[0] == 120_000
    assert open_time_after_last_grant(0, 5000)[0] == 500_000


def test_s3_grants_every_100_ms_hold_the_relay():
    bench = Bench()
    bench.charge(1)
    keep_granted(bench, 3000)
    assert closed(bench)
    assert [change for change in bench.board.changes if change[1] == "open"] == []


def test_s3_relay_first_then_steady_pilot():
    _, bench = open_time_after_last_grant(0)
    events = [change for change in bench.board.changes if change[1] in ("open", "pilot")][-2:]
    assert events[0][1:] == ("open", 1) and events[1][1:] == ("pilot", 1, 1000)
    assert events[0][0] < events[1][0] <= events[0][0] + 1000
    assert reason(bench) == m.OPEN_GRANT_EXPIRED


def test_s3_after_silence_a_new_set_pilot_is_needed():
    _, bench = open_time_after_last_grant(0)
    keep_granted(bench, 500)
    assert not closed(bench)
    bench.set_pwm(1)
    keep_granted(bench, 200)
    assert closed(bench)


def test_s3_after_a_restart_grants_alone_do_nothing():
    bench = Bench()
    bench.plug(1, "C")
    bench.cycles(40)
    keep_granted(bench, 500)
    assert not closed(bench) and reason(bench) == m.OPEN_NO_GRANT
    bench.set_pwm(1)
    keep_granted(bench, 100)
    assert closed(bench)


def test_s3_silence_before_any_grant_also_steadies_the_pilot():
    bench = Bench()
    bench.plug(2, "B")
    bench.cycles(30)
    bench.set_pwm(2)
    bench.cycles(500)
    assert bench.board.duty[2] == 50
    bench.cycles(2)
    assert bench.board.duty[2] == 1000


def test_s3_a_host_that_grants_nothing_is_alive():
    bench = Bench()
    bench.plug(1, "B")
    bench.cycles(30)
    bench.set_pwm(1)
    keep_granted(bench, 2000, 0)
    assert bench.board.duty[1] == 50


def test_s3_set_pilot_does_not_prolong_a_grant():
    bench = Bench()
    bench.charge(1)
    bench.grant(1)
    bench.cycles(400)
    bench.set_pwm(1)
    bench.cycles(98)
    assert closed(bench)
    bench.cycles(3)
    assert not closed(bench) and reason(bench) == m.OPEN_GRANT_EXPIRED


def test_s3_a_lost_session_opens_at_once():
    bench = Bench()
    bench.charge(1)
    bench.grant(1)
    bench.safety.lose_host()
    bench.cycles(2)
    assert not closed(bench) and bench.board.duty[1] == 1000


def test_s3_withdrawing_opens_with_the_next_cycle():
    for relays, valid_ms in ((0, 500), (1, 0)):
        bench = Bench()
        bench.charge(1)
        bench.grant(relays, valid_ms)
        bench.cycles(1)
        assert not closed(bench) and reason(bench) == m.OPEN_NO_GRANT
        assert bench.board.duty[1] == 50


def test_s3_tick_wrap_at_each_time_constant():
    # The grant is taken just before, at and just after the wrap; the charge phase takes 95 ms.
    for before_us in (0, 1, 500, 1000, 499_999, 500_000, 500_001, 94_000, 96_000):
        start = (1 << 30) - 95_000 - before_us
        assert open_time_after_last_grant(start)[0] == 500_000, before_us


def test_ticks_differences():
    for later, earlier, expected in (
        (5, 3, 2),
        (3, 5, -2),
        (0, (1 << 30) - 1, 1),
        ((1 << 30) - 1, 0, -1),
        (1 << 29, 1, (1 << 29) - 1),
        (0, 0, 0),
    ):
        assert ticks.diff(later, earlier) == expected
        assert ticks.add(earlier, expected) == later
