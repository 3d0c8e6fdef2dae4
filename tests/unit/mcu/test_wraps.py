"""Everything that wraps, with the clock or the counter started shortly before; charging and not."""

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from vsecc_link import frame
from vsecc_link import messages as m
from vsecc_link.link import LOST, UP

TICKS = 1 << 30
MILLISECONDS = 1 << 30
HOLD_MS = 1500


def ups(host):
    return [kind for kind, _ in host.events if kind == UP]


def telemetry(host, name):
    fields = [row[0] for row in m.CATALOGUE[m.TELEMETRY][3]]
    return host.of(m.TELEMETRY)[-1][1 + fields.index(name)]


def status(host, name):
    fields = [row[0] for row in m.CATALOGUE[m.STATUS][3]]
    return host.status.values[fields.index(name)]


def trips_within(bench, limit_ms=4):
    """The vehicle leaves C: open within so many cycles."""
    bench.plug(1, "B")
    bench.cycles(limit_ms)
    return not bench.safety.relays[0].driven


def test_ticks_wrap_at_every_place_of_a_session():
    # The session takes some 250 ms until it charges; the wrap comes before, in and behind every part of it.
    for before_ms in range(5, 400, 23):
        bench = Bench(TICKS - before_ms * 1000 - before_ms)
        host = Host(bench).link_up().charge(1)
        host.cycles(300)
        assert bench.safety.relays[0].closed and ups(host) == [UP], before_ms
        assert trips_within(bench), before_ms
        assert bench.control.cycle_overruns == 0


def test_ticks_wrap_with_no_vehicle_and_no_host():
    bench = Bench(TICKS - 200_000)
    bench.cycles(600)
    assert bench.control.cycle_overruns == 0 and not bench.safety.guards[0].faults
    host = Host(bench).link_up()
    assert host.charge(1).bench.safety.relays[0].closed


def test_ticks_wrap_twice_in_one_session():
    bench = Bench(TICKS - 700_000)
    host = Host(bench).link_up().charge(1)
    host.cycles(HOLD_MS)
    # The rest of the 17.9 min of a round passes in steps short enough for host and guard.
    bench.board.time_us = 2 * TICKS - 400_000
    bench.control._deadline = bench.hal.ticks_us()
    restart = Host(bench)
    restart.link._own = 777
    bench.plug(1, "A")
    restart.link_up().charge(1)
    restart.cycles(HOLD_MS)
    assert bench.board.time_us > 2 * TICKS and bench.safety.relays[0].closed


def test_milliseconds_of_the_link_wrap_while_charging():
    for before_ms in (1, 40, 260, 900):
        bench = Bench()
        bench.link._now_ms = MILLISECONDS - before_ms
        host = Host(bench).link_up().charge(1)
        host.cycles(HOLD_MS)
        assert bench.link._now_ms < MILLISECONDS // 2
        assert bench.safety.relays[0].closed and ups(host) == [UP], before_ms
        assert trips_within(bench)


def test_silence_is_found_across_the_wrap_of_the_milliseconds():
    bench = Bench()
    bench.link._now_ms = MILLISECONDS - 700
    host = Host(bench).link_up().charge(1)
    host.connected = False
    taken = bench.link._grant_ticks
    host.cycles(700)
    opened = [change for change in bench.board.changes if change[1:] == ("open", 1)]
    assert len(opened) == 1 and opened[0][0] - taken <= 500_000


def test_stamps_of_grants_wrap():
    bench = Bench()
    host = Host(bench).link_up()
    host.stamp = 0xFFFF - 6
    host.charge(1)
    host.cycles(HOLD_MS)
    assert bench.safety.relays[0].closed and [kind for kind, _ in host.events].count(LOST) == 0
    assert status(host, "grant_stamp") == host.stamp & 0xFFFF < 100


def test_counters_of_16_bits_wrap_in_telemetry():
    bench = Bench()
    host = Host(bench).link_up().charge(1)
    bench.link.link.parser.good = bench.link.link.parser.bad = 0xFFFF - 2
    bench.link.refused = bench.control.cycle_overruns = 0xFFFF
    bench.board.received += b"\xa5\x5a\xff\x00" * 5
    host.cycles(HOLD_MS)
    assert telemetry(host, "rx_frames") < 1000 and telemetry(host, "rx_bad") < 10
    assert telemetry(host, "cycle_overruns") == 0xFFFF
    assert bench.safety.relays[0].closed


def test_counters_never_leave_small_integers():
    bench = Bench()
    host = Host(bench).link_up().charge(1)
    parser = bench.link.link.parser
    parser.good = parser.bad = parser.skipped_bytes = frame.COUNT_MASK - 2
    bench.link._bad_frames = parser.bad
    bench.link._grant.count = bench.link._grants_taken = frame.COUNT_MASK - 3
    bench.link.refused = bench.link.link.refused = frame.COUNT_MASK
    bench.safety.changes.count = frame.COUNT_MASK
    bench.link.heap_taken = 0
    bench.board.received += b"\xa5\x5a\xff\x00" * 8
    host.cycles(HOLD_MS)
    for count in (parser.good, parser.bad, parser.skipped_bytes, bench.link._grant.count):
        assert count < 5000
    assert 0 <= bench.link.heap_taken < 100_000
    assert bench.safety.relays[0].closed


def test_session_numbers_wrap_past_zero():
    bench = Bench(boot_number=0x1234FFFF)
    host = Host(bench)
    host.link._own = 0xFFFF
    host.link_up().charge(1)
    other = Host(bench)
    other.link._own = 5
    other.link_up()
    assert bench.link.link.session[0] not in (0, 0xFFFF)
    other.charge(2)


def test_acknowledged_numbers_wrap_their_eight_bits():
    bench = Bench()
    host = Host(bench).link_up().charge(1)
    for number in range(300):
        host.send(m.SET_LED, 1, number % 5)
        host.cycles(2)
    host.cycles(50)
    assert bench.board.leds[1] == 299 % 5 and bench.link.link._receiver.expected > 256
    assert ups(host) == [UP] and bench.safety.relays[0].closed


def test_numbers_used_up_end_the_session_and_a_new_one_is_needed():
    bench = Bench()
    host = Host(bench).link_up().charge(1)
    bench.link.link._cyclic_number = frame.NUMBER_MAX - 20
    host.cycles(HOLD_MS)
    assert len(ups(host)) == 2 and not bench.safety.relays[0].driven
    assert bench.board.duty[1] == 1000
    host.charge(1)


def test_numbers_of_the_host_used_up_likewise():
    bench = Bench()
    host = Host(bench).link_up().charge(1)
    host.link._cyclic_number = frame.NUMBER_MAX - 8
    host.cycles(HOLD_MS)
    assert len(ups(host)) == 2 and not bench.safety.relays[0].driven
