"""The real firmware on the emulated board, in virtual time, on every interpreter there is."""

import os
import signal

import pytest
from unit.tools.mcu.rig import Rig

from vsecc_link import messages
from vsecc_sim.mcu.interpreter import find_micropython

MICROPYTHON = find_micropython()
NO_MICROPYTHON = "no MicroPython here: `vsecc sim interpreter --fetch` gets one"
WRAP_US = 1 << 30


@pytest.fixture(params=["in-process", "cpython", "micropython"])
def kind(request):
    """Each way to execute the firmware."""
    if request.param == "micropython":
        if MICROPYTHON is None:
            pytest.skip(NO_MICROPYTHON)
        return MICROPYTHON
    return None if request.param == "cpython" else request.param


@pytest.fixture
def rig(kind):
    with Rig(kind) as made:
        yield made


def test_hello_tells_the_catalogue_and_the_interpreter(rig, kind):
    rig.run_until(lambda: rig.host.hello is not None)
    fields = [field[0] for field in messages.CATALOGUE[messages.HELLO][3]]
    hello = dict(zip(fields, rig.host.hello[1:], strict=True))
    assert hello["catalogue_crc"] == messages.catalogue_crc()
    assert hello["reset_cause"] == 0
    expected = "micropython" if kind is MICROPYTHON and MICROPYTHON else "cpython"
    assert hello["interpreter"].startswith(expected)


@pytest.mark.clause("S1")
@pytest.mark.parametrize("port", [1, 2])
def test_a_to_c_with_grant_closes_only_that_relay(rig, port):
    rig.charge(port)
    assert not rig.board.relays[3 - port].closed
    assert rig.board.ports[port].duty_permille == 50


@pytest.mark.clause("S2")
def test_leaving_c_opens_within_10_ms_whatever_the_phase(rig):
    rig.charge()
    for phase_us in (0, 130, 470, 810, 990):
        rig.mcu.run_for(phase_us)
        left_us = rig.board.now_us
        rig.ev("B")
        rig.run_ms(20)
        assert rig.opened_after_us(left_us) <= 10_000
        rig.ev("C")
        rig.run_until(lambda: rig.board.relays[1].closed)


@pytest.mark.clause("S3")
def test_silent_host_opens_when_the_grant_expires(rig):
    rig.charge()
    rig.run_ms(37)
    rig.host.silent = True
    silent_us = rig.board.now_us
    rig.run_ms(700)
    assert 380_000 <= rig.opened_after_us(silent_us) <= 505_000


@pytest.mark.clause("S4")
def test_hung_firmware_drops_in_20_ms_and_is_reset_within_500_ms(rig):
    rig.charge()
    rig.inject("mcu-hang")
    hung_us = rig.board.now_us
    rig.run_ms(600)
    assert rig.opened_after_us(hung_us) <= 21_000
    reset = rig.board.trace.last("reset")
    assert reset is not None and reset.value == 1 and reset.at_us - hung_us <= 500_000
    assert rig.board.ports[1].duty_permille in (0, 1000)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert not rig.board.relays[1].closed


@pytest.mark.clause("S4")
def test_commanded_reset_opens_and_comes_back(rig):
    rig.charge()
    rig.host.send(messages.RESET, 0x5AFE)
    rig.run_until(lambda: not rig.board.relays[1].closed, within_ms=100)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert rig.host.hello[9] == 2


def test_clock_wraps_while_charging(kind):
    with Rig(kind, start_us=WRAP_US - 1_500_000) as rig:
        rig.charge()
        rig.run_ms(2500)
        assert rig.board.now_us > WRAP_US
        assert rig.board.relays[1].closed
        left_us = rig.board.now_us
        rig.ev("B")
        rig.run_ms(20)
        assert rig.opened_after_us(left_us) <= 10_000


@pytest.mark.parametrize(
    ("fault", "bit"),
    [("cp-short", messages.FAULT_CP_SHORT), ("cp-diode", messages.FAULT_CP_DIODE)],
)
@pytest.mark.clause("S6")
def test_pilot_fault_is_latched_by_name(rig, fault, bit):
    rig.charge()
    rig.inject(fault)
    rig.run_until(lambda: not rig.board.relays[1].closed, within_ms=100)
    rig.run_until(
        lambda: any(m[0] == messages.FAULT and m[3] == bit for m in rig.host.received), within_ms=500
    )
    assert not rig.board.relays[2].closed


@pytest.mark.parametrize("interpreter", [None, pytest.param(MICROPYTHON, marks=pytest.mark.skipif(
    MICROPYTHON is None, reason=NO_MICROPYTHON))])  # fmt: skip
