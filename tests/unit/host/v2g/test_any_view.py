"""Whatever the outlet and the car do: each request is answered in time and the session ends once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.host.v2g.car import Car
from unit.host.v2g.given import LIMITS, REQUESTS

from vsecc_host.station.values import (
    Authorization,
    CableCheck,
    Cause,
    CpState,
    DcLimits,
    Isolation,
    Stop,
)
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.times import CP_STATE_DETECTION_S
from vsecc_host.v2g.machine import EV_CLOSES_S

NUMBERS = st.floats() | st.sampled_from([0.0, -1.0, 0.019, 375.0, 376.1, 1e9])
LIMIT_SETS = st.just(LIMITS) | st.builds(
    DcLimits,
    min_voltage_v=NUMBERS,
    max_voltage_v=NUMBERS,
    min_current_a=NUMBERS,
    max_current_a=NUMBERS,
    max_power_w=NUMBERS,
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "cp_state": st.sampled_from(CpState),
        "authorization": st.sampled_from(Authorization),
        "cable_check": st.sampled_from(CableCheck),
        "stop": st.sampled_from(Stop),
        "stop_delay_s": NUMBERS,
        "cause": st.sampled_from(Cause),
        "limits": LIMIT_SETS,
        "evseid": st.text(max_size=40),
        "voltage_v": NUMBERS,
        "current_a": NUMBERS,
        "contactors_closed": st.booleans(),
        "isolation": st.sampled_from(Isolation),
        "operative": st.booleans(),
    },
)
STARTS = [K.SESSION_SETUP, K.CHARGE_PARAMETER_DISCOVERY, K.CABLE_CHECK, K.PRE_CHARGE, K.CURRENT_DEMAND]
STEPS = st.lists(st.tuples(st.sampled_from(list(REQUESTS)), CHANGES, st.floats(0, 20)), max_size=8)


@given(st.sampled_from(STARTS), STEPS)
@settings(max_examples=300, deadline=None)
def test_every_request_is_answered_in_time(start: K, steps: list[tuple[K, dict[str, Any], float]]) -> None:
    car = Car()
    car.go_to(start)
    for kind, changes, pause_s in steps:
        car.see(**changes)
        if car.link.next_deadline() is None:
            break  # closed
        answers = car.send(REQUESTS[kind])
        if not answers:
            answers = car.wait(CP_STATE_DETECTION_S)
        assert [type(answer).__name__ for answer in answers] == [type(REQUESTS[kind]).__name__[:-3] + "Res"]
        car.wait(pause_s)
    car.link.disconnected(car.now)
    car.take()
    assert len(car.ends) == 1


@given(CHANGES)
@settings(max_examples=100, deadline=None)
def test_after_an_end_the_connection_closes(changes: dict[str, Any]) -> None:
    car = Car()
    car.go_to(K.CURRENT_DEMAND)
    car.see(**changes)
    car.send(REQUESTS[K.SESSION_STOP])  # out of sequence
    car.wait(EV_CLOSES_S)
    assert car.link.next_deadline() is None and len(car.ends) == 1
