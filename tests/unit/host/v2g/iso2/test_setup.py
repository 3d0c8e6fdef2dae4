"""SessionSetup to ChargeParameterDiscovery: given a view and a request, this answer and these events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.host.v2g.given import LIMITS, MAC, NOW, SESSION_ID, view
from unit.host.v2g.iso2.given import (
    REQUESTS,
    Code,
    Status,
    amperes,
    ask,
    body_of,
    dialogue_in,
    discovery,
    failed,
    message,
    parameters,
    selection,
    volts,
)

from vsecc_host.station.events import EvParametersTold, V2gSessionStarted
from vsecc_host.station.values import Authorization, Cause, EvParameters
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dc.memory import PausedSession, SessionMemory
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.answers import evseid_text

Processing = m.EvseProcessing
OLD_ID = bytes.fromhex("00A1B2C3D4E5F607")
EVCC = MAC.hex().upper()


# --- session setup ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_id", [b"", b"\0", bytes(8), OLD_ID])
def test_session_setup_tells_who_came(first_id: bytes) -> None:
    step = dialogue_in(S.SESSION_SETUP).ask(message(m.SessionSetupReq(MAC), first_id), view(), NOW)
    assert body_of(step) == m.SessionSetupRes(Code.OK_NewSessionEstablished, "DE*VSE*E1")
    assert step.events == (
        V2gSessionStarted(
            at=NOW, evse_id=1, protocol="iso2", evcc_id=EVCC, session_id="1122334455667788", resumed=False
        ),
    )


def paused(session_id: bytes = OLD_ID, evcc_id: str = EVCC) -> SessionMemory:
    memory = SessionMemory()
    memory.keep(PausedSession(session_id, evcc_id))
    return memory


@pytest.mark.clause("ISO15118-2 8.4.2")
def test_a_paused_session_is_joined_under_its_old_id() -> None:
    # GIVEN a paused session
    memory = paused()
    dialogue = dialogue_in(S.SESSION_SETUP, memory=memory)
    # WHEN its car sets up a session with the old id
    step = dialogue.ask(message(m.SessionSetupReq(MAC), OLD_ID), view(), NOW)
    # THEN it goes on under that id, and the memory is used up
    assert body_of(step).response_code == Code.OK_OldSessionJoined
    assert isinstance(step.answer, m.V2gMessage) and step.answer.header.session_id == OLD_ID
    (started,) = step.events
    assert isinstance(started, V2gSessionStarted)
    assert (started.session_id, started.resumed) == (OLD_ID.hex().upper(), True)
    assert memory.paused is None
    step = dialogue.ask(message(REQUESTS[K.SERVICE_DISCOVERY], OLD_ID), view(), NOW)
    assert body_of(step).response_code == Code.OK


@pytest.mark.parametrize(
    ("asked_id", "mac"), [(bytes(8), MAC), (b"", MAC), (SESSION_ID, MAC), (OLD_ID, b"\1\2\3\4\5\6")]
)
def test_any_other_car_or_id_begins_anew_and_the_pause_is_forgotten(asked_id: bytes, mac: bytes) -> None:
    memory = paused()
    dialogue = dialogue_in(S.SESSION_SETUP, memory=memory)
    step = dialogue.ask(message(m.SessionSetupReq(mac), asked_id), view(), NOW)
    assert body_of(step).response_code == Code.OK_NewSessionEstablished
    assert isinstance(step.answer, m.V2gMessage) and step.answer.header.session_id == SESSION_ID
    assert memory.paused is None


@pytest.mark.parametrize(
    ("configured", "told"),
    [
        ("DE*VSE*E1", "DE*VSE*E1"),
        ("", "ZZ00000"),
        ("short", "ZZ00000"),
        ("D" * 40, "D" * 37),
        ("DE*VSÉ*E1", "DE*VS?*E1"),
    ],
)
def test_evseid_has_7_to_37_characters(configured: str, told: str) -> None:
    assert evseid_text(configured) == told


# --- services and payment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("category", [None, m.ServiceCategory.EVCharging, m.ServiceCategory.Internet])
def test_service_discovery_offers_one_service_and_one_payment(category: Any) -> None:
    step = ask(dialogue_in(S.SERVICE_DISCOVERY), m.ServiceDiscoveryReq("scope", category))
    modes = m.SupportedEnergyTransferMode((m.EnergyTransferMode.DC_core, m.EnergyTransferMode.DC_extended))
    assert body_of(step) == m.ServiceDiscoveryRes(
        Code.OK,
        m.PaymentOptionList((m.PaymentOption.ExternalPayment,)),
        m.ChargeService(1, m.ServiceCategory.EVCharging, False, modes),
    )


def test_details_of_the_charge_service_may_be_asked_often() -> None:
    dialogue = dialogue_in(S.PAYMENT_SELECTION)
    for _ in range(3):
        assert body_of(ask(dialogue, m.ServiceDetailReq(1))) == m.ServiceDetailRes(Code.OK, 1)


@pytest.mark.parametrize("service", [0, 2, 65535])
def test_details_of_another_service(service: int) -> None:
    step = ask(dialogue_in(S.PAYMENT_SELECTION), m.ServiceDetailReq(service))
    assert failed(step) == (Code.FAILED_ServiceIDInvalid, Cause.EV_PROTOCOL_ERROR)
    assert body_of(step).service_id == service


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (selection(m.PaymentOption.Contract), Code.FAILED_PaymentSelectionInvalid),
        (selection(services=()), Code.FAILED_ServiceSelectionInvalid),
        (selection(services=(2,)), Code.FAILED_NoChargeServiceSelected),
        (selection(services=(1, 2)), Code.FAILED_ServiceSelectionInvalid),
    ],
)
def test_payment_selection_refused(request_: m.PaymentServiceSelectionReq, code: Code) -> None:
    assert failed(ask(dialogue_in(S.PAYMENT_SELECTION), request_)) == (code, Cause.EV_PROTOCOL_ERROR)


# --- authorization ----------------------------------------------------------------------------------------


@pytest.mark.clause("ISO15118-2 8.4.3 EVSEProcessing")
def test_authorization_waits_for_a_back_end_then_for_a_person_as_long_as_it_takes() -> None:
    dialogue = dialogue_in(S.AUTHORIZATION)
    heard = []
    for later in (0.0, 5.0, 5.1, 54.0, 200.0, 600.0):
        now = NOW + later
        step = ask(dialogue, m.AuthorizationReq(), view(at=now, authorization=Authorization.ONGOING), now)
        heard.append(body_of(step).evse_processing)
    waiting = Processing.Ongoing_WaitingForCustomerInteraction
    assert heard == [Processing.Ongoing, Processing.Ongoing, *[waiting] * 4]
    now = NOW + 601.0
    step = ask(dialogue, m.AuthorizationReq(), view(at=now), now)
    assert body_of(step) == m.AuthorizationRes(Code.OK, Processing.Finished)
    assert dialogue.session.state is S.CHARGE_PARAMETERS


def test_authorization_rejected() -> None:
    step = ask(dialogue_in(S.AUTHORIZATION), m.AuthorizationReq(), view(authorization=Authorization.REJECTED))
    assert failed(step) == (Code.FAILED, Cause.NOT_AUTHORIZED)


# --- charge parameters ------------------------------------------------------------------------------------


def test_charge_parameters_finished_with_limits_and_one_schedule() -> None:
    step = ask(dialogue_in(S.CHARGE_PARAMETERS), discovery())
    body = body_of(step)
    assert (body.response_code, body.evse_processing) == (Code.OK, Processing.Finished)
    power = m.PhysicalValue(1, m.UnitSymbol.W, 15000)
    interval = m.RelativeTimeInterval(0, 86400)
    schedule = m.PmaxSchedule((m.PmaxScheduleEntry(interval, power),))
    assert body.sa_schedules == m.SaScheduleList((m.SaScheduleTuple(1, schedule),))
    told = body.evse_charge_parameter
    assert told.dc_evse_status == m.DcEvseStatus(
        0, m.EvseNotification.None_, Status.EVSE_Ready, m.IsolationLevel.Invalid
    )
    assert told.evse_maximum_power_limit == power
    assert told.evse_maximum_voltage_limit == m.PhysicalValue(-1, m.UnitSymbol.V, 10000)
    assert told.evse_maximum_current_limit == m.PhysicalValue(-2, m.UnitSymbol.A, 20000)
    expected = EvParameters(max_voltage_v=412.8, max_current_a=200.0, soc_percent=55)
    assert step.events == (EvParametersTold(at=NOW, evse_id=1, parameters=expected),)


@pytest.mark.parametrize("power_w", [1e9, 400_000.0, 32_768.0, 32_767.0, 0.5])
def test_pmax_has_a_multiplier(power_w: float) -> None:
    seen = view(limits=replace(LIMITS, max_power_w=power_w))
    (entry,) = body_of(
        ask(dialogue_in(S.CHARGE_PARAMETERS), discovery(), seen)
    ).sa_schedules.sa_schedule_tuple
    (pmax,) = [x.pmax for x in entry.pmax_schedule.pmax_schedule_entry]
    told = pmax.value * 10**pmax.multiplier
    assert pmax.unit is m.UnitSymbol.W and told == pytest.approx(
        min(32_767_000.0, max(1.0, power_w)), rel=1e-3
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": replace(LIMITS, max_power_w=0.0)},
        {"limits": replace(LIMITS, max_current_a=0.0)},
        {"operative": False},
        {"at": NOW - 1.001},
    ],
)
def test_ongoing_until_there_is_power_without_a_schedule_and_never_a_zero_offer(
    changes: dict[str, Any],
) -> None:
    dialogue = dialogue_in(S.CHARGE_PARAMETERS)
    body = body_of(ask(dialogue, discovery(), view(**changes)))
    assert dialogue.session.state is S.CHARGE_PARAMETERS
    assert (body.evse_processing, body.sa_schedules) == (Processing.Ongoing, None)
    told = body.evse_charge_parameter
    assert told.dc_evse_status.evse_status_code == Status.EVSE_NotReady
    assert told.evse_maximum_power_limit.value > 0 and told.evse_maximum_current_limit.value > 0


@pytest.mark.clause("ISO15118-2 8.7 V2G_SECC_Ongoing_Performance_Time")
def test_ongoing_ends_after_55_seconds() -> None:
    dialogue = dialogue_in(S.CHARGE_PARAMETERS)
    ask(dialogue, discovery(), view(operative=False))
    last, late = NOW + 55.0, NOW + 55.001
    assert body_of(ask(dialogue, discovery(), view(at=last, operative=False), last)).response_code == Code.OK
    step = ask(dialogue, discovery(), view(at=late, operative=False), late)
    assert failed(step) == (Code.FAILED, Cause.POWER_INOPERATIVE)
    assert body_of(step).sa_schedules is None


AC = m.AcEvChargeParameter(volts(1), volts(230), amperes(32), amperes(6))
Mode = m.EnergyTransferMode


@pytest.mark.parametrize(
    ("request_", "code", "cause"),
    [
        *[
            (
                m.ChargeParameterDiscoveryReq(mode, parameters()),
                Code.FAILED_WrongEnergyTransferMode,
                Cause.EV_PROTOCOL_ERROR,
            )
            for mode in Mode
            if mode not in (Mode.DC_core, Mode.DC_extended)
        ],
        (
            m.ChargeParameterDiscoveryReq(Mode.DC_extended, AC),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_voltage_limit=volts(0)),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_current_limit=amperes(-1)),
            Code.FAILED_WrongChargeParameter,
            Cause.EV_PROTOCOL_ERROR,
        ),
        (
            discovery(ev_maximum_voltage_limit=volts(149.9)),
            Code.FAILED_WrongChargeParameter,
            Cause.VOLTAGE_NOT_SUPPORTED,
        ),
    ],
)
def test_charge_parameters_refused(request_: m.ChargeParameterDiscoveryReq, code: Code, cause: Cause) -> None:
    assert failed(ask(dialogue_in(S.CHARGE_PARAMETERS), request_)) == (code, cause)
