"""The loop: S2's bound with collections, S4's watchdog and keep-alive, S5's collector, overruns, crashes."""

from unit.mcu.boards import KEEP_ALIVE_US, Bench
from unit.mcu.hosts import Host

from mcu import main
from mcu.control import (
    CHORES,
    COLLECT_AFTER_BYTES,
    COLLECT_LIMIT_US,
    COLLECT_SLOT,
    CYCLE_US,
    LATE_US,
    PHASE_US,
    RESERVE_BYTES,
    SLEW_US,
    Control,
)
from mcu.hal.sim import Hal

S2_BOUND_US = 10_000
PERIOD_US = 1000


class Pausing:
    """A collector that takes time; `bench` is set after construction."""

    def __init__(self, pause_us=0):
        self.pause_us = pause_us
        self.bench = None
        self.runs = 0

    def __call__(self):
        self.runs += 1
        if self.bench is not None:
            self.bench.board.time_us += self.pause_us


def pausing_bench(pause_us=0):
    collector = Pausing()
    bench = Bench(collect=collector)
    collector.bench = bench
    collector.pause_us = pause_us
    return bench, collector


def opened_after(bench, vehicle_us, letter, collect_in_cycle=None):
    """Time from the vehicle's change to the dropped keep-alive; the pilot shows it a period later."""
    bench.charge(1)
    bench.grant(1)
    bench.cycles(1)
    if collect_in_cycle is not None:
        bench.control._slot = COLLECT_SLOT - 1 - collect_in_cycle & 15
        bench.link.heap_taken = RESERVE_BYTES - 1
    changed_at = bench.board.time_us + vehicle_us
    for _ in range(40):
        if bench.board.time_us >= changed_at + PERIOD_US:
            bench.plug(1, letter)
        bench.cycles(1)
    opened = [change for change in bench.board.changes if change[1:] == ("open", 1)]
    return opened[-1][0] - changed_at


def test_s2_opens_within_10_ms_for_every_phase_and_every_place_of_a_collection():
    worst = 0
    for letter in ("A", "B", "E"):
        for vehicle_us in range(0, 1000, 125):
            for place in range(12):
                bench, _ = pausing_bench(COLLECT_LIMIT_US)
                elapsed = opened_after(bench, vehicle_us, letter, place)
                assert elapsed <= S2_BOUND_US, (letter, vehicle_us, place, elapsed)
                worst = max(worst, elapsed)
    assert worst > COLLECT_LIMIT_US + 2 * CYCLE_US  # the worst case was met


def test_s2_typical_without_a_collection():
    total = 0
    for vehicle_us in range(0, 1000, 50):
        elapsed = opened_after(pausing_bench()[0], vehicle_us, "B")
        assert elapsed <= 4 * CYCLE_US
        total += elapsed
    assert total // 20 <= 4 * CYCLE_US


def test_s2_is_decided_without_any_host():
    bench = Bench()
    bench.charge(1)
    bench.link.step = lambda now: True
    bench.grant(1)
    bench.plug(1, "B")
    bench.cycles(3)
    assert not bench.safety.relays[0].driven


def test_s2_pilot_lost_while_the_loop_is_late():
    bench, _ = pausing_bench()
    bench.charge(1)
    bench.grant(1)
    bench.board.price_us = 450  # each of two readings: 0.9 ms of every cycle
    bench.plug(1, "A")
    start = bench.board.time_us
    bench.cycles(5)
    opened = [change for change in bench.board.changes if change[1:] == ("open", 1)][0]
    assert opened[0] - start <= 4 * CYCLE_US


def test_s4_keep_alive_is_fed_every_4_ms_and_starves_in_time():
    bench = Bench()
    bench.charge(1)
    bench.grant(1)
    before = bench.board.feeds[1]
    bench.cycles(100)
    assert bench.board.feeds[1] - before == 25
    bench.board.time_us += KEEP_ALIVE_US + 1  # the program stalls here
    assert not bench.board.relay_output(1)
    assert KEEP_ALIVE_US < 20_000


