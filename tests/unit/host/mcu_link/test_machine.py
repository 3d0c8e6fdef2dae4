"""The host's machine against the real link of the MCU side on a virtual clock."""

from __future__ import annotations

import itertools

import pytest
from unit.host.mcu_link.bench_mcu import IMAGE, Bench, hello

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.station.events import (
    ButtonHeld,
    CpStateChanged,
    DeviceFaultChanged,
    LockChanged,
    McuCrashReported,
    McuLinkLost,
    McuLinkUp,
    McuLogged,
    McuMeasured,
    OutputOverload,
    PortFaultChanged,
    RelayChanged,
)
from vsecc_host.station.values import CpState, LockState, PilotMode
from vsecc_link import messages


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.run(0.2)
    return bench


def test_hello_tells_who_the_mcu_is(bench: Bench) -> None:
    (up,) = bench.of_type(McuLinkUp)
    assert up.image_sha256 == IMAGE.hex()
    assert (up.image_version, up.board, up.reset_cause) == ("1.2.3", "pico", "watchdog")


@pytest.mark.parametrize("start", [0.0, 50.0, 1_073_741.7, 40_000_000.0])
def test_any_host_clock_reading_will_do(start: float) -> None:
    bench = Bench(start=start)
    bench.run(1.0)
    assert len(bench.of_type(McuLinkUp)) == 1
    assert not bench.of_type(McuLinkLost)


def test_grants_are_renewed_every_100_ms(bench: Bench) -> None:
    bench.machine.set_grant(1, True, bench.now)
    bench.run(1.0)
    times = [at for at, relays in bench.grants if relays == 1]
    assert 10 <= len(times) <= 11
    assert max(b - a for a, b in itertools.pairwise(times)) <= 0.102


def test_grants_of_both_ports_share_one_message(bench: Bench) -> None:
    bench.machine.set_grant(1, True, bench.now)
    bench.machine.set_grant(2, True, bench.now)
    bench.run(0.01)
    bench.machine.set_grant(1, False, bench.now)
    bench.run(0.01)
    assert [relays for _, relays in bench.grants[-2:]] == [3, 2]


def test_s3_a_grant_does_not_outlive_the_session(bench: Bench) -> None:
    bench.machine.set_grant(1, True, bench.now)
    bench.cut = True
    bench.run(0.6)
    assert len(bench.of_type(McuLinkLost)) == 1
    bench.cut = False
    bench.grants.clear()
    bench.run(0.5)
    assert len(bench.of_type(McuLinkUp)) == 2
    assert {relays for _, relays in bench.grants} == {0}


def test_s7_mcu_with_another_catalogue_is_refused_once_by_name() -> None:
    bench = Bench(hello=hello(catalogue_crc=1))
    bench.run(3.0)
    (lost,) = bench.of_type(McuLinkLost)
    assert lost.refused
    assert "another message catalogue" in lost.reason
    assert bench.grants == []


def test_s8_mcu_image_outside_the_manifest_gets_no_grant() -> None:
    bench = Bench(config=McuLinkConfig(url="tcp://x:1", allowed_images=frozenset({"ab" * 32})))
    bench.run(1.0)
    (lost,) = bench.of_type(McuLinkLost)
    assert lost.refused
    assert IMAGE.hex() in lost.reason
    assert not bench.machine.set_pilot(1, PilotMode.PWM, 50, bench.now)
    bench.machine.grant(7, bench.now)
    bench.run(0.2)
    assert bench.grants == []
    assert bench.commands == []


def test_s8_mcu_image_of_the_manifest_is_accepted() -> None:
    bench = Bench(config=McuLinkConfig(url="tcp://x:1", allowed_images=frozenset({IMAGE.hex()})))
    bench.run(0.1)
    assert bench.of_type(McuLinkUp)


def test_commands_reach_the_mcu(bench: Bench) -> None:
    machine, now = bench.machine, bench.now
    assert machine.set_pilot(2, PilotMode.PWM, 50, now)
    assert machine.clear_faults(1, now)
    assert machine.set_outputs(0x0F, 0x05, now)
    assert machine.set_lock(1, True, now)
    assert machine.set_led(1, 2, now)
    assert machine.reset_mcu(now)
    bench.run(0.02)
    assert bench.commands == [
        (messages.SET_PILOT, 2, 1, 50),
        (messages.CLEAR_FAULTS, 1),
        (messages.SET_OUTPUTS, 0x0F, 0x05),
        (messages.SET_LOCK, 1, True),
        (messages.SET_LED, 1, 2),
        (messages.RESET, 0x5AFE),
    ]


