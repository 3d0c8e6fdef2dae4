"""Parts of the board one by one: relay, line, port, converter, terminals."""

import pytest

from vsecc_sim.mcu import commands
from vsecc_sim.mcu.board import CAUSE_WATCHDOG, Board
from vsecc_sim.mcu.faults import FAULTS, Fault, UnknownFault, inject
from vsecc_sim.mcu.firmware import pin_table
from vsecc_sim.mcu.line import UartLine
from vsecc_sim.mcu.sampling import PilotSampling


def test_relay_follows_its_pump_with_contact_delays():
    board = Board()
    relay = board.relays[1]
    relay.pump(20_000, 0)
    board.advance(5_999)
    assert relay.driven and not relay.closed
    board.advance(6_000)
    assert relay.closed and relay.feedback
    board.advance(50_000)
    assert not relay.closed
    assert [(e.at_us, e.name, e.value) for e in board.trace.entries()] == [
        (0, "relay1.drive", True),
        (6_000, "relay1.closed", True),
        (20_000, "relay1.drive", False),
        (23_000, "relay1.closed", False),
    ]


def test_relay_faults():
    board = Board()
    inject(board, Fault("relay-no-close", 1))
    board.relays[1].pump(90_000, 0)
    board.advance(50_000)
    assert not board.relays[1].closed
    inject(board, Fault("relay-weld", 2))
    assert board.relays[2].closed
    inject(board, Fault("relay-feedback-stuck", 2, value=0))
    assert board.relays[2].closed and not board.relays[2].feedback


def test_pilot_drive_is_latched_at_the_end_of_the_period():
    board = Board()
    board.advance(10_300)
    board.ports[1].drive(50, board.now_us)
    board.advance(10_999)
    assert board.ports[1].duty_permille == 0
    board.advance(11_000)
    assert board.ports[1].duty_permille == 50


def test_newest_whole_period_is_not_changed_by_a_later_switch():
    board = Board()
    board.ports[1].drive(1000, 0)
    board.advance(10_900)
    commands.obey(board, commands.ev(1, state="C"))
    board.advance(11_100)
    assert board.ports[1].levels(board.now_us)[0] == 12_000
    board.advance(12_000)
    assert 5_900 < board.ports[1].levels(board.now_us)[0] < 6_100


def test_sample_counts_average_to_the_duty():
    board = Board()
    port = board.ports[1]
    port.drive(533, 0)
    board.advance(10_000)
    highs = 0
    for period in range(1000):
        board.advance(10_000 + 1000 * period)
        high_mv, low_mv, high, low = port.levels(board.now_us)
        assert high + low == 100 and high_mv > 0 > low_mv
        highs += high
    assert highs == pytest.approx(53_300, abs=1)


def test_line_stuck_on_one_side_has_no_other():
    board = Board()
    board.ports[1].drive(50, 0)
    inject(board, Fault("cp-stuck-positive", 1))
    board.advance(20_000)
    assert board.ports[1].levels(board.now_us)[3] == 0
    inject(board, Fault("cp-stuck-positive", 1, active=False))
    inject(board, Fault("cp-stuck-negative", 1))
    board.advance(40_000)
    assert board.ports[1].levels(board.now_us)[2] == 0
    assert board.ports[1].measured_period_us() == 0


def test_watchdog_resets_the_pins():
    board = Board()
    board.watchdog_start(150_000)
    board.ports[1].drive(1000, 0)
    board.relays[1].pump(10**9, 0)
    board.advance(149_999)
    assert board.relays[1].closed and board.reset_cause is None
    board.advance(160_000)
    assert board.reset_cause == CAUSE_WATCHDOG and not board.relays[1].closed
    assert board.ports[1].duty_permille == 0 and not board.watchdog_armed


def test_uart_paces_by_the_baud_rate():
    line = UartLine(baud=100_000)
    line.host_send(bytes(range(10)), 0)
    line.advance(350)
    assert line.mcu_read() == bytes(range(3))
    line.advance(1000)
    assert line.mcu_read() == bytes(range(3, 10))


