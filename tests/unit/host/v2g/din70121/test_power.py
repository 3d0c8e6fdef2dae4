"""CableCheck to SessionStop, with exact times; what waits is looked at again as the connection does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.host.v2g.din70121.asking import ask, body_of, failed, fresh
from unit.host.v2g.din70121.test_sequence import dialogue_in
from unit.host.v2g.given import (
    LIMITS,
    NOW,
    REQUESTS,
    current_demand,
    power_delivery,
    pre_charge,
    view,
)

from vsecc_host.station.events import (
    CableCheckRequested,
    ChargeStartRequested,
    ChargeStopRequested,
    ChargeTargetRequested,
    PreChargeRequested,
)
from vsecc_host.station.values import CableCheck, Cause, CpState, Isolation, Phase, Stop
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dialogue import Step
from vsecc_host.v2g.exi import din70121 as m

Code = m.ResponseCode
Status = m.DcEvseStatusCode
READY = m.DcEvseStatus(Status.EVSE_Ready, 0, m.EvseNotification.None_, m.IsolationLevel.Valid)


# --- cable check ------------------------------------------------------------------------------------------


def begin_cable_check(**changes: Any) -> tuple[DcDialogue, Step]:
    dialogue = dialogue_in(S.CABLE_CHECK, cable_check_since=None, pilot_seen=False)
    return dialogue, ask(dialogue, REQUESTS[K.CABLE_CHECK], view(**changes))


def test_a_result_from_before_the_first_request_does_not_count() -> None:
    dialogue, step = begin_cable_check(cable_check=CableCheck.PASSED)
    body = body_of(step)
    assert body.evse_processing == m.EvseProcessing.Ongoing
    assert body.dc_evse_status == m.DcEvseStatus(
        Status.EVSE_IsolationMonitoringActive, 0, m.EvseNotification.None_, m.IsolationLevel.Invalid
    )
    assert [type(event) for event in step.events] == [CableCheckRequested]
    assert dialogue.session.state is S.CABLE_CHECK


@pytest.mark.parametrize(
    ("isolation", "level"),
    [
        (Isolation.VALID, m.IsolationLevel.Valid),
        (Isolation.WARNING, m.IsolationLevel.Warning),
        (Isolation.INVALID, m.IsolationLevel.Valid),
    ],
)
def test_finished_comes_with_ready_and_valid_or_an_audi_waits_a_minute(
    isolation: Isolation, level: m.IsolationLevel
) -> None:
    dialogue, _ = begin_cable_check(cable_check=CableCheck.ONGOING)
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(isolation=isolation), NOW + 0.1)
    assert body_of(step) == m.CableCheckRes(
        Code.OK, READY._replace(evse_isolation_status=level), m.EvseProcessing.Finished
    )
    assert step.events == ()  # asked for once
    assert dialogue.session.state is S.PRE_CHARGE


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_CPState_Detection_Timeout")
def test_the_answer_waits_for_the_pilot() -> None:
    dialogue, step = begin_cable_check(cp_state=CpState.B)
    assert (step.answer, step.wait_until) == (None, NOW + 1.5)
    assert [type(event) for event in step.events] == [CableCheckRequested]
    step = dialogue.again(fresh(NOW + 0.7, cp_state=CpState.B), NOW + 0.7)
    assert (step.answer, step.events, step.wait_until) == (None, (), NOW + 1.5)
    step = dialogue.again(fresh(NOW + 0.8, cable_check=CableCheck.ONGOING), NOW + 0.8)
    assert body_of(step).evse_processing == m.EvseProcessing.Ongoing


def test_no_pilot_within_1_5_s() -> None:
    dialogue, _ = begin_cable_check(cp_state=CpState.B)
    step = dialogue.again(fresh(NOW + 1.5, cp_state=CpState.B), NOW + 1.5)
    assert failed(step) == (Code.FAILED, Status.EVSE_NotReady, Cause.CP_NOT_C)


def test_the_pilot_leaves_during_the_cable_check() -> None:
    dialogue, _ = begin_cable_check(cable_check=CableCheck.ONGOING)
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(cp_state=CpState.B))
    assert failed(step) == (Code.FAILED, Status.EVSE_EmergencyShutdown, Cause.CP_LEFT_C)


def test_cable_check_failed() -> None:
    dialogue, _ = begin_cable_check(cable_check=CableCheck.ONGOING)
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(cable_check=CableCheck.FAILED))
    assert failed(step) == (Code.FAILED, Status.EVSE_Malfunction, Cause.ISOLATION_FAULT)


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_CableCheck_Performance_Time")
def test_cable_check_ends_after_38_s() -> None:
    dialogue, _ = begin_cable_check(cable_check=CableCheck.ONGOING)
    ongoing = CableCheck.ONGOING
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], fresh(NOW + 38.0, cable_check=ongoing), NOW + 38.0)
    assert body_of(step).evse_processing == m.EvseProcessing.Ongoing
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], fresh(NOW + 38.1, cable_check=ongoing), NOW + 38.1)
    assert failed(step) == (Code.FAILED, Status.EVSE_NotReady, Cause.CABLE_CHECK_TIMEOUT)


# --- pre-charge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_v", "told_v"), [(376.1, 376.1), (-1.0, 150.0), (20.0, 150.0), (1200.0, 1000.0)]
)
def test_the_first_target_is_followed_within_our_range(asked_v: float, told_v: float) -> None:
    dialogue = dialogue_in(S.PRE_CHARGE)
    step = ask(dialogue, pre_charge(asked_v, 2.0), view(voltage_v=123.4))
    assert step.events == (PreChargeRequested(at=NOW, evse_id=1, voltage_v=told_v, current_a=2.0),)
    assert body_of(step) == m.PreChargeRes(Code.OK, READY, m.PhysicalValue(-2, 12340, m.UnitSymbol.V))


@pytest.mark.clause("DIN70121 9.6 V2G_SECC_PreCharge_Performance_Time")
def test_pre_charge_without_voltage_ends_after_5_s() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE)
    ask(dialogue, pre_charge(376.0), view())
    step = ask(dialogue, pre_charge(376.0), fresh(NOW + 5.0, voltage_v=355.9), NOW + 5.0)
    assert body_of(step).response_code == Code.OK
    step = ask(dialogue, pre_charge(376.0), fresh(NOW + 5.1, voltage_v=355.9), NOW + 5.1)
    assert failed(step) == (Code.FAILED, Status.EVSE_NotReady, Cause.PRE_CHARGE_TIMEOUT)


def test_a_car_may_stay_in_pre_charge_once_the_voltage_was_there() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE)
    ask(dialogue, pre_charge(376.0), view(voltage_v=356.0))
    step = ask(dialogue, pre_charge(430.0), fresh(NOW + 12.0, voltage_v=380.0), NOW + 12.0)
    assert body_of(step).response_code == Code.OK


# --- power delivery ---------------------------------------------------------------------------------------


def start(**changes: Any) -> tuple[DcDialogue, Step]:
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, pre_charge_target_v=376.0, voltage_reached=True)
    return dialogue, ask(dialogue, power_delivery(True), view(voltage_v=370.0, **changes))


def test_start_is_answered_when_the_contactors_are_closed() -> None:
    dialogue, step = start()
    assert (step.answer, step.wait_until) == (None, NOW + 1.2)
    assert step.events == (ChargeStartRequested(at=NOW, evse_id=1),)
    step = dialogue.again(fresh(NOW + 0.4, voltage_v=370.0, contactors_closed=True), NOW + 0.4)
    assert body_of(step) == m.PowerDeliveryRes(Code.OK, READY)
    assert step.events == ()
    assert dialogue.session.state is S.CURRENT_DEMAND_FIRST


def test_start_without_contactors_fails_after_1_2_s() -> None:
    dialogue, _ = start()
    step = dialogue.again(fresh(NOW + 1.2, voltage_v=370.0), NOW + 1.2)
    assert failed(step) == (
        Code.FAILED_PowerDeliveryNotApplied,
        Status.EVSE_NotReady,
        Cause.RELAY_NOT_CLOSED,
    )


def test_start_waits_for_the_voltage_before_the_station_hears_of_it() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, pre_charge_target_v=376.0)
    step = ask(dialogue, power_delivery(True), view(voltage_v=325.9, contactors_closed=True))
    assert (step.answer, step.events, step.wait_until) == (None, (), NOW + 1.2)
    step = dialogue.again(fresh(NOW + 0.3, voltage_v=326.0, contactors_closed=True), NOW + 0.3)
    assert body_of(step).response_code == Code.OK
    assert step.events == (ChargeStartRequested(at=NOW + 0.3, evse_id=1),)


def test_start_without_voltage_is_refused_after_1_2_s() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, pre_charge_target_v=376.0)
    ask(dialogue, power_delivery(True), view(voltage_v=325.9, contactors_closed=True))
    step = dialogue.again(fresh(NOW + 1.2, voltage_v=325.9, contactors_closed=True), NOW + 1.2)
    assert failed(step) == (
        Code.FAILED_EVSEPresentVoltageToLow,
        Status.EVSE_NotReady,
        Cause.PRE_CHARGE_TIMEOUT,
    )
    assert step.events == ()


def test_start_is_broken_off_by_an_emergency_while_it_waits() -> None:
    dialogue, _ = start()
    seen = fresh(NOW + 0.3, stop=Stop.EMERGENCY, cause=Cause.PORT_FAULT)
    assert failed(dialogue.again(seen, NOW + 0.3)) == (
        Code.FAILED,
        Status.EVSE_EmergencyShutdown,
        Cause.PORT_FAULT,
    )


@pytest.mark.parametrize("state", [S.CABLE_CHECK, S.PRE_CHARGE, S.PRE_CHARGE_OR_POWER_ON, S.CURRENT_DEMAND])
def test_stop_is_answered_when_the_current_is_gone(state: S) -> None:
    dialogue = dialogue_in(state)
    step = ask(dialogue, power_delivery(False), view(current_a=80.0))
    assert (step.answer, step.wait_until) == (None, NOW + 1.2)
    assert step.events == (ChargeStopRequested(at=NOW, evse_id=1),)
    step = dialogue.again(fresh(NOW + 0.2, current_a=1.0), NOW + 0.2)
    assert step.answer is None
    step = dialogue.again(fresh(NOW + 0.4, current_a=0.99), NOW + 0.4)
    assert body_of(step).response_code == Code.OK
    assert body_of(step).evse_status.evse_status_code == Status.EVSE_NotReady
    assert dialogue.session.state is S.WELDING_OR_STOP


def test_stop_is_answered_after_1_2_s_whatever_the_current_does() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    ask(dialogue, power_delivery(False), view(current_a=-80.0))
    step = dialogue.again(fresh(NOW + 1.2, current_a=-80.0), NOW + 1.2)
    assert body_of(step).response_code == Code.OK


@pytest.mark.parametrize("stop", [Stop.NORMAL, Stop.EMERGENCY])
def test_the_way_out_stays_open_while_the_station_stops(stop: Stop) -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    step = ask(dialogue, power_delivery(False), view(stop=stop, cp_state=CpState.B, operative=False))
    assert body_of(step).response_code == Code.OK


# --- current demand ---------------------------------------------------------------------------------------


def test_the_loop_answers_from_the_latest_measurement() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    step = ask(dialogue, current_demand(400.0, 50.0), view(voltage_v=398.54, current_a=49.876))
    assert body_of(step) == m.CurrentDemandRes(
        Code.OK,
        READY,
        m.PhysicalValue(-1, 3985, m.UnitSymbol.V),
        m.PhysicalValue(-2, 4987, m.UnitSymbol.A),
        False,
        False,
        False,
        m.PhysicalValue(-1, 10000, m.UnitSymbol.V),
        m.PhysicalValue(-2, 20000, m.UnitSymbol.A),
        m.PhysicalValue(1, 15000, m.UnitSymbol.W),
    )
    assert step.events == (
        ChargeTargetRequested(at=NOW, evse_id=1, voltage_v=400.0, current_a=50.0, soc_percent=55),
    )


def test_limits_of_the_ev_travel_with_the_target() -> None:
    request = current_demand(
        ev_maximum_voltage_limit=m.PhysicalValue(-1, 4128),
        ev_maximum_current_limit=m.PhysicalValue(0, 60),
        ev_maximum_power_limit=m.PhysicalValue(1, 2000),
    )
    (event,) = ask(dialogue_in(S.CURRENT_DEMAND), request, view()).events
    assert isinstance(event, ChargeTargetRequested)
    assert (event.max_voltage_v, event.max_current_a, event.max_power_w) == (412.8, 60.0, 20_000.0)


@pytest.mark.parametrize(("told", "seconds"), [(None, None), (900, 900), (0, 0), (-1, None)])
def test_the_time_to_full_travels_with_the_target(told: int | None, seconds: int | None) -> None:
    time = None if told is None else m.PhysicalValue(0, told, m.UnitSymbol.s)
    request = current_demand(remaining_time_to_full_soc=time)
    (event,) = ask(dialogue_in(S.CURRENT_DEMAND), request, view()).events
    assert isinstance(event, ChargeTargetRequested)
    assert event.remaining_to_full_s == seconds


@pytest.mark.parametrize(
    ("voltage_v", "current_a", "flags"),
    [
        (400.0, 199.9, (False, False, False)),
        (400.0, 200.0, (True, False, False)),
        (1000.0, 1.0, (False, True, False)),
        (800.0, 187.5, (False, False, True)),
    ],
)
def test_limit_flags(voltage_v: float, current_a: float, flags: tuple[bool, bool, bool]) -> None:
    body = body_of(ask(dialogue_in(S.CURRENT_DEMAND), current_demand(voltage_v, current_a), view()))
    assert (
        body.evse_current_limit_achieved,
        body.evse_voltage_limit_achieved,
        body.evse_power_limit_achieved,
    ) == flags


@pytest.mark.clause("S9")
def test_a_stale_measurement_ends_the_loop() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    step = ask(dialogue, current_demand(), view(), NOW + 1.0)
    assert body_of(step).response_code == Code.OK
    step = ask(dialogue, current_demand(), view(), NOW + 1.01)
    assert failed(step) == (Code.FAILED, Status.EVSE_EmergencyShutdown, Cause.POWER_STALE)
    assert step.events == ()


@pytest.mark.clause("S9")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stop": Stop.NORMAL, "phase": Phase.STOPPING}, Code.OK),
        ({"stop": Stop.NORMAL}, Code.FAILED),  # a stop by people: the measurement is needed as ever
        ({"stop": Stop.EMERGENCY, "phase": Phase.STOPPING}, Code.FAILED),
    ],
)
def test_while_the_station_takes_the_current_away_a_stale_measurement_is_told(
    changes: dict[str, Any], code: Code
) -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    step = ask(dialogue, current_demand(), view(cause=Cause.POWER_STALE, **changes), NOW + 1.5)
    assert body_of(step).response_code == code
    if code == Code.OK:
        assert body_of(step).dc_evse_status.evse_status_code == Status.EVSE_Shutdown


@pytest.mark.clause("S9")
@pytest.mark.parametrize(
    ("changes", "status", "cause"),
    [
        ({"cp_state": CpState.B}, Status.EVSE_EmergencyShutdown, Cause.CP_LEFT_C),
        ({"cp_state": CpState.E}, Status.EVSE_EmergencyShutdown, Cause.CP_LEFT_C),
        ({"operative": False}, Status.EVSE_Malfunction, Cause.POWER_INOPERATIVE),
        ({"isolation": Isolation.FAULT}, Status.EVSE_EmergencyShutdown, Cause.ISOLATION_FAULT),
        ({"stop": Stop.EMERGENCY}, Status.EVSE_EmergencyShutdown, Cause.STOP_REQUESTED),
        (
            {"stop": Stop.EMERGENCY, "cause": Cause.EMERGENCY_INPUT},
            Status.EVSE_EmergencyShutdown,
            Cause.EMERGENCY_INPUT,
        ),
    ],
)
@pytest.mark.parametrize("state", [S.PRE_CHARGE, S.PRE_CHARGE_OR_POWER_ON, S.CURRENT_DEMAND])
def test_what_must_hold_while_there_is_voltage(
    state: S, changes: dict[str, Any], status: Status, cause: Cause
) -> None:
    request = current_demand() if state is S.CURRENT_DEMAND else pre_charge()
    assert failed(ask(dialogue_in(state), request, view(**changes))) == (Code.FAILED, status, cause)


def test_a_stop_wish_is_notified_and_the_code_stays_ok() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    body = body_of(ask(dialogue, current_demand(), view(stop=Stop.NORMAL, stop_delay_s=9.2)))
    assert body.response_code == Code.OK
    assert body.dc_evse_status == m.DcEvseStatus(
        Status.EVSE_Shutdown, 10, m.EvseNotification.StopCharging, m.IsolationLevel.Valid
    )


def test_a_car_that_ignores_the_stop_wish_is_cut_off() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    wish: dict[str, Any] = {"stop": Stop.NORMAL, "stop_delay_s": 10.0}
    ask(dialogue, current_demand(), view(**wish))
    step = ask(dialogue, current_demand(), fresh(NOW + 13.0, **wish), NOW + 13.0)
    assert body_of(step).response_code == Code.OK
    step = ask(dialogue, current_demand(), fresh(NOW + 13.1, **wish), NOW + 13.1)
    assert failed(step) == (Code.FAILED, Status.EVSE_Shutdown, Cause.STOP_REQUESTED)
    assert body_of(step).dc_evse_status.notification_max_delay == 0


@pytest.mark.parametrize(
    ("state", "request_"),
    [
        (S.AUTHORIZATION, REQUESTS[K.AUTHORIZATION]),  # its answer has no status
        (S.PRE_CHARGE_OR_POWER_ON, power_delivery(True)),
    ],
)
def test_a_stop_wish_before_power_is_a_refusal(state: S, request_: Any) -> None:
    step = ask(dialogue_in(state), request_, view(stop=Stop.NORMAL, contactors_closed=True))
    code, status, cause = failed(step)
    assert (code, cause) == (Code.FAILED, Cause.STOP_REQUESTED)
    assert status in (None, Status.EVSE_Shutdown)


def test_limits_change_during_the_loop() -> None:
    limits = replace(LIMITS, max_current_a=40.0, max_power_w=16_000.0)
    body = body_of(ask(dialogue_in(S.CURRENT_DEMAND), current_demand(), view(limits=limits)))
    assert body.evse_maximum_current_limit == m.PhysicalValue(-2, 4000, m.UnitSymbol.A)
    assert body.evse_current_limit_achieved and body.evse_power_limit_achieved