def test_locks_and_leds_are_told_to_a_restarted_mcu(bench: Bench) -> None:
    bench.machine.set_lock(1, True, bench.now)
    bench.machine.set_pilot(1, PilotMode.PWM, 50, bench.now)
    bench.run(0.02)
    bench.commands.clear()
    bench.machine.disconnected("cable", bench.now)
    bench.machine.connected(bench.now)
    bench.run(0.1)
    assert bench.commands == [(messages.SET_LOCK, 1, True)]


def test_cp_report_becomes_one_event(bench: Bench) -> None:
    bench.fields.update(cp1_state=messages.CP_B)
    bench.report(messages.CP_STATE, bench.ticks_us, 1, messages.CP_B, messages.CP_A, 9000, -12000)
    events = [event for event in bench.run(0.3) if isinstance(event, CpStateChanged) and event.evse_id == 1]
    assert [(e.state, e.previous, e.high_mv, e.low_mv) for e in events] == [
        (CpState.B, CpState.UNKNOWN, 9000, -12000)
    ]


def test_status_repairs_a_report_that_never_came(bench: Bench) -> None:
    bench.fields.update(cp2_state=messages.CP_C, relays_closed=2, cp2_faults=1 << messages.FAULT_PP)
    seen = [event for event in bench.run(0.1) if getattr(event, "evse_id", 0) == 2]
    assert [type(event) for event in seen] == [CpStateChanged, RelayChanged, PortFaultChanged]
    bench.fields.update(cp2_faults=0)
    (released,) = [event for event in bench.run(0.1) if isinstance(event, PortFaultChanged)]
    assert (released.fault, released.latched) == ("PP", False)


def test_report_older_than_the_status_is_not_believed(bench: Bench) -> None:
    old = bench.ticks_us
    bench.fields.update(cp1_state=messages.CP_B)
    bench.run(0.2)
    bench.report(messages.CP_STATE, old, 1, messages.CP_C, messages.CP_A, 6000, -12000)
    assert not [event for event in bench.run(0.1) if isinstance(event, CpStateChanged)]


def test_relay_and_fault_reports(bench: Bench) -> None:
    bench.report(messages.RELAY_STATE, bench.ticks_us, 1, True, messages.OPEN_NOT)
    bench.report(messages.RELAY_STATE, bench.ticks_us, 1, False, messages.OPEN_CP)
    bench.report(messages.RELAY_STATE, bench.ticks_us, 3, True, messages.OPEN_NOT)
    bench.report(messages.FAULT, bench.ticks_us, 2, messages.FAULT_CP_DIODE, True)
    events = bench.run(0.01)
    assert [(e.closed, e.reason) for e in events if isinstance(e, RelayChanged)] == [
        (True, "closed"),
        (False, "CP left C/D"),
    ]
    (fault,) = [event for event in events if isinstance(event, PortFaultChanged)]
    assert (fault.evse_id, fault.fault, fault.latched) == (2, "CP_DIODE", True)


def test_logs_telemetry_and_refusals(bench: Bench) -> None:
    bench.report(messages.LOG, bench.ticks_us, 2, "warm")
    bench.report(messages.REFUSED, messages.SET_OUTPUTS, "not configured")
    bench.report(messages.TELEMETRY, bench.ticks_us, *range(17), 1, 2, *range(4))
    events = bench.run(0.01)
    assert [(e.level, e.text) for e in events if isinstance(e, McuLogged)] == [
        ("warning", "warm"),
        ("warning", "refused SET_OUTPUTS: not configured"),
    ]
    (measured,) = [event for event in events if isinstance(event, McuMeasured)]
    assert measured.values["supply_mv"] == 2
    assert "cp1_high_mv" in measured.values