def test_uart_overrun_drops_the_newest_and_counts():
    line = UartLine()
    line.rx_limit = 256
    line.host_send(bytes(range(200)) * 2, 0)
    line.advance(100_000)
    assert line.mcu_read() == (bytes(range(200)) * 2)[:256]
    assert line.overruns == 144


def test_uart_transmit_ring_takes_what_fits():
    line = UartLine()
    assert line.mcu_write(bytes(3000), 0) == 1024
    assert line.tx_free == 0


def test_uart_noise_repeats_by_seed():
    def noisy(seed):
        line, out = UartLine(seed=seed), bytearray()
        line.noise_to_host.flip_ppm = line.noise_to_host.drop_ppm = line.noise_to_host.double_ppm = 50_000
        line.on_host_bytes = out.extend
        line.mcu_write(bytes(1000), 0)
        line.advance(100_000)
        return bytes(out)

    assert noisy(1) == noisy(1) != noisy(2)
    assert noisy(1) != bytes(1000)


def test_converter_grid_and_codes():
    board = Board()
    board.ports[1].drive(50, 0)
    board.ports[2].drive(1000, 0)
    board.advance(5_000)
    sampling = PilotSampling(board, pin_table())
    sampling.set_divider(239 << 8 | 55)
    sampling.set_control(1 << 3, 5_000)
    data, total = b"", 0
    for at_us in (10_000, 15_000):
        board.advance(at_us)
        taken, part = sampling.take(board.now_us)
        total, data = total + taken, data + part
    codes = memoryview(data).cast("H")
    assert total == len(codes) == 1998  # 10 ms at 10.009 us a pair
    first = [code * 30_000 // 4096 - 15_000 for code in codes[0::2]]
    second = {code * 30_000 // 4096 - 15_000 for code in codes[1::2]}
    assert sum(value > 0 for value in first) == pytest.approx(50, abs=2)
    assert min(first) == pytest.approx(-12_000, abs=10) and max(first) == pytest.approx(12_000, abs=10)
    assert len(second) == 1


def test_converter_sees_a_change_at_its_own_time():
    board = Board()
    board.ports[1].drive(1000, 0)
    board.advance(2_000)
    sampling = PilotSampling(board, pin_table())
    sampling.set_control(1 << 3, 2_000)
    board.advance(2_500)
    commands.obey(board, commands.ev(1, state="C"))
    board.advance(3_000)
    codes = memoryview(sampling.take(board.now_us)[1]).cast("H")[0::2]
    assert len(set(codes)) == 2
    assert list(codes).index(min(codes)) == pytest.approx(len(codes) / 2, abs=1)


def test_inputs_by_terminal_name():
    board = Board()
    commands.obey(board, commands.inputs({"d3": True, "a2": 4.2, "dip1": 1, "supply": 23.5}))
    assert board.terminals.digital_inputs == 0b100
    assert board.terminals.analog_mv == [0, 4200]
    assert board.terminals.dip_switches & 1
    assert board.terminals.supply_mv == 23_500


@pytest.mark.parametrize("values", [{"d9": True}, {"a3": 1}, {"dip5": 1}, {"x": 1}, {"d1": "on"}])
def test_unknown_inputs_are_refused(values):
    with pytest.raises(ValueError, match="input"):
        commands.inputs(values)


def test_faults_are_refused_by_name_and_target():
    with pytest.raises(UnknownFault, match="cp-short"):
        inject(Board(), Fault("nothing"))
    with pytest.raises(UnknownFault, match="target"):
        inject(Board(), Fault("cp-short", 3))
    inject(Board(), Fault("relay-weld", 3))


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_goes_on_and_off(name):
    board = Board()
    inject(board, Fault(name))
    board.advance(1_000)
    inject(board, Fault(name, active=False))
    assert not board.relays[1].closed


def test_same_seed_same_trace():
    def trace(seed):
        board = Board(seed=seed)
        board.boot()
        inject(board, Fault("cp-noise", 1))
        board.ports[1].drive(1000, 0)
        board.advance(10_000)
        return board.boot_id, board.ports[1].levels(board.now_us)

    assert trace(1) == trace(1) != trace(2)