def test_s4_watchdog_is_armed_by_the_first_session_and_fed_each_cycle():
    host = Host(Bench())
    host.bench.cycles(300)
    assert host.bench.board.watchdog_fed == 0
    host.link_up()
    before = host.bench.board.watchdog_fed
    host.cycles(100)
    assert host.bench.board.watchdog_fed - before == 100


def test_s4_watchdog_starves_when_any_duty_of_the_cycle_did_not_run():
    for missing in (1, 2, 4, 8, 16):
        host = Host(Bench()).link_up()
        control = host.bench.control
        leave_out(control, missing)
        before = host.bench.board.watchdog_fed
        host.bench.cycles(50)
        assert host.bench.board.watchdog_fed == before, missing


def leave_out(control, bit):
    """The cycle forgets one duty: its bit of the token is missing."""
    protect, step = control.protect, control._link.step

    def protect_less(now):
        protect(now)
        control._token &= ~bit

    def step_less(now):
        return step(now) and bit != 16

    control.protect = protect_less
    control._link.step = step_less


def test_every_chore_has_its_turn():
    for port in (1, 2):
        assert list(CHORES).count(port) == 4
    assert [list(CHORES).count(chore) for chore in (3, 4, 5, 6)] == [1, 1, 1, 1]
    keep_alives = [slot for slot in range(16) if CHORES[slot] == 0]
    assert keep_alives == [0, 4, 8, 12]


def test_s4_an_exception_drops_relays_and_restarts_with_its_cause():
    bench = Bench()
    bench.charge(1)
    board = bench.board

    def broken(port):
        raise ValueError("sensor")

    board.pilot_levels = broken
    hushed = getattr(main.sys, "excepthook", None)
    if hushed:
        main.sys.excepthook = lambda *parts: None
    try:
        main.run(Hal(board))
        ended = None
    except SystemExit:
        ended = "reset"
    finally:
        if hushed:
            main.sys.excepthook = hushed
    assert ended == "reset" and board.reset_with == main.CAUSE_FATAL
    assert not board.relay_output(1) and board.duty[1:] == [0, 0]


def test_s4_a_person_at_the_console_gets_a_safe_device():
    bench = Bench()
    bench.charge(1)
    board = bench.board

    def interrupted(port):
        raise KeyboardInterrupt

    board.pilot_levels = interrupted
    try:
        main.run(Hal(board))
        ended = None
    except KeyboardInterrupt:
        ended = "console"
    assert ended == "console" and board.reset_with is None
    assert not board.relay_output(1) and board.duty[1:] == [0, 0]


def test_s4_boot_drives_x1_and_no_relay():
    bench = Bench()
    assert bench.board.duty[1:] == [1000, 1000]
    assert bench.board.feeds == [0, 0, 0, 0]


def test_s5_collects_while_idle_and_by_traffic_otherwise():
    bench, collector = pausing_bench(1500)
    bench.cycles(4100)
    assert 2 <= collector.runs <= 4
    assert bench.control.collect_max_us == 1500
    bench.charge(1)
    runs = collector.runs
    bench.grant(1)
    bench.cycles(5000)
    assert collector.runs == runs
    bench.link.heap_taken = COLLECT_AFTER_BYTES
    bench.cycles(16)
    assert collector.runs == runs + 1
    assert bench.control.cycle_overruns == 0


def test_s5_a_slow_collector_never_runs_under_power():
    bench, collector = pausing_bench(COLLECT_LIMIT_US + 1)
    bench.control.start()
    bench.charge(1)
    runs = collector.runs
    bench.grant(1)
    bench.link.heap_taken = RESERVE_BYTES - 1
    bench.cycles(50)
    assert collector.runs == runs and bench.safety.relays[0].driven
    bench.link.heap_taken = RESERVE_BYTES
    bench.cycles(16)
    assert collector.runs == runs  # the session is given up first ...
    bench.cycles(16)
    assert not bench.safety.relays[0].driven and collector.runs == runs + 1
    bench.grant(1)
    bench.cycles(5)
    assert not bench.safety.relays[0].driven  # ... and needs a new one
    restart_collector()


