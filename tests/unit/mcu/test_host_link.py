"""The conversation with the host: hello, grants, reports, refusals, hostile lines (rule S7)."""

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host
from unit.protocol.wires import Random

from mcu.image import VERSION
from vsecc_link import messages as m
from vsecc_link.link import FOREIGN, UP


def linked(bench=None):
    return Host(bench or Bench()).link_up()


def field(host, name):
    """Newest STATUS value by its catalogue name."""
    names = [row[0] for row in m.CATALOGUE[m.STATUS][3]]
    return host.status.values[names.index(name)]


def test_hello_tells_who_we_are():
    host = linked()
    kind, hello = host.events[0]
    assert kind == UP and hello[0] == m.HELLO
    assert hello[3] == m.catalogue_crc() and hello[4] == 1_000_000
    assert hello[5] == b"\x00" * 32 and hello[6] == VERSION and hello[7] == "simulated"
    assert hello[10] == 0x12345678


def test_a_new_session_is_told_everything():
    host = linked()
    host.cycles(60)
    assert [(one[2], one[3]) for one in host.of(m.CP_STATE)][-2:] == [(1, m.CP_A), (2, m.CP_A)]
    assert len(host.of(m.RELAY_STATE)) >= 3
    assert {one[2] for one in host.of(m.RELAY_STATE)} == {1, 2, 3}


def states_told(host):
    return [one for kind in (m.CP_STATE, m.RELAY_STATE, m.LOCK_STATE) for one in host.of(kind)]


def test_a_new_session_is_told_each_state_once():
    bench = Bench()
    host = linked(bench)
    host.cycles(60)
    told = states_told(host)
    assert len(told) == len(set(told)) >= 7
    other = Host(bench)
    other.link._own = 777
    bench.plug(1, "B")  # something changes while the new session comes up
    other.link_up().cycles(60)
    told = states_told(other)
    assert len(told) == len(set(told))
    assert [one[2] for one in told if one[0] == m.RELAY_STATE] == [1, 2, 3]
    assert {one[2] for one in told if one[0] == m.LOCK_STATE} == {1, 2}
    assert [one[3] for one in told if one[0] == m.CP_STATE and one[2] == 1][-1] == m.CP_B


def test_cp_change_is_reported_with_its_ticks_and_levels():
    host = linked()
    host.cycles(50)
    host.bench.plug(2, "B")
    host.cycles(30)
    event = host.of(m.CP_STATE)[-1]
    monitor = host.bench.safety.guards[1].monitor
    assert event == (m.CP_STATE, monitor.changed_ticks, 2, m.CP_B, m.CP_A, 9000, 0)


def test_status_every_20_ms_and_at_once_after_a_change():
    host = linked()
    host.cycles(50)
    before = host.status.count
    host.cycles(1000)
    assert 49 <= host.status.count - before <= 51
    host.bench.plug(1, "B")
    for _ in range(12):
        host.cycles(1)
    assert field(host, "cp1_state") == m.CP_B


def test_status_fields():
    host = linked().charge(1)
    host.cycles(150)
    assert field(host, "relays_closed") == 1 and field(host, "relays_driven") == 1
    assert field(host, "cp1_state") == m.CP_C and field(host, "cp1_high_mv") == 6000
    assert field(host, "cp1_low_mv") == -12000 and field(host, "cp1_duty_permille") == 50
    assert field(host, "cp2_state") == m.CP_A and field(host, "cp2_duty_permille") == 1000
    assert field(host, "pp1_mv") == 3700 and field(host, "cp1_faults") == 0
    assert field(host, "grant_stamp") == host.stamp


def test_telemetry_every_200_ms():
    host = linked()
    host.bench.board.inputs = 0x81
    host.cycles(1500)
    telemetry = host.of(m.TELEMETRY)
    assert 6 <= len(telemetry) <= 8
    assert telemetry[-1][2] == 0x81 and telemetry[-1][4:7] == (24000, 1000, 2000)


def test_session_by_messages_alone():
    host = linked().charge(1)
    host.cycles(2000)
    assert host.bench.safety.relays[0].closed
    assert host.of(m.RELAY_STATE)[-1][2:] == (1, True, m.OPEN_NOT)
    host.bench.plug(1, "B")
    host.cycles(60)
    assert host.of(m.RELAY_STATE)[-1][2:] == (1, False, m.OPEN_CP)
    assert host.bench.safety.relays[0].changed_ticks >= host.of(m.CP_STATE)[-1][1]