@pytest.mark.clause("S4")
def test_killed_process_opens_like_a_dead_chip(interpreter):
    with Rig(interpreter) as rig:
        rig.charge()
        os.kill(rig.chip.pid, signal.SIGKILL)
        killed_us = rig.board.now_us
        rig.run_ms(400)
        assert rig.opened_after_us(killed_us) <= 21_000
        rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)


@pytest.mark.clause("S4")
def test_soft_reset_opens_although_levels_stay(rig):
    rig.charge()
    rig.inject("mcu-soft-reset")
    reset_us = rig.board.now_us
    rig.run_ms(60)
    assert rig.opened_after_us(reset_us) <= 20_000
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert not rig.board.relays[1].closed


@pytest.mark.clause("S4")
def test_brown_out_opens_and_restarts(rig):
    rig.charge()
    rig.inject("supply", value=5000)
    down_us = rig.board.now_us
    rig.run_ms(5)
    assert rig.opened_after_us(down_us) == 0
    rig.run_ms(500)
    assert rig.board.boots == 1
    rig.inject("supply", active=False)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert messages.RESET_NAMES[rig.host.hello[9]] == "brown-out"


def test_a_supply_that_was_gone_comes_back_as_power_on(rig):
    rig.run_until(lambda: rig.host.ups == 1, within_ms=2000)
    for supply_mv in (5000, 0, 5000):  # on the way down and up again it is too low, too
        rig.inject("supply", value=supply_mv)
        rig.run_ms(5)
    rig.inject("supply", active=False)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert messages.RESET_NAMES[rig.host.hello[9]] == "power-on"


@pytest.mark.clause("S1", "S10")
def test_welded_contact_is_seen_on_its_port_only(rig):
    rig.charge(2)
    rig.inject("relay-weld", 1)
    rig.run_until(lambda: any(m[:1] == (messages.FAULT,) for m in rig.host.received), within_ms=1000)
    faults = [m for m in rig.host.received if m[0] == messages.FAULT]
    assert [(m[2], m[3]) for m in faults] == [(1, messages.FAULT_RELAY_WELDED)]
    assert rig.board.relays[2].closed


@pytest.mark.clause("S7")
def test_noisy_line_never_closes_what_was_not_granted(rig):
    rig.charge(2)
    rig.inject("uart-noise", value=3000)
    rig.ev("C", 1)
    rig.run_ms(1500)
    assert rig.board.trace.first_after(0, "relay1.drive", True) is None


@pytest.mark.clause("S3")
def test_cut_line_opens_and_a_healed_one_asks_for_a_new_session(rig):
    rig.charge()
    rig.inject("uart-cut")
    cut_us = rig.board.now_us
    rig.run_ms(700)
    assert rig.opened_after_us(cut_us) <= 505_000
    rig.inject("uart-cut", active=False)
    rig.run_until(lambda: rig.host.ups == 2, within_ms=2000)
    assert not rig.board.relays[1].closed


@pytest.mark.skipif(MICROPYTHON is None, reason=NO_MICROPYTHON)
def test_both_interpreters_leave_the_same_trace():
    def trace(interpreter):
        with Rig(interpreter) as rig:
            rig.charge()
            rig.ev("B")
            rig.run_ms(50)
            rig.inject("mcu-hang")
            rig.run_ms(300)
            return [entry for entry in rig.board.trace.entries() if not entry.name.startswith("led")]

    one, other = trace(None), trace(MICROPYTHON)
    assert [entry[1:] for entry in one] == [entry[1:] for entry in other]
    # HELLO names the interpreter: a longer name may arrive, and the session stand, one cycle later.
    assert max(abs(a.at_us - b.at_us) for a, b in zip(one, other, strict=True)) <= 1100


@pytest.mark.clause("S2", "S7")
def test_flood_of_garbage_does_not_delay_the_control_path(rig):
    rig.charge()
    garbage = bytes(range(256)) * 4
    for _ in range(100):
        rig.board.uart.host_send(garbage, rig.board.now_us)
        rig.run_ms(1)
    left_us = rig.board.now_us
    rig.ev("B")
    for _ in range(20):
        rig.board.uart.host_send(garbage, rig.board.now_us)
        rig.run_ms(1)
    assert rig.opened_after_us(left_us) <= 10_000
    assert rig.board.boots == 1


@pytest.mark.clause("S10")
def test_fault_on_one_port_leaves_the_other_charging(rig):
    rig.charge(1)
    rig.charge(2)
    rig.inject("cp-short", 1)
    rig.run_until(lambda: not rig.board.relays[1].closed, within_ms=100)
    rig.run_ms(300)
    assert rig.board.relays[2].closed and rig.board.ports[2].duty_permille == 50
