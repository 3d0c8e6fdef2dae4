"""Valid requests in any order, with any content, at any time, in both protocols.

`Outlet` judges: one answer of the right type for each request or a closed connection, nothing good after a
FAILED, current only in the charge loop, permission and contactors by the station's rules, and afterwards the
next car charges.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from unit.host.v2g import given as din
from unit.host.v2g.car import Car
from unit.host.v2g.iso2 import given as iso2
from unit.host.v2g.iso2.car import Iso2Car
from unit.host.v2g.outlet import Outlet

from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import CpState, Phase
from vsecc_host.v2g.dc.kinds import Kind as K

WAITS = st.sampled_from([0.001, 0.02, 0.1, 0.5, 1.6, 3.1, 5.1, 11.0, 61.0])


def varied(draw: st.DrawFn, value: Any) -> Any:
    """The same message with other content; about half of it stays, so that some of it makes sense."""
    if isinstance(value, IntEnum):
        return draw(st.just(value) | st.sampled_from(list(type(value))))
    if isinstance(value, bool):
        return draw(st.booleans())
    if isinstance(value, int):
        return draw(st.just(value) | st.integers(1, 100))
    if isinstance(value, bytes):
        return draw(st.just(value) | st.binary(max_size=6))
    if hasattr(value, "multiplier"):
        multiplier = draw(st.just(value.multiplier) | st.integers(-3, 3))
        number = draw(st.just(value.value) | st.integers(-32768, 32767))
        return value._replace(multiplier=multiplier, value=number)
    if isinstance(value, tuple):
        parts = [varied(draw, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


@st.composite
def requests(draw: st.DrawFn, words: Any) -> Any:
    """Any request of a protocol; those of the charge loop more often."""
    frequent = [K.CURRENT_DEMAND, K.PRE_CHARGE, K.POWER_DELIVERY_ON, K.POWER_DELIVERY_OFF]
    kind = draw(st.sampled_from(list(words.REQUESTS)) | st.sampled_from(frequent))
    return varied(draw, words.REQUESTS[kind])


class AnyOrder(RuleBasedStateMachine):
    """What cars, people, power electronics and the pilot may do."""

    language: type[Car]
    words: Any

    @initialize(aborts=st.booleans(), steps=st.integers(0, 14))
    def plug(self, aborts: bool, steps: int) -> None:
        config = EvseConfig(abort_on_invalid_current=aborts, abort_on_invalid_power=aborts, stop_delay_s=1.0)
        self.outlet = Outlet(self.language, config)
        self.outlet.pilot(CpState.B)
        self.outlet.connect()
        self.go_on(steps)

    @rule(steps=st.integers(1, 6))
    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            if self.outlet.connect():
                self.outlet.go_on()
                self.outlet.wait(0.05)

    @rule(data=st.data())
    def any_request(self, data: st.DataObject) -> None:
        if self.outlet.connect():
            self.outlet.send(data.draw(requests(self.words)))

    @rule(seconds=WAITS)
    def silence(self, seconds: float) -> None:
        self.outlet.wait(seconds)

    @rule(state=st.sampled_from([CpState.A, CpState.B, CpState.C, CpState.C, CpState.D]))
    def pilot(self, state: CpState) -> None:
        self.outlet.pilot(state)
        if state is CpState.A:
            self.outlet.wait(1.0)
            self.outlet.pilot(CpState.B)

    @rule()
    def hang_up(self) -> None:
        self.outlet.hang_up()

    @rule(emergency=st.booleans())
    def somebody_stops(self, emergency: bool) -> None:
        self.outlet.rig.evse(e.StopRequested, who="person", emergency=emergency)
        self.outlet.wait(0.0)

    @rule(verdict=st.sampled_from([True, False, None]))
    def next_authorization(self, verdict: bool | None) -> None:
        self.outlet.authorizes = verdict

    @rule(watts=st.sampled_from([None, 0.0, 500.0, 20_000.0, 90_000.0]))
    def limit(self, watts: float | None) -> None:
        self.outlet.rig.evse(e.LimitChanged, owner="csms", max_power_w=watts)
        self.outlet.wait(0.0)

    @rule()
    def renegotiation_is_wished(self) -> None:
        self.outlet.rig.evse(e.RenegotiationRequested, who="person")
        self.outlet.wait(0.0)

    @rule(lag_s=st.sampled_from([0.0, 0.3, 0.9, 3.0]))
    def output_gets_slow(self, lag_s: float) -> None:
        self.outlet.lag_s = lag_s

    @rule(seconds=st.sampled_from([0.4, 1.2, 6.0]))
    def power_electronics_fall_silent(self, seconds: float) -> None:
        self.outlet.silent_until = self.outlet.now + seconds
        self.outlet.wait(seconds)

    @rule(degrees=st.sampled_from([25.0, 150.0]))
    def temperature(self, degrees: float) -> None:
        self.outlet.rig.measure(temperature_c=degrees)
        self.outlet.wait(0.0)

    @precondition(lambda self: self.outlet.rig.phase is Phase.CHARGING)
    @rule(operative=st.booleans())
    def power_electronics_speak(self, operative: bool) -> None:
        self.outlet.rig.measure(operative=operative)
        self.outlet.wait(0.0)
        self.outlet.rig.measure(operative=True)
        self.outlet.wait(0.0)

    def teardown(self) -> None:
        if hasattr(self, "outlet"):
            self.outlet.ends_ready()


class DinAnyOrder(AnyOrder):
    language, words = Car, din


class Iso2AnyOrder(AnyOrder):
    language, words = Iso2Car, iso2


@pytest.mark.parametrize("machine", [DinAnyOrder, Iso2AnyOrder], ids=["din", "iso2"])
def test_requests_in_any_order(machine: type[AnyOrder]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
