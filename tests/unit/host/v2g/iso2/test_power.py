"""Cable check to SessionStop where ISO 15118-2 has its own words: schedule, loop, renegotiation, pause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.host.v2g.given import LIMITS, MAC, NOW, SESSION_ID, view
from unit.host.v2g.iso2.given import (
    PAUSE,
    READY,
    REQUESTS,
    Code,
    Status,
    ask,
    body_of,
    current_demand,
    dialogue_in,
    discovery,
    failed,
    power_delivery,
    pre_charge,
    session_stop,
)

from vsecc_host.station.events import (
    CableCheckRequested,
    ChargeRenegotiationRequested,
    ChargeStartRequested,
    ChargeStopRequested,
    ChargeTargetRequested,
    EvPlanExceedsOffer,
)
from vsecc_host.station.values import CableCheck, Cause, CpState, EvseView, Stop
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dc.memory import PausedSession, SessionMemory
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.protocol import MANNERS

START = power_delivery(m.ChargeProgress.Start)
STOP = power_delivery(m.ChargeProgress.Stop)
AGAIN = power_delivery(m.ChargeProgress.Renegotiate)


QUIET, ASKED = m.EvseNotification.None_, m.EvseNotification.ReNegotiation


def told(dialogue: DcDialogue, seen: EvseView, now: float, asked_a: float = 400.0) -> m.EvseNotification:
    """The notification a car hears that asks for so much at 400 V."""
    body = body_of(ask(dialogue, current_demand(400.0, asked_a), seen, now))
    assert isinstance(body, m.CurrentDemandRes)
    return m.EvseNotification(body.dc_evse_status.evse_notification)


# --- cable check, pre-charge ------------------------------------------------------------------------------


def test_the_first_cable_check_answer_is_never_finished() -> None:
    dialogue = dialogue_in(S.CABLE_CHECK, cable_check_since=None, pilot_seen=False)
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(cable_check=CableCheck.PASSED))
    shown = m.DcEvseStatus(
        0, m.EvseNotification.None_, Status.EVSE_IsolationMonitoringActive, m.IsolationLevel.Invalid
    )
    assert body_of(step) == m.CableCheckRes(Code.OK, shown, m.EvseProcessing.Ongoing)
    assert step.events == (CableCheckRequested(at=NOW, evse_id=1),)
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK])
    assert body_of(step) == m.CableCheckRes(Code.OK, READY, m.EvseProcessing.Finished)


@pytest.mark.clause("ISO15118-2 8.7 V2G_SECC_CableCheck_Performance_Time")
def test_cable_check_ends_after_38_s() -> None:
    dialogue = dialogue_in(S.CABLE_CHECK, cable_check_since=NOW)
    for now, code in ((NOW + 38.0, Code.OK), (NOW + 38.1, Code.FAILED)):
        step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(at=now, cable_check=CableCheck.ONGOING), now)
        assert body_of(step).response_code == code
    assert failed(step) == (Code.FAILED, Cause.CABLE_CHECK_TIMEOUT)


def test_nothing_bounds_the_time_to_ready_to_charge() -> None:
    now = NOW + 3000.0
    step = ask(dialogue_in(S.CHARGE_PARAMETERS), discovery(), now=now)
    assert body_of(step).response_code == Code.OK


@pytest.mark.clause("ISO15118-2 8.7 V2G_SECC_PreCharge_Performance_Time")
def test_pre_charge_without_voltage_ends_after_5_s() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE)
    ask(dialogue, pre_charge(376.0))
    now = NOW + 5.1
    step = ask(dialogue, pre_charge(376.0), view(at=now, voltage_v=300.0), now)
    assert failed(step) == (Code.FAILED, Cause.PRE_CHARGE_TIMEOUT)


# --- power delivery ---------------------------------------------------------------------------------------


@pytest.mark.clause("ISO15118-2 8.7 PowerDelivery")
def test_start_waits_for_the_contactors_at_most_4_s() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, pre_charge_target_v=376.0)
    step = ask(dialogue, START, view(voltage_v=370.0))
    assert (step.answer, step.wait_until) == (None, NOW + 4.0)
    assert step.events == (ChargeStartRequested(at=NOW, evse_id=1),)
    step = dialogue.again(view(at=NOW + 4.0, voltage_v=370.0), NOW + 4.0)
    assert failed(step) == (Code.FAILED_PowerDeliveryNotApplied, Cause.RELAY_NOT_CLOSED)


def test_start_without_voltage_has_no_code_of_its_own() -> None:
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, pre_charge_target_v=376.0)
    ask(dialogue, START, view(contactors_closed=True))
    step = dialogue.again(view(at=NOW + 4.0, contactors_closed=True), NOW + 4.0)
    assert failed(step) == (Code.FAILED_PowerDeliveryNotApplied, Cause.PRE_CHARGE_TIMEOUT)


@pytest.mark.parametrize("schedule", [2, 255])
def test_start_with_a_schedule_that_was_not_offered(schedule: int) -> None:
    request = power_delivery(m.ChargeProgress.Start, schedule)
    step = ask(dialogue_in(S.PRE_CHARGE_OR_POWER_ON), request, view(contactors_closed=True))
    assert failed(step) == (Code.FAILED_TariffSelectionInvalid, Cause.EV_PROTOCOL_ERROR)
    assert not step.events


PMAX_W = 150_000.0


def planning(*kilowatts: int) -> m.PowerDeliveryReq:
    """A start with a profile of so many entries."""
    entries = [
        m.ProfileEntry(60 * n, m.PhysicalValue(3, m.UnitSymbol.W, kw)) for n, kw in enumerate(kilowatts)
    ]
    return START._replace(charging_profile=m.ChargingProfile(tuple(entries)))


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(("kilowatts", "beyond"), [((150,), False), ((150, 152), False), ((20, 153), True)])
@pytest.mark.clause("V2G2-225")
def test_a_plan_above_pmax_is_noted_or_refused(
    refuses: bool, kilowatts: tuple[int, ...], beyond: bool
) -> None:
    manners = MANNERS._replace(refuse_profile=refuses)
    dialogue = dialogue_in(S.PRE_CHARGE_OR_POWER_ON, manners=manners, told_power_w=PMAX_W)
    step = ask(dialogue, planning(*kilowatts), view(contactors_closed=False))
    if beyond and refuses:
        assert failed(step) == (Code.FAILED_ChargingProfileInvalid, Cause.LIMITS_EXCEEDED)
        assert not step.events and dialogue.session.state is S.END
        return
    noted = EvPlanExceedsOffer(at=NOW, evse_id=1, planned_w=153_000.0, offered_w=PMAX_W)
    assert step.events == (*((noted,) if beyond else ()), ChargeStartRequested(at=NOW, evse_id=1))
    step = dialogue.again(view(at=NOW + 0.1, contactors_closed=True), NOW + 0.1)
    assert body_of(step).response_code == Code.OK and not step.events


@pytest.mark.parametrize(
    "state", [S.CABLE_CHECK, S.PRE_CHARGE, S.PRE_CHARGE_OR_POWER_ON, S.CURRENT_DEMAND_FIRST, S.CURRENT_DEMAND]
)
def test_stop_is_answered_when_the_current_is_gone(state: S) -> None:
    dialogue = dialogue_in(state)
    step = ask(dialogue, STOP._replace(sa_schedule_tuple_id=77), view(current_a=80.0))
    assert step.events == (ChargeStopRequested(at=NOW, evse_id=1),)
    step = dialogue.again(view(at=NOW + 0.4, current_a=0.9), NOW + 0.4)
    assert body_of(step).response_code == Code.OK
    assert dialogue.session.state is S.WELDING_OR_STOP


# --- the loop ---------------------------------------------------------------------------------------------


def test_the_loop_answers_from_the_latest_measurement() -> None:
    step = ask(
        dialogue_in(S.CURRENT_DEMAND),
        current_demand(400.0, 50.0),
        view(voltage_v=398.54, current_a=49.876, meter_wh=1234.9),
    )
    assert body_of(step) == m.CurrentDemandRes(
        Code.OK,
        READY,
        m.PhysicalValue(-1, m.UnitSymbol.V, 3985),
        m.PhysicalValue(-2, m.UnitSymbol.A, 4987),
        False,
        False,
        False,
        "DE*VSE*E1",
        1,
        m.PhysicalValue(-1, m.UnitSymbol.V, 10000),
        m.PhysicalValue(-2, m.UnitSymbol.A, 20000),
        m.PhysicalValue(1, m.UnitSymbol.W, 15000),
        m.MeterInfo("DE*VSE*E1", 1234),
        False,
    )
    assert step.events == (
        ChargeTargetRequested(at=NOW, evse_id=1, voltage_v=400.0, current_a=50.0, soc_percent=55),
    )


@pytest.mark.clause("S9")
def test_a_stale_measurement_ends_the_loop_without_limits_in_the_answer() -> None:
    step = ask(dialogue_in(S.CURRENT_DEMAND), current_demand(), view(), NOW + 1.01)
    assert failed(step) == (Code.FAILED, Cause.POWER_STALE)
    body = body_of(step)
    assert body.dc_evse_status.evse_status_code == Status.EVSE_EmergencyShutdown
    assert (body.evse_maximum_power_limit, body.meter_info, body.receipt_required) == (None, None, None)


def test_a_stop_wish_is_notified_and_the_code_stays_ok() -> None:
    seen = view(stop=Stop.NORMAL, stop_delay_s=9.2)
    body = body_of(ask(dialogue_in(S.CURRENT_DEMAND), current_demand(), seen))
    assert body.response_code == Code.OK
    assert body.dc_evse_status == m.DcEvseStatus(
        10, m.EvseNotification.StopCharging, Status.EVSE_Shutdown, m.IsolationLevel.Valid
    )


def test_the_delay_of_a_stop_runs_down_from_the_first_word_of_it() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    told_s = []
    for later_s in (0.0, 0.1, 4.0, 9.1, 9.2, 11.0):
        now = NOW + later_s
        seen = view(at=now, stop=Stop.NORMAL, stop_delay_s=9.2)
        body = body_of(ask(dialogue, current_demand(), seen, now))
        assert body.response_code == Code.OK
        told_s.append(body.dc_evse_status.notification_max_delay)
    assert told_s == [10, 10, 6, 1, 0, 0]


@pytest.mark.parametrize(
    ("share", "power_w", "owner", "asked_a", "asks"),
    [
        (0.0, 10_000.0, "csms", 400.0, False),  # never
        (0.3, 150_000.0, "power_electronics", 400.0, False),
        (0.3, 105_000.0, "csms", 400.0, False),  # just 30 %
        (0.3, 104_000.0, "csms", 400.0, True),
        (0.3, 104_000.0, "csms", 235.0, True),  # 94 kW asked for: the car feels it
        (0.3, 104_000.0, "csms", 230.0, False),  # it wants less than there is, before and after
        (0.3, 196_000.0, "csms", 340.0, True),  # upwards too
        (0.3, 196_000.0, "csms", 330.0, False),
        (0.3, 10_000.0, "ev", 400.0, False),  # the car set it itself
        (0.3, 10_000.0, "station_total", 400.0, False),  # a share that follows what it asks for
    ],
)
def test_a_limit_that_stays_changed_and_matters_asks_for_renegotiation(
    share: float, power_w: float, owner: str, asked_a: float, asks: bool
) -> None:
    manners = MANNERS._replace(renegotiate_share=share)
    dialogue = dialogue_in(S.CURRENT_DEMAND, manners=manners, told_power_w=150_000.0)
    heard = []
    for later in (0.0, 4.9, 5.0):
        now = NOW + later
        seen = view(at=now, limits=replace(LIMITS, max_power_w=power_w, owner=owner))
        heard.append(told(dialogue, seen, now, asked_a))
    assert heard == [QUIET, QUIET, ASKED if asks else QUIET]


def test_limits_that_flap_ask_once_a_minute() -> None:
    manners = MANNERS._replace(renegotiate_share=0.3)
    dialogue = dialogue_in(S.CURRENT_DEMAND, manners=manners, told_power_w=150_000.0, renegotiated_at=NOW)
    low = replace(LIMITS, max_power_w=10_000.0, owner="csms")
    heard = [
        told(dialogue, view(at=NOW + later, limits=low), NOW + later)
        for later in (0.0, 30.0, 59.9, 60.0, 61.0)
    ]
    assert heard == [QUIET, QUIET, QUIET, ASKED, ASKED]


@pytest.mark.parametrize("state", [S.CURRENT_DEMAND_FIRST, S.CURRENT_DEMAND])
def test_somebody_asks_for_renegotiation_on_demand(state: S) -> None:
    # GIVEN a station that would never ask by itself, and just did
    dialogue = dialogue_in(state, told_power_w=150_000.0, renegotiated_at=NOW)
    # THEN every answer of the loop asks while the wish stands, and none after it
    assert told(dialogue, view(renegotiate=True), NOW) is ASKED
    assert told(dialogue, view(renegotiate=True), NOW) is ASKED
    assert told(dialogue, view(), NOW) is QUIET


def test_a_wish_to_stop_comes_before_one_to_renegotiate() -> None:
    seen = view(renegotiate=True, stop=Stop.NORMAL)
    assert told(dialogue_in(S.CURRENT_DEMAND), seen, NOW) is m.EvseNotification.StopCharging


def test_nothing_is_asked_before_the_loop() -> None:
    for state, request in ((S.CABLE_CHECK, REQUESTS[K.CABLE_CHECK]), (S.PRE_CHARGE, pre_charge())):
        body = body_of(ask(dialogue_in(state), request, view(renegotiate=True)))
        assert body.dc_evse_status.evse_notification is QUIET


# --- renegotiation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.CURRENT_DEMAND_FIRST, S.CURRENT_DEMAND])
def test_renegotiation_takes_the_current_down_then_asks_for_parameters(state: S) -> None:
    # GIVEN a charging car
    dialogue = dialogue_in(state, charge_started=True, pre_charge_since=NOW, start_told=True)
    # WHEN it asks to renegotiate
    step = ask(dialogue, AGAIN, view(voltage_v=390.0, current_a=80.0, contactors_closed=True))
    # THEN the current goes first, the answer comes when it is gone
    assert (step.answer, step.wait_until) == (None, NOW + 4.0)
    assert step.events == (
        ChargeTargetRequested(at=NOW, evse_id=1, voltage_v=390.0, current_a=0.0, soc_percent=0),
    )
    step = dialogue.again(view(at=NOW + 0.3, current_a=1.0), NOW + 0.3)
    assert (step.answer, step.events) == (None, ())
    step = dialogue.again(view(at=NOW + 0.5, current_a=0.2), NOW + 0.5)
    assert body_of(step).response_code == Code.OK
    assert step.events == (ChargeRenegotiationRequested(at=NOW + 0.5, evse_id=1),)
    assert dialogue.session.state is S.CHARGE_PARAMETERS_AGAIN
    assert dialogue.ramp_down_s() is None


def test_a_car_that_renegotiates_while_the_station_stops_may_still_leave_in_good_order() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND, charge_started=True)
    stopping = view(stop=Stop.NORMAL, stop_delay_s=5.0, cause=Cause.STOP_REQUESTED)
    body = body_of(ask(dialogue, AGAIN, stopping))
    assert (body.response_code, body.evse_status.evse_status_code) == (Code.OK, Status.EVSE_Shutdown)
    assert body.evse_status.evse_notification is m.EvseNotification.StopCharging
    step = ask(dialogue, REQUESTS[K.SESSION_STOP], stopping)
    assert step.ending is not None and (step.ending.cause, step.ending.orderly) == (
        Cause.STOP_REQUESTED,
        True,
    )


def test_renegotiation_fails_when_the_current_stays() -> None:
    dialogue = dialogue_in(S.CURRENT_DEMAND)
    ask(dialogue, AGAIN, view(current_a=80.0))
    step = dialogue.again(view(at=NOW + 4.0, current_a=80.0), NOW + 4.0)
    assert failed(step) == (Code.FAILED, Cause.POWER_REFUSED)


@pytest.mark.clause("S9")
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"at": NOW - 1.1}, Cause.POWER_STALE),
        ({"cp_state": CpState.B}, Cause.CP_LEFT_C),
        ({"operative": False}, Cause.POWER_INOPERATIVE),
    ],
)
def test_renegotiation_needs_what_charging_needs(changes: dict[str, Any], cause: Cause) -> None:
    assert failed(ask(dialogue_in(S.CURRENT_DEMAND), AGAIN, view(**changes))) == (Code.FAILED, cause)


def renegotiated() -> Any:
    dialogue = dialogue_in(S.CURRENT_DEMAND, charge_started=True, start_told=True)
    ask(dialogue, AGAIN, view(contactors_closed=True))
    step = ask(dialogue, discovery(), view(limits=replace(LIMITS, max_power_w=20_000.0)))
    (schedule,) = body_of(step).sa_schedules.sa_schedule_tuple
    (entry,) = schedule.pmax_schedule.pmax_schedule_entry
    assert entry.pmax == m.PhysicalValue(0, m.UnitSymbol.W, 20_000)
    shown = body_of(step).evse_charge_parameter.dc_evse_status
    assert shown.evse_isolation_status is m.IsolationLevel.Valid  # measured while charging
    return dialogue


def test_after_renegotiation_cable_check_and_pre_charge_begin_anew() -> None:
    dialogue = renegotiated()
    step = ask(dialogue, REQUESTS[K.CABLE_CHECK], view(cable_check=CableCheck.PASSED))
    assert body_of(step).evse_processing is m.EvseProcessing.Ongoing
    assert step.events == (CableCheckRequested(at=NOW, evse_id=1),)
    ask(dialogue, REQUESTS[K.CABLE_CHECK])
    ask(dialogue, pre_charge(376.0), view(voltage_v=376.0))
    step = ask(dialogue, START, view(voltage_v=376.0, contactors_closed=True))
    assert step.events == (ChargeStartRequested(at=NOW, evse_id=1),)
    assert dialogue.session.state is S.CURRENT_DEMAND_FIRST


def test_a_car_that_kept_its_contactors_closed_may_start_at_once() -> None:
    dialogue = renegotiated()
    step = ask(dialogue, START, view(voltage_v=390.0, contactors_closed=True))
    assert body_of(step).response_code == Code.OK
    assert step.events == (ChargeStartRequested(at=NOW, evse_id=1),)


def test_no_renegotiation_in_an_emergency() -> None:
    step = ask(dialogue_in(S.CURRENT_DEMAND), AGAIN, view(stop=Stop.EMERGENCY))
    assert failed(step) == (Code.FAILED, Cause.STOP_REQUESTED)


# --- the end ----------------------------------------------------------------------------------------------


@pytest.mark.clause("ISO15118-2 8.4.2")
def test_a_pause_is_kept_and_ends_in_good_order() -> None:
    memory = SessionMemory()
    evcc = MAC.hex().upper()
    dialogue = dialogue_in(S.WELDING_OR_STOP, memory=memory, evcc_id=evcc, charge_started=True)
    step = ask(dialogue, PAUSE)
    assert body_of(step) == m.SessionStopRes(Code.OK)
    assert step.ending is not None and (step.ending.cause, step.ending.orderly) == (Cause.EV_PAUSED, True)
    assert memory.paused == PausedSession(SESSION_ID, evcc)


@pytest.mark.parametrize("stop", [Stop.NORMAL, Stop.EMERGENCY])
def test_a_pause_of_a_session_the_station_stops_is_an_end(stop: Stop) -> None:
    memory = SessionMemory()
    step = ask(dialogue_in(S.WELDING_OR_STOP, memory=memory), PAUSE, view(stop=stop))
    assert step.ending is not None and (step.ending.cause, step.ending.orderly) == (
        Cause.STOP_REQUESTED,
        True,
    )
    assert memory.paused is None


@pytest.mark.parametrize(
    ("session", "cause"),
    [
        ({"charge_started": True}, Cause.EV_FINISHED),
        ({}, Cause.EV_STOPPED_EARLY),
        ({"charge_started": True, "ev_error": "FAILED_EVRESSMalfunction"}, Cause.EV_ERROR),
    ],
)
def test_terminate_is_never_refused(session: dict[str, Any], cause: Cause) -> None:
    memory = SessionMemory()
    step = ask(dialogue_in(S.WELDING_OR_STOP, memory=memory, **session), session_stop(), view(at=0.0))
    assert body_of(step) == m.SessionStopRes(Code.OK)
    assert step.ending is not None and (step.ending.cause, step.ending.orderly) == (cause, True)
    assert memory.paused is None


def test_welding_detection_waits_for_the_pilot_in_b() -> None:
    dialogue = dialogue_in(S.WELDING_OR_STOP)
    step = ask(dialogue, REQUESTS[K.WELDING_DETECTION], view(voltage_v=390.0))
    assert (step.answer, step.wait_until) == (None, NOW + 1.5)
    step = dialogue.again(view(at=NOW + 0.2, voltage_v=250.0, cp_state=CpState.B), NOW + 0.2)
    assert body_of(step).evse_present_voltage == m.PhysicalValue(-2, m.UnitSymbol.V, 25000)


def test_silence_limits_by_state() -> None:
    assert dialogue_in(S.SESSION_SETUP).silence_s() == 18.0
    assert dialogue_in(S.CHARGE_PARAMETERS_AGAIN).silence_s() == 60.0
    loop = dialogue_in(S.CURRENT_DEMAND)
    assert (loop.ramp_down_s(), loop.silence_s()) == (1.5, 10.0)