def test_cycle_time_and_overruns_are_counted():
    bench = Bench()
    bench.board.price_us = 300
    bench.cycles(100)
    assert bench.control.cycle_max_us == 600 and bench.control.cycle_overruns == 0
    bench.board.price_us = 700
    bench.cycles(10)
    assert bench.control.cycle_max_us == 1400 and 9 <= bench.control.cycle_overruns <= 10


def test_cycles_keep_an_absolute_grid_across_the_tick_wrap():
    bench = Bench((1 << 30) - 50_000)
    bench.board.price_us = 100
    start = bench.board.time_us
    bench.cycles(100)
    assert bench.board.time_us == start + 100 * CYCLE_US


def starts(bench, cycles):
    """When each of the coming cycles begins."""
    times = []
    for _ in range(cycles):
        times.append(bench.board.time_us)
        bench.cycles(1)
    return times


def bench_with_phase(speed, shift_us):
    """A counter of the pilots that is `shift_us` off the board's clock, or stands still (speed 0)."""
    bench = Bench()
    bench.hal.pilot_phase_us = lambda: (speed * bench.board.time_us + shift_us) % CYCLE_US
    return bench


def differences(values):
    return [values[index + 1] - values[index] for index in range(len(values) - 1)]


def test_s2_the_grid_moves_to_its_place_behind_the_pulse_in_small_steps():
    for shift_us in range(0, CYCLE_US, 50):
        times = starts(bench_with_phase(1, shift_us), 40)
        steps = differences(times)
        assert CYCLE_US - SLEW_US <= min(steps) and max(steps) <= CYCLE_US + SLEW_US
        phases = [(at + shift_us) % CYCLE_US for at in times]
        assert min(phases[21:]) == max(phases[21:]) == PHASE_US
        # Never across the pulse: a cycle there would read half of one and half of the next.
        moves = differences(phases)
        assert -SLEW_US <= min(moves) and max(moves) <= SLEW_US


def test_a_counter_that_stands_still_costs_no_more_than_the_step():
    for stuck_us in (0, PHASE_US, 999):
        bench = bench_with_phase(0, stuck_us)
        bench.charge()
        before = len(bench.board.changes)
        steps = differences(starts(bench, 300))
        assert CYCLE_US - SLEW_US <= min(steps) and max(steps) <= CYCLE_US + SLEW_US
        assert len(bench.board.changes) == before  # still charging


def test_s2_a_cycle_that_overslept_is_not_followed_by_one_of_the_same_pulse():
    bench = Bench()
    bench.cycles(10)
    for late_us in (LATE_US + 1, 600, 1000, 5500):
        bench.board.time_us += late_us
        times = starts(bench, 4)
        assert times[1] - times[0] >= CYCLE_US - SLEW_US
    bench.cycles(30)
    bench.board.time_us += LATE_US  # a little late: the grid stays
    times = starts(bench, 4)
    assert times[1] - times[0] == CYCLE_US - LATE_US


def test_run_starts_and_cycles_until_reset():
    bench = Bench()

    def stop(until):
        if bench.board.time_us > 50_000:
            bench.board.reset(9)
        bench.board.time_us = max(bench.board.time_us, until)

    bench.board.idle_until_us = stop
    try:
        bench.control.run()
    except SystemExit:
        pass
    assert bench.board.reset_with == 9 and isinstance(bench.control, Control)
    restart_collector()


def restart_collector():
    """`start` switches the interpreter's own collections off; the tests after this one want them."""
    import gc

    gc.enable()