def test_faults_are_reported_by_number_and_cleared():
    host = linked().charge(1)
    host.bench.plug(1, "E")
    host.cycles(100)
    assert host.of(m.FAULT)[-1][2:] == (1, m.FAULT_CP_SHORT, True)
    host.send(m.CLEAR_FAULTS, 1)
    host.cycles(30)
    assert host.of(m.REFUSED)[-1][1:] == (m.CLEAR_FAULTS, "CP is not A or B")
    host.bench.plug(1, "A")
    host.cycles(100)
    host.send(m.CLEAR_FAULTS, 1)
    host.cycles(30)
    assert host.of(m.FAULT)[-1][2:] == (1, m.FAULT_CP_SHORT, False)
    assert field(host, "cp1_faults") == 0


def test_outputs_lock_and_leds():
    host = linked()
    host.send(m.SET_OUTPUTS, 0x00FF, 0xFFFF)
    host.send(m.SET_OUTPUTS, 0x000F, 0x0003)
    host.send(m.SET_LED, 2, 3)
    host.send(m.SET_LOCK, 1, True)
    host.cycles(50)
    board = host.bench.board
    assert board.outputs == 0x00F3 and board.leds[2] == 3 and board.locks[1] == 1
    host.charge(1)
    host.send(m.SET_LOCK, 1, False)
    host.cycles(30)
    assert board.locks[1] == 1
    assert host.of(m.REFUSED)[-1][1:] == (m.SET_LOCK, "relay is not open")


def test_refused_duty_is_answered_and_counted():
    host = linked()
    host.send(m.SET_PILOT, 1, m.PILOT_PWM, 10)
    host.cycles(30)
    assert host.of(m.REFUSED)[-1][1] == m.SET_PILOT
    assert host.bench.link.refused == 1 and host.bench.board.duty[1] == 1000


def test_reset_drops_everything_first_then_restarts():
    host = linked().charge(1)
    host.send(m.RESET, 0x5AFE)
    try:
        host.cycles(100)
    except SystemExit:
        pass
    assert host.bench.board.reset_with == 2
    assert not host.bench.board.relay_output(1)


def test_log_lines_arrive_in_order():
    host = linked()
    for number in range(3):
        host.bench.link.log(1, "line %d" % number)
    host.cycles(50)
    assert [one[3] for one in host.of(m.LOG)][1:] == ["line 0", "line 1", "line 2"]


def test_log_beyond_its_room_is_dropped():
    bench = Bench()
    for number in range(50):
        bench.link.log(1, "line %d" % number)
    host = Host(bench).link_up()
    host.cycles(100)
    assert [one[3] for one in host.of(m.LOG)][:8] == ["line %d" % number for number in range(8)]


def test_s3_cable_cut_opens_within_500_ms_of_the_last_grant():
    host = linked().charge(1)
    host.cycles(250)
    taken = host.bench.link._grant_ticks
    host.connected = False
    host.cycles(700)
    opened = [change for change in host.bench.board.changes if change[1:] == ("open", 1)]
    assert len(opened) == 1 and opened[0][0] - taken <= 500_000
    assert host.bench.board.duty[1] == 1000
    host.connected = True
    host.cycles(1500)
    assert host.link.up and not host.bench.safety.relays[0].driven


def test_s3_a_new_session_ends_the_grants_of_the_old_one_at_once():
    bench = Bench()
    linked(bench).charge(1)
    start = bench.board.time_us
    other = Host(bench)
    other.link._own = 777
    other.grant_relays = 1
    other.link_up().cycles(120)
    opened = [change for change in bench.board.changes if change[1:] == ("open", 1)]
    assert opened and opened[0][0] - start < 250_000
    other.cycles(300)
    assert not bench.safety.relays[0].driven and bench.board.duty[1] == 1000


def test_s7_a_recording_of_another_start_does_nothing():
    bench = Bench(boot_number=0x12340001)
    bench.plug(1, "C")
    bench.cycles(50)
    other = linked().charge(1)
    bench.board.received = b"".join(other.wire_log)
    bench.cycles(200)
    assert not bench.safety.relays[0].driven and bench.board.duty[1] == 1000


def test_s7_replayed_frames_change_nothing():
    host = linked().charge(1)
    recorded = list(host.wire_log)
    host.bench.plug(1, "B")
    host.cycles(50)
    host.send(m.SET_PILOT, 1, m.PILOT_STEADY_POSITIVE, 0)
    host.cycles(50)
    host.grant_relays = 0
    host.cycles(200)
    host.bench.plug(1, "C")
    host.cycles(100)
    count = len(host.bench.board.changes)
    for data in recorded:
        host.bench.board.received += data
        host.cycles(3)
    assert host.bench.board.changes[count:] == []
    assert not host.bench.safety.relays[0].driven


def test_s7_frames_of_a_session_before_change_nothing():
    bench = Bench()
    first = Host(bench).link_up()
    first.charge(1)
    recorded = [data for data in first.wire_log if len(data) > 60 or len(data) < 50]
    second = Host(bench)
    second.link._own = 777
    second.link_up()
    second.cycles(50)
    bench.plug(1, "C")
    second.grant_relays = 0
    second.cycles(50)
    count = len(bench.board.changes)
    for data in recorded[1:]:
        bench.board.received += data[: len(data)]
        second.cycles(1)
    assert [change for change in bench.board.changes[count:] if change[1] == "close"] == []


