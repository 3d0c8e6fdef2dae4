"""Rule S6's latching, S10, and the contact supervision, on the whole program over a fake board."""

from unit.mcu.boards import Bench, closed, disturb, keep_granted

from mcu.safety import CONTACT_TIME_US
from vsecc_link import messages as m

FAULTS_OF_CP = (
    ("short", 1 << m.FAULT_CP_SHORT),
    ("diode", 1 << m.FAULT_CP_DIODE),
    ("level", 1 << m.FAULT_CP_LEVEL),
    ("duty", 1 << m.FAULT_CP_PWM),
    ("period", 1 << m.FAULT_CP_PWM),
    ("sampling", 1 << m.FAULT_SELF_TEST),
)


def test_s6_every_cp_fault_trips_latches_and_survives_its_cause():
    for name, fault in FAULTS_OF_CP:
        bench = Bench()
        bench.charge(1)
        disturb(bench, name)
        keep_granted(bench, 300)
        assert not closed(bench), name
        assert bench.safety.guards[0].faults & fault, name
        bench.plug(1, "C")
        bench.board.period_us[1] = 1000
        keep_granted(bench, 500)
        assert bench.safety.guards[0].faults & fault, name
        assert not closed(bench), name


def test_s6_a_second_fault_does_not_wash_the_first_away():
    bench = Bench()
    bench.charge(1)
    disturb(bench, "short")
    keep_granted(bench, 100)
    bench.plug(1, "B")
    keep_granted(bench, 100)
    disturb(bench, "diode")
    keep_granted(bench, 100)
    assert bench.safety.guards[0].faults == 1 << m.FAULT_CP_SHORT | 1 << m.FAULT_CP_DIODE


def test_s6_faults_clear_only_in_a_or_b_and_with_the_cause_gone():
    for name, _ in FAULTS_OF_CP:
        bench = Bench()
        guard = bench.safety.guards[0]
        bench.charge(1)
        disturb(bench, name)
        keep_granted(bench, 300)
        now = bench.hal.ticks_us()
        assert guard.clear_faults(now) is not None and guard.faults, name
        bench.plug(1, "C")
        bench.board.period_us[1] = 1000
        keep_granted(bench, 500)
        assert guard.clear_faults(bench.hal.ticks_us()) == "CP is not A or B"
        bench.plug(1, "B")
        keep_granted(bench, 300)
        assert guard.clear_faults(bench.hal.ticks_us()) is None, name
        assert not guard.faults


def test_s6_a_fault_whose_cause_stays_is_not_cleared():
    bench = Bench()
    bench.plug(1, "B")
    bench.cycles(30)
    bench.set_pwm(1)
    disturb(bench, "diode")
    keep_granted(bench, 100)
    assert bench.safety.guards[0].clear_faults(bench.hal.ticks_us()) == "cause still present"
    assert bench.safety.guards[0].faults == 1 << m.FAULT_CP_DIODE


def test_s10_faults_of_one_port_never_touch_the_other():
    for name, _ in FAULTS_OF_CP:
        bench = Bench()
        bench.charge(1)
        bench.charge(2)
        bench.grant(3)
        disturb(bench, name, 2)
        keep_granted(bench, 500, 3)
        assert closed(bench, 1) and not closed(bench, 2), name
        assert bench.safety.guards[0].faults == 0
        assert bench.board.duty[1] == 50


def test_relay_that_does_not_close_is_a_fault_in_time():
    bench = Bench()
    bench.charge(1)
    bench.grant(0)
    bench.cycles(200)
    bench.board.contact[1] = False
    bench.grant(1)
    bench.cycles(CONTACT_TIME_US // 1000)
    assert closed(bench) and not bench.safety.guards[0].faults
    bench.cycles(2)
    assert bench.safety.guards[0].faults == 1 << m.FAULT_RELAY_NO_CLOSE
    assert not closed(bench)


def test_welded_relay_is_a_fault_in_time_and_blocks_the_next_close():
    bench = Bench()
    bench.charge(1)
    bench.board.contact[1] = True
    bench.grant(0)
    bench.cycles(CONTACT_TIME_US // 1000)
    assert not bench.safety.guards[0].faults
    bench.cycles(2)
    assert bench.safety.guards[0].faults == 1 << m.FAULT_RELAY_WELDED
    keep_granted(bench, 200)
    assert not closed(bench)
    bench.plug(1, "A")
    bench.cycles(30)
    assert bench.safety.guards[0].clear_faults(bench.hal.ticks_us()) == "cause still present"
    bench.board.contact[1] = None
    bench.cycles(2)
    assert bench.safety.guards[0].clear_faults(bench.hal.ticks_us()) is None


def test_contact_supervision_across_the_tick_wrap():
    for before_us in (0, 1, CONTACT_TIME_US - 1000, CONTACT_TIME_US, CONTACT_TIME_US + 1000):
        bench = Bench((1 << 30) - before_us)
        bench.board.contact[2] = True
        bench.cycles(CONTACT_TIME_US // 1000)
        assert not bench.safety.guards[1].faults, before_us
        bench.cycles(2)
        assert bench.safety.guards[1].faults == 1 << m.FAULT_RELAY_WELDED, before_us


def test_a_mismatch_does_not_age_into_the_past():
    # Half the tick range later the sign of a difference turns; the fault must not go away.
    bench = Bench()
    bench.board.contact[1] = True
    bench.cycles(110)
    for _ in range(6):
        bench.board.time_us += 200_000_000
        bench.control._deadline = bench.hal.ticks_us()
        bench.cycles(2)
        assert bench.safety.relays[0].supervise(bench.hal.ticks_us()) == 1 << m.FAULT_RELAY_WELDED


def test_s1_no_samples_of_either_pilot_is_a_fault_of_the_device():
    bench = Bench()
    bench.charge(1)
    disturb(bench, "sampling", 2)
    keep_granted(bench, 100)
    assert not bench.safety.device_faults.mask and closed(bench)  # one port alone: its own affair
    disturb(bench, "sampling", 1)
    keep_granted(bench, 100)
    assert bench.safety.device_faults.mask == 1 << m.DEVICE_SAMPLING
    assert bench.safety.relays[0].reason == m.OPEN_DEVICE and not closed(bench)
    bench.plug(1, "B")
    keep_granted(bench, 100)
    assert not bench.safety.device_faults.mask


def test_a_contact_that_closes_as_the_relay_is_told_to_open_has_its_whole_time():
    bench = Bench()
    relay = bench.safety.relays[0]
    bench.board.contact[1] = False
    relay.decide(m.OPEN_NOT, 0)
    for now in range(0, CONTACT_TIME_US, 1000):
        assert not relay.supervise(now)
    # 99 ms late it closes, in the very cycle that opens it again.
    bench.board.contact[1] = True
    relay.decide(m.OPEN_CP, CONTACT_TIME_US)
    for now in range(CONTACT_TIME_US, 2 * CONTACT_TIME_US, 1000):
        assert not relay.supervise(now)
    assert relay.supervise(2 * CONTACT_TIME_US) == 1 << m.FAULT_RELAY_WELDED
