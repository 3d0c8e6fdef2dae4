"""The simulated power electronics in exact virtual time."""

from __future__ import annotations

import pytest

from vsecc_host.power.config import PowerConfig
from vsecc_host.power.simulation import FAULTS, PowerSimulation
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, Isolation, PowerPhase


class Battery:
    """400 V behind 0.1 ohm once its contactor is closed; an open cable before."""

    def __init__(self) -> None:
        self.closed = False
        self.voltage_v = 0.0

    def apply(self, voltage_v, current_limit_a, connected, now):
        if not self.closed:
            self.voltage_v = voltage_v if connected and current_limit_a > 0 else self.voltage_v * 0.8
            return self.voltage_v, 0.0
        wanted = max(0.0, (voltage_v - 400.0) / 0.1) if connected else 0.0
        current = min(wanted, current_limit_a)
        return 400.0 + 0.1 * current, current


class Bench:
    """Runs a simulation and keeps what it tells."""

    def __init__(self, config: PowerConfig | None = None, load=None) -> None:
        self.now = 50.0
        self.load = load
        self.power = PowerSimulation(1, config or PowerConfig(), load)
        self.events: list[e.StationEvent] = []
        self.power.start(self.now)
        self._collect()

    def _collect(self) -> None:
        self.events += self.power.take()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.power.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.power.tick(self.now)
            self._collect()
        self.now = end

    def do(self, command: c.Command) -> None:
        self.power.execute(command, self.now)
        self._collect()

    def close(self) -> None:
        self.do(c.PowerSupervision(evse_id=1, relay_closed=True))
        self.do(c.PowerContactors(evse_id=1, closed=True))
        self.wait(0.2)

    def target(self, voltage_v, current_a, phase=PowerPhase.CHARGE) -> None:
        self.do(
            c.PowerTarget(evse_id=1, voltage_v=voltage_v, current_a=current_a, soc_percent=50, phase=phase)
        )

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def last(self):
        return self.of(e.PowerMeasured)[-1].snapshot


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def car():
    bench = Bench(load=Battery())
    bench.close()
    return bench


def test_it_tells_limits_and_state_at_start(bench):
    assert len(bench.of(e.PowerLimitsTold)) == 1
    assert (bench.last.operative, bench.last.contactors_closed, bench.last.voltage_v) == (True, False, 0.0)


def test_status_every_200_ms_when_nothing_moves(bench):
    bench.events.clear()
    bench.wait(10.0)
    assert len(bench.of(e.PowerMeasured)) in (49, 50, 51)


def test_contactors_report_after_their_delay(bench):
    bench.do(c.PowerSupervision(evse_id=1, relay_closed=True))
    bench.do(c.PowerContactors(evse_id=1, closed=True))
    start = bench.now
    bench.wait(0.09)
    assert not bench.last.contactors_closed
    bench.wait(0.05)
    first = next(x for x in bench.of(e.PowerMeasured) if x.snapshot.contactors_closed)
    assert first.at == pytest.approx(start + 0.1, abs=0.021)


def test_contactors_need_the_safety_relay(bench):
    bench.do(c.PowerContactors(evse_id=1, closed=True))
    assert [x.cause for x in bench.of(e.PowerLost)] == [Cause.POWER_REFUSED]
    bench.wait(1.0)
    assert not bench.last.contactors_closed


def test_the_safety_relay_drops_contactors_and_output_at_once(car):
    car.load.closed = True
    car.target(420.0, 100.0)
    car.wait(2.0)
    assert car.last.current_a > 90
    car.do(c.PowerSupervision(evse_id=1, relay_closed=False))
    assert (car.last.contactors_closed, car.last.current_a) == (False, 0.0)
    assert car.last.at == car.now


@pytest.mark.parametrize(
    ("fault", "result"),
    [(None, Isolation.VALID), ("isolation_warning", Isolation.WARNING), ("isolation_fault", Isolation.FAULT)],
)
def test_cable_check(car, fault, result):
    if fault:
        car.power.inject(fault, True, car.now)
    car.do(c.PowerCableCheck(evse_id=1, voltage_v=500.0))
    start = car.now
    car.wait(1.5)
    assert car.last.voltage_v == pytest.approx(500.0)
    assert not car.of(e.CableCheckDone)
    car.wait(3.0)
    done = car.of(e.CableCheckDone)
    assert [x.isolation for x in done] == [result]
    assert done[0].at - start == pytest.approx(500 / 800 + 2.0, abs=0.1)
    assert car.last.isolation is result
    assert car.last.voltage_v < 60


def test_a_cable_check_needs_closed_contactors(bench):
    bench.do(c.PowerCableCheck(evse_id=1, voltage_v=500.0))
    assert [x.cause for x in bench.of(e.PowerLost)] == [Cause.POWER_REFUSED]


def test_a_new_cable_check_forgets_the_old_result(car):
    car.do(c.PowerCableCheck(evse_id=1, voltage_v=500.0))
    car.wait(4.0)
    car.do(c.PowerReset(evse_id=1))
    car.wait(1.0)
    assert car.last.isolation is Isolation.INVALID
    assert not car.last.contactors_closed