def test_s7_hostile_bytes_move_no_output():
    for seed in range(6):
        host = linked()
        bench = host.bench
        bench.plug(1, "C")
        bench.plug(2, "C")
        host.grant_relays = 0
        host.cycles(60)
        random = Random(seed)
        before = (
            list(bench.board.changes),
            bench.board.outputs,
            list(bench.board.leds),
            list(bench.board.locks),
        )
        for _ in range(400):
            noise = bytearray()
            for _ in range(random.below(120)):
                noise.append(random.below(256))
            if random.chance(1, 3):
                noise += b"\xa5\x5a"
            bench.board.received += bytes(noise)
            host.cycles(1)
        after = (
            list(bench.board.changes),
            bench.board.outputs,
            list(bench.board.leds),
            list(bench.board.locks),
        )
        assert before[1:] == after[1:]
        assert [one for one in after[0][len(before[0]) :] if one[1] == "close" or one[-1] == 50] == []


def every_flip(bench, data):
    """Deliver the frame once per bit of it, that bit flipped."""
    for index in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[index >> 3] ^= 1 << (index & 7)
        bench.link.link.parser.reset()
        bench.board.received = bytes(flipped)
        bench.cycles(1)
    bench.link.link.parser.reset()


def test_s7_no_bit_of_a_command_may_flip():
    host = linked()
    bench = host.bench
    host.cycles(60)
    host.send(m.SET_PILOT, 1, m.PILOT_PWM, 50)
    _, data = host.link.take()
    every_flip(bench, data)
    assert bench.board.duty[1] == 1000
    bench.board.received = data
    bench.cycles(2)
    assert bench.board.duty[1] == 50


def test_s7_no_bit_of_a_grant_may_flip():
    host = linked().charge(1)
    bench = host.bench
    host.grant_relays = 0
    host.cycles(120)
    assert not bench.safety.relays[0].driven
    host.grant_relays = 1
    host.grant()
    _, data = host.link.take()
    every_flip(bench, data)
    assert not bench.safety.relays[0].driven
    bench.board.received = data
    bench.cycles(2)
    assert bench.safety.relays[0].driven


def test_s7_a_foreign_catalogue_is_refused_by_name():
    bench = Bench()
    host = Host(bench, (m.HELLO_REQUEST, 1, 0, 0xDEADBEEF, "old"))
    host.cycles(400)
    assert not host.link.up and not bench.link.was_up
    texts = [value for kind, value in host.events if kind == FOREIGN]
    assert texts and "catalogue" in texts[0]
    bench.plug(1, "C")
    host.grant_relays = 1
    host.cycles(200)
    assert not bench.safety.relays[0].driven


def test_a_full_uart_delays_but_loses_nothing():
    host = linked()
    host.bench.board.uart_room = 7
    host.bench.plug(1, "B")
    host.cycles(600)
    assert host.of(m.CP_STATE)[-1][2:4] == (1, m.CP_B)
    assert host.link.parser.bad == 0


def test_a_uart_nobody_reads_never_stops_the_loop():
    host = linked().charge(1)
    host.bench.board.uart_room = 0
    host.bench.plug(1, "B")
    host.cycles(10)
    assert not host.bench.safety.relays[0].driven
    host.cycles(3000)
    assert host.bench.control.cycle_overruns == 0


def test_milliseconds_of_the_link_run_across_the_tick_wrap():
    bench = Bench((1 << 30) - 3_000_000)
    host = Host(bench).link_up().charge(1)
    host.cycles(5000)
    assert host.link.up and bench.safety.relays[0].closed
    assert [kind for kind, _ in host.events if kind == UP] == [UP]


def test_s3_the_validity_of_a_grant_is_the_hosts():
    host = Host(Bench()).link_up()
    host.charge(1)
    host.grant_relays = None
    host.link.send((m.GRANT, 1, 1, 60), host.now_ms())
    host.cycles(50)
    assert host.bench.safety.relays[0].driven
    host.cycles(20)
    assert host.bench.safety.relays[0].reason == m.OPEN_GRANT_EXPIRED


def test_s10_faults_are_cleared_on_the_port_that_was_asked_for():
    host = Host(Bench()).link_up()
    host.cycles(30)  # state A is confirmed
    for port in (1, 2):
        host.bench.safety.guards[port - 1].faults = 1 << m.FAULT_PP
    host.send(m.CLEAR_FAULTS, 2)
    host.cycles(5)
    assert [guard.faults for guard in host.bench.safety.guards] == [1 << m.FAULT_PP, 0]