def test_measured_values_are_telemetry_and_temperatures_together(bench: Bench) -> None:
    temperatures = (messages.TEMPERATURES, *[1_000_000 + 1000 * n for n in range(9)], 1, 2, 0b111111100)
    bench.report(temperatures[0], bench.ticks_us, *temperatures[1:])
    assert not [event for event in bench.run(0.01) if isinstance(event, McuMeasured)]
    bench.report(messages.TELEMETRY, bench.ticks_us, *range(17), 1, 2, *range(4))
    bench.report(temperatures[0], bench.ticks_us, 7, *temperatures[2:])
    first, second = (event for event in bench.run(0.01) if isinstance(event, McuMeasured))
    assert (first.values["supply_mv"], first.values["resistance9_mohm"]) == (2, 1_008_000)
    assert (first.values["lock2_state"], first.values["sensors_open"]) == (2, 1)
    assert (second.values["resistance1_mohm"], second.values["supply_mv"]) == (7, 2)


def test_measured_values_do_not_outlive_a_session(bench: Bench) -> None:
    bench.report(messages.TELEMETRY, bench.ticks_us, *range(17), 1, 2, *range(4))
    bench.run(0.01)
    bench.machine.disconnected("cable", bench.now)
    bench.machine.connected(bench.now)
    bench.run(0.2)
    bench.report(messages.TEMPERATURES, bench.ticks_us, *range(12))
    assert not [event for event in bench.run(0.01) if isinstance(event, McuMeasured)]


def test_lock_button_overload_and_device_fault_reports(bench: Bench) -> None:
    bench.report(messages.LOCK_STATE, bench.ticks_us, 2, messages.LOCK_FAULT)
    bench.report(messages.BUTTON, bench.ticks_us, 5000, True)
    bench.report(messages.OUTPUT_OVERLOAD, bench.ticks_us, 0x8001)
    bench.report(messages.DEVICE_FAULT, bench.ticks_us, messages.DEVICE_EXPANDER, True)
    events = bench.run(0.01)
    (lock,) = [event for event in events if isinstance(event, LockChanged)]
    (button,) = [event for event in events if isinstance(event, ButtonHeld)]
    (overload,) = [event for event in events if isinstance(event, OutputOverload)]
    (fault,) = [event for event in events if isinstance(event, DeviceFaultChanged)]
    assert (lock.evse_id, lock.state) == (2, LockState.FAULT)
    assert (button.held_ms, button.pressed, overload.overloads) == (5000, True, 0x8001)
    assert (fault.fault, fault.present) == ("EXPANDER_DEAD", True)


def test_a_crash_report_comes_in_parts(bench: Bench) -> None:
    def part(number: int, text: str) -> None:
        bench.report(messages.CRASH, bench.ticks_us, 77_000, 3, number, 3, text)

    part(2, "lost its beginning")
    part(1, "MemoryError")
    part(1, "ValueError: ")
    part(2, "x at ")
    part(3, "a.py:1")
    (crash,) = [event for event in bench.run(0.05) if isinstance(event, McuCrashReported)]
    assert (crash.text, crash.uptime_ms, crash.reset_cause) == (
        "ValueError: x at a.py:1",
        77_000,
        "fatal error",
    )


@pytest.mark.parametrize("offset_us", [5, (1 << 30) - 51_500_000])
def test_events_carry_the_time_of_the_mcu(offset_us: int) -> None:
    bench = Bench(delay_s=0.004, offset_us=offset_us)
    bench.run(2.0)
    ticks, at = bench.ticks_us, bench.now
    bench.status_every = 1000
    bench.run(0.05)  # the MCU is late to tell
    bench.report(messages.CP_STATE, ticks, 1, messages.CP_B, messages.CP_A, 9000, -12000)
    (event,) = [event for event in bench.run(0.1) if isinstance(event, CpStateChanged) and event.evse_id == 1]
    assert event.at == pytest.approx(at, abs=0.003)


def test_silence_is_told_after_500_ms(bench: Bench) -> None:
    bench.run(0.1)
    bench.cut = True
    began = bench.now
    bench.run(1.0)
    (lost,) = bench.of_type(McuLinkLost)
    assert lost.reason == "silent for 500 ms"
    assert 0.45 <= lost.at - began <= 0.505


def test_the_same_trouble_is_reported_once() -> None:
    bench = Bench()
    for _ in range(5):
        bench.machine.disconnected("cannot open", bench.now)
        bench.now += 1
    events, _ = bench.machine.take()
    assert [event.reason for event in events if isinstance(event, McuLinkLost)] == ["cannot open"]


def test_nothing_is_believed_before_the_hello() -> None:
    bench = Bench()
    bench.machine.receive(bytes(range(256)) * 4, bench.now)
    events, _ = bench.machine.take()
    assert events == []
    assert bench.machine.counters()["skipped_bytes"] > 0
