"""After the charge loop, and the times that bound a session."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.v2g.din70121.asking import ask, body_of, failed, fresh
from unit.host.v2g.din70121.test_sequence import dialogue_in
from unit.host.v2g.given import (
    NOW,
    REQUESTS,
    current_demand,
    status,
    view,
)

from vsecc_host.station.events import (
    ChargeTargetRequested,
    EvErrorReported,
    WeldingDetectionRequested,
)
from vsecc_host.station.values import Cause, CpState, Stop
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.exi import din70121 as m

Code = m.ResponseCode


def test_welding_detection_waits_for_the_pilot_in_b() -> None:
    dialogue = dialogue_in(S.WELDING_OR_STOP)
    step = ask(dialogue, REQUESTS[K.WELDING_DETECTION], view(voltage_v=390.0))
    assert (step.answer, step.wait_until) == (None, NOW + 1.5)
    assert step.events == (WeldingDetectionRequested(at=NOW, evse_id=1),)
    step = dialogue.again(fresh(NOW + 0.2, voltage_v=250.0, cp_state=CpState.B), NOW + 0.2)
    assert body_of(step).evse_present_voltage == m.PhysicalValue(-2, 25000, m.UnitSymbol.V)
    assert step.events == ()


def test_welding_detection_is_answered_after_1_5_s_anyway() -> None:
    dialogue = dialogue_in(S.WELDING_OR_STOP)
    ask(dialogue, REQUESTS[K.WELDING_DETECTION], view())
    assert body_of(dialogue.again(fresh(NOW + 1.5), NOW + 1.5)).response_code == Code.OK


@pytest.mark.parametrize(
    ("session", "seen", "cause"),
    [
        ({"charge_started": True}, {}, Cause.EV_FINISHED),
        ({}, {}, Cause.EV_STOPPED_EARLY),
        ({"charge_started": True, "ev_error": "FAILED_ChargingCurrentdifferential"}, {}, Cause.EV_ERROR),
        ({"charge_started": True}, {"stop": Stop.NORMAL}, Cause.STOP_REQUESTED),
        (
            {"charge_started": True},
            {"stop": Stop.EMERGENCY, "cause": Cause.OVER_TEMPERATURE},
            Cause.OVER_TEMPERATURE,
        ),
    ],
)
def test_session_stop_is_never_refused(session: dict[str, Any], seen: dict[str, Any], cause: Cause) -> None:
    step = ask(dialogue_in(S.WELDING_OR_STOP, **session), REQUESTS[K.SESSION_STOP], view(at=0.0, **seen))
    assert body_of(step) == m.SessionStopRes(Code.OK)
    assert step.ending is not None
    assert (step.ending.cause, step.ending.orderly) == (cause, True)


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_ReadyToCharge_Performance_Time")
@pytest.mark.parametrize(
    ("state", "kind", "changes", "cause"),
    [
        (S.AUTHORIZATION, K.AUTHORIZATION, {}, Cause.NOT_AUTHORIZED),
        (
            S.CHARGE_PARAMETERS,
            K.CHARGE_PARAMETER_DISCOVERY,
            {"parameters_since": NOW + 100},
            Cause.EV_TIMEOUT,
        ),
        (S.CABLE_CHECK, K.CABLE_CHECK, {"cable_check_since": NOW + 140}, Cause.CABLE_CHECK_TIMEOUT),
        (S.PRE_CHARGE, K.PRE_CHARGE, {"pre_charge_since": NOW + 147}, Cause.PRE_CHARGE_TIMEOUT),
    ],
)
def test_ready_to_charge_within_148_s(state: S, kind: K, changes: dict[str, Any], cause: Cause) -> None:
    known = {"cable_check_since": None, "started_at": NOW, **changes}
    in_time, late = NOW + 148.0, NOW + 148.1
    step = ask(dialogue_in(state, **known), REQUESTS[kind], fresh(in_time), in_time)
    assert body_of(step).response_code == Code.OK
    step = ask(dialogue_in(state, **known), REQUESTS[kind], fresh(late), late)
    code, _, seen = failed(step)
    assert (code, seen) == (Code.FAILED, cause)


def test_silence_limits_by_state() -> None:
    assert dialogue_in(S.SESSION_SETUP).silence_s() == 18.0
    assert dialogue_in(S.PRE_CHARGE).silence_s() == 60.0
    assert dialogue_in(S.PRE_CHARGE).ramp_down_s() is None
    loop = dialogue_in(S.CURRENT_DEMAND)
    assert (loop.ramp_down_s(), loop.silence_s()) == (1.5, 10.0)


def test_ramp_down_keeps_the_target_voltage() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    ask(dialogue, current_demand(401.0, 77.0), view())
    (event,) = dialogue.ramp_down(NOW + 1.5)
    assert event == ChargeTargetRequested(
        at=NOW + 1.5, evse_id=1, voltage_v=401.0, current_a=0.0, soc_percent=55
    )


def test_an_error_of_the_ev_is_told_also_when_its_request_is_refused() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    error = m.DcEvErrorCode.FAILED_EVRESSMalfunction
    step = ask(dialogue, current_demand(dc_ev_status=status(error)), view(operative=False))
    assert [type(event) for event in step.events] == [EvErrorReported]
    assert body_of(step).response_code == Code.FAILED
