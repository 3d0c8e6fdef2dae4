"""The self-test at start: levels read back, reference, contacts, memory, image."""

from unit.mcu.boards import Bench, closed, keep_granted
from unit.mcu.hosts import Host

from mcu import march, memory_test, self_test, slots
from mcu.self_test import CONTACT_CYCLES, DEAD, GOOD, OFF, VEHICLE, judge_levels
from vsecc_link import messages as m


class Driver:
    """A pilot whose positive and negative levels, mV, are what the driver makes of them."""

    def __init__(self, positive_mv=12000, negative_mv=-12000):
        self.positive_mv = positive_mv
        self.negative_mv = negative_mv


def after_test(drivers=None, reference_mv=2500, dip=None):
    """A bench just before its self-test, with these drivers by port; then the test."""
    bench = Bench(tested=False)
    board = bench.board
    plain = board.pilot_levels

    def levels(port):
        driver = drivers.get(port) if drivers else None
        if driver is None:
            return plain(port)
        level = driver.positive_mv if board.duty[port] else driver.negative_mv
        return (level, 0, 100, 0) if level > -1700 else (0, level, 0, 100)

    board.pilot_levels = levels
    board.reference_mv = lambda: reference_mv
    bench.cycles(200)
    return bench


def test_levels():
    for negative_mv, positive_mv, verdict in (
        (-12000, 12000, GOOD),
        (-12800, 11200, GOOD),
        (-12000, 9000, VEHICLE),
        (-12000, 6000, VEHICLE),
        (-9000, 9000, VEHICLE),  # no diode: the monitor names it under PWM
        (0, 0, VEHICLE),  # a short, or no samples: the monitor names both
        (-12000, 12801, OFF),
        (-11199, 12000, OFF),
        (-13000, 13000, OFF),
        (12000, 12000, DEAD),
        (-12000, -12000, DEAD),
        (9000, 9000, DEAD),
        (0, 12000, DEAD),
    ):
        assert judge_levels(negative_mv, positive_mv) == verdict, (negative_mv, positive_mv)


def test_cycles_without_samples_are_no_levels():
    bench = Bench(tested=False)
    plain = bench.board.pilot_levels
    missing = 0
    while not bench.safety.is_tested:
        # Late cycles, as under load: every third finds nothing new, for one port or for both.
        missing += 1
        late = missing % 3 == 0
        bench.board.pilot_levels = (
            (lambda port: (0, 0, 0, 0) if port == 1 else plain(port)) if late else plain
        )
        bench.cycles(1)
        assert missing < 400
    assert bench.control.self_test.verdicts == [GOOD, GOOD]
    assert not bench.safety.device_faults.mask


def test_what_disturbs_once_is_no_broken_driver():
    bench = Bench(tested=False)
    plain = bench.board.pilot_levels
    bench.board.pilot_levels = lambda port: (0, -9000, 0, 100)
    bench.cycles(20)
    bench.board.pilot_levels = plain
    bench.cycles(200)
    assert bench.safety.is_tested and bench.control.self_test.verdicts == [GOOD, GOOD]
    assert not bench.safety.device_faults.mask


def test_sampling_that_stands_still_does_not_hold_the_test_up():
    bench = Bench(tested=False)
    bench.board.pilot_levels = lambda port: (0, 0, 0, 0)
    bench.cycles(400)
    assert bench.safety.is_tested and bench.control.self_test.levels == [[0, 0], [0, 0]]
    for port in (1, 2):
        bench.plug(port, "C")
    keep_granted(bench, 100)
    assert bench.board.feeds == [0, 0, 0, 0]


def test_s4_drives_both_levels_then_x1_and_no_relay():
    bench = Bench(tested=False)
    assert bench.board.duty[1:] == [0, 0] and not bench.safety.is_tested
    bench.cycles(200)
    driven = [change[2:] for change in bench.board.changes if change[1] == "pilot"]
    assert driven[-2:] == [(1, 1000), (2, 1000)] and bench.safety.is_tested
    assert bench.control.self_test.verdicts == [GOOD, GOOD]
    assert bench.board.feeds == [0, 0, 0, 0]


def test_nothing_closes_and_no_pilot_is_set_before_it_is_over():
    bench = Bench(tested=False)
    for port in (1, 2):
        bench.plug(port, "C")
    while not bench.safety.is_tested:
        assert bench.safety.set_pilot(1, m.PILOT_PWM, 50, bench.hal.ticks_us()) == "self-test is running"
        bench.grant(7)
        bench.cycles(1)
        assert bench.board.feeds == [0, 0, 0, 0]
        assert bench.safety.relays[0].reason == m.OPEN_BOOT
    assert bench.safety.guards[0].monitor.state == m.CP_UNKNOWN


def test_a_dead_driver_is_a_fault_of_its_port_until_a_restart():
    for positive_mv, negative_mv in ((12000, 12000), (-12000, -12000), (13500, -12000), (12000, -10000)):
        bench = after_test({1: Driver(positive_mv, negative_mv)})
        assert bench.safety.guards[0].faults & 1 << m.FAULT_SELF_TEST, (positive_mv, negative_mv)
        assert not bench.safety.guards[1].faults
        bench.board.pilot_levels = lambda port: (12000, 0, 100, 0)
        bench.cycles(300)
        assert bench.safety.guards[0].clear_faults(bench.hal.ticks_us()) == "cause still present"
        assert bench.safety.guards[0].faults & 1 << m.FAULT_SELF_TEST