def test_pre_charge_is_quick_and_never_overshoots(car):
    car.target(400.0, 2.0, PowerPhase.PRE_CHARGE)
    start = car.now
    car.wait(3.0)
    volts = [(x.at - start, x.snapshot.voltage_v) for x in car.of(e.PowerMeasured) if x.at >= start]
    assert max(v for _, v in volts) <= 400.0
    assert next(at for at, v in volts if v >= 399.0) < 1.0


def test_constant_current_then_constant_voltage(car):
    car.load.closed = True
    car.target(450.0, 100.0)
    car.wait(2.0)
    assert (car.last.current_a, car.last.voltage_v) == (pytest.approx(100.0), pytest.approx(410.0))
    car.target(404.0, 100.0)
    car.wait(2.0)
    assert (car.last.current_a, car.last.voltage_v) == (pytest.approx(40.0), pytest.approx(404.0))


def test_power_limit_bounds_the_current():
    bench = Bench(PowerConfig(max_power_w=20_000.0), Battery())
    bench.close()
    bench.load.closed = True
    bench.target(450.0, 200.0)
    bench.wait(3.0)
    assert bench.last.current_a * bench.last.voltage_v == pytest.approx(20_000.0, rel=0.01)


def test_a_voltage_above_the_rating_is_refused_and_nothing_else_happens(car):
    car.load.closed = True
    car.target(420.0, 50.0)
    car.wait(2.0)
    car.target(1001.0, 50.0)
    assert [x.cause for x in car.of(e.PowerLost)] == [Cause.POWER_REFUSED]
    car.wait(0.5)
    assert (car.last.current_a, car.last.contactors_closed) == (pytest.approx(50.0), True)


def test_current_falls_fast_enough_for_an_emergency(car):
    car.load.closed = True
    car.target(480.0, 400.0)
    car.wait(3.0)
    before = car.last.current_a
    assert before > 300
    car.target(0.0, 0.0, PowerPhase.POST_CHARGE)
    car.wait(1.0)
    assert car.last.current_a < 1.0


def test_after_a_stop_the_outlet_discharges_below_60_v(bench):
    bench.close()
    bench.target(400.0, 2.0, PowerPhase.PRE_CHARGE)
    bench.wait(2.0)
    assert bench.last.voltage_v == pytest.approx(400.0)
    bench.do(c.PowerContactors(evse_id=1, closed=False))
    bench.wait(1.0)
    assert bench.last.voltage_v < 60.0


def test_targets_with_open_contactors_are_ignored(bench):
    bench.target(400.0, 100.0)
    bench.wait(2.0)
    assert (bench.last.voltage_v, bench.last.current_a) == (0.0, 0.0)


def test_without_a_load_the_target_appears(bench):
    bench.close()
    bench.target(400.0, 100.0)
    bench.wait(2.0)
    assert (bench.last.voltage_v, bench.last.current_a) == (pytest.approx(400.0), pytest.approx(100.0))


def test_silent_means_no_status(bench):
    bench.power.inject("silent", True, bench.now)
    bench.events.clear()
    bench.wait(5.0)
    assert bench.events == []
    bench.power.inject("silent", False, bench.now)
    bench.wait(0.5)
    assert bench.of(e.PowerMeasured)


def test_inoperative_switches_everything_off_and_refuses(car):
    car.power.inject("inoperative", True, car.now)
    car.wait(0.5)
    assert (car.last.operative, car.last.contactors_closed) == (False, False)
    car.do(c.PowerContactors(evse_id=1, closed=True))
    assert car.of(e.PowerLost)[-1].cause is Cause.POWER_REFUSED
    car.power.inject("inoperative", False, car.now)
    car.wait(0.5)
    assert car.last.operative


def test_stuck_contactors_stay(car):
    car.power.inject("contactor_stuck", True, car.now)
    car.do(c.PowerContactors(evse_id=1, closed=False))
    car.wait(1.0)
    assert car.last.contactors_closed
    car.power.inject("contactor_stuck", False, car.now)
    car.wait(1.0)
    assert not car.last.contactors_closed


def test_over_temperature_and_derating(bench):
    bench.power.inject("over_temperature", True, bench.now)
    bench.power.inject("derated", True, bench.now)
    bench.wait(0.5)
    assert bench.last.temperature_c > 100
    assert bench.of(e.PowerLimitsTold)[-1].limits.max_power_w == 37_500.0
    bench.power.inject("derated", False, bench.now)
    bench.wait(0.5)
    assert bench.of(e.PowerLimitsTold)[-1].limits.max_power_w == 150_000.0


def test_an_unknown_fault_names_the_known_ones(bench):
    with pytest.raises(ValueError, match=r"no fault fire; there are .*silent"):
        bench.power.inject("fire", True, bench.now)
    assert "silent" in FAULTS


def test_a_command_for_another_part_is_a_mistake(bench):
    with pytest.raises(ValueError, match="not for power electronics"):
        bench.do(c.SetGrant(evse_id=1, allowed=True))


def test_many_targets_do_not_make_many_steps(car):
    car.load.closed = True
    car.target(450.0, 100.0)
    car.wait(2.0)
    car.events.clear()
    for _ in range(1000):
        car.target(450.0, 100.0)
        car.wait(0.001)
    assert len(car.of(e.PowerMeasured)) <= 51