def test_a_port_with_a_vehicle_is_not_judged_and_the_other_charges_beside_a_dead_one():
    bench = after_test({1: Driver(9000, -12000), 2: Driver(-12000, -12000)})
    assert bench.control.self_test.verdicts == [VEHICLE, DEAD]
    bench = after_test({2: Driver(-12000, -12000)})
    bench.charge(1)
    keep_granted(bench, 200, 3)
    assert closed(bench, 1) and not closed(bench, 2)


def test_both_pilots_off_means_the_converters_reference():
    bench = after_test({1: Driver(13200, -11500), 2: Driver(13200, -11500)})
    assert bench.safety.device_faults.mask & 1 << m.DEVICE_ADC_REFERENCE
    bench = after_test({1: Driver(13200, -11500)})
    assert not bench.safety.device_faults.mask & 1 << m.DEVICE_ADC_REFERENCE
    for reference_mv, good in ((2449, False), (2450, True), (2550, True), (2551, False), (0, False)):
        bench = after_test(reference_mv=reference_mv)
        assert (bench.safety.device_faults.mask & 1 << m.DEVICE_ADC_REFERENCE == 0) == good
        if not good:
            bench.plug(1, "C")
            bench.cycles(40)
            bench.set_pwm(1)
            keep_granted(bench, 300)
            assert not closed(bench) and bench.safety.relays[0].reason == m.OPEN_DEVICE


def test_a_contact_closed_at_start_is_waited_for_and_named():
    for relay in (1, 2, 3):
        bench = Bench(tested=False)
        bench.board.contact[relay] = True
        bench.cycles(60)
        assert not bench.safety.is_tested
        bench.board.contact[relay] = None  # a slow one opens
        bench.cycles(3)
        assert bench.safety.is_tested and not bench.safety.guards[0].faults
        bench = Bench(tested=False)
        bench.board.contact[relay] = True
        bench.cycles(CONTACT_CYCLES + 40)
        assert bench.safety.is_tested
        if relay < 3:
            assert bench.safety.guards[relay - 1].faults == 1 << m.FAULT_RELAY_WELDED


def test_findings_are_told_to_the_host_by_name():
    bench = Bench(tested=False)
    bench.board.contact[3] = True
    bench.board.reference_mv = lambda: 1800
    bench.plug(2, "B")
    bench.cycles(200)
    host = Host(bench).link_up()
    host.cycles(100)
    said = [one[3] for one in host.of(m.LOG)]
    assert "self-test: CP2 -12000 mV, 9000 mV, vehicle there" in said
    assert "self-test: reference reads 1800 mV" in said and "self-test: contacts closed, mask 4" in said
    assert not [line for line in said if "CP1" in line]
    assert host.of(m.DEVICE_FAULT)[-1][2:] == (m.DEVICE_ADC_REFERENCE, True)


class Memory:
    """Words with one fault: a stuck bit, a cell that another drags along, an address that is two cells."""

    def __init__(self, count, kind, at):
        self.words = [0] * count
        self.kind = kind
        self.at = at

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        value = self.words[index]
        if self.kind == "stuck 0" and index == self.at:
            return value & ~0x400
        if self.kind == "stuck 1" and index == self.at:
            return value | 0x400
        return value

    def __setitem__(self, index, value):
        before = self.words[index]
        if self.kind == "address" and index == self.at:
            self.words[index - 1] = value
        if self.kind == "transition" and index == self.at and value & ~before & 0x20:
            value &= ~0x20
        self.words[index] = value
        if self.kind == "coupled up" and index == self.at and value & ~before & 1:
            self.words[self.at - 3] ^= 1
        if self.kind == "coupled down" and index == self.at and before & ~value & 1:
            self.words[self.at + 2] ^= 1


def test_march_finds_every_kind_of_bad_cell():
    for kind in ("stuck 0", "stuck 1", "address", "transition", "coupled up", "coupled down"):
        for at in (3, 17, 61):
            found = [march.march(Memory(64, kind, at), 64, pattern) for pattern in memory_test.BACKGROUNDS]
            assert max(found) >= 0, (kind, at)
    for pattern in memory_test.BACKGROUNDS:
        assert march.march(Memory(64, "none", 0), 64, pattern) == -1


def test_memory_that_fails_blocks_every_relay():
    tested_bytes, bad_at = memory_test.free_heap(8192)
    assert tested_bytes == 8192 and bad_at == -1

    class Broken:
        def free_heap(self):
            return 4096, 12

    bench = Bench()
    assert self_test.check_memory(bench.safety, Broken(), 5) == 4096
    assert bench.safety.device_faults.mask == 1 << m.DEVICE_MEMORY
    bench.plug(1, "C")
    bench.set_pwm(1)
    bench.cycles(40)
    keep_granted(bench, 200)
    assert not closed(bench) and bench.safety.relays[0].reason == m.OPEN_DEVICE


def test_s8_an_image_other_than_recorded_blocks_every_relay():
    for recorded, blocked in ((None, False), (b"\x01" * 32, False), (b"\x02" * 32, True), (b"", True)):
        bench = Bench()
        self_test.check_image(bench.safety, b"\x01" * 32, recorded, 5)
        assert (bench.safety.device_faults.mask == 1 << m.DEVICE_IMAGE) == blocked, recorded
    assert slots.recorded_digest() is None  # no slot here
