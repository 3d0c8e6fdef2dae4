"""The whole sequence table: every state with every request of the schema, and the session check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.host.v2g.given import NOW, REQUESTS, SESSION_ID, message, view

from vsecc_host.station.values import CableCheck, Cause, CpState
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.dc.session import DcSession, Manners
from vsecc_host.v2g.din70121.protocol import DIN, MANNERS
from vsecc_host.v2g.din70121.requests import kind_of
from vsecc_host.v2g.exi import din70121 as m

# Written from the standard's sequence, not from the code: state -> request -> state after a positive answer.
LEGAL: dict[S, dict[K, S]] = {
    S.SESSION_SETUP: {K.SESSION_SETUP: S.SERVICE_DISCOVERY},
    S.SERVICE_DISCOVERY: {K.SERVICE_DISCOVERY: S.PAYMENT_SELECTION, K.SESSION_STOP: S.END},
    S.PAYMENT_SELECTION: {K.PAYMENT_SELECTION: S.AUTHORIZATION, K.SESSION_STOP: S.END},
    S.AUTHORIZATION: {K.AUTHORIZATION: S.CHARGE_PARAMETERS, K.SESSION_STOP: S.END},
    S.CHARGE_PARAMETERS: {K.CHARGE_PARAMETER_DISCOVERY: S.CABLE_CHECK, K.SESSION_STOP: S.END},
    S.CABLE_CHECK: {
        K.CABLE_CHECK: S.PRE_CHARGE,
        K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP,
        K.SESSION_STOP: S.END,
    },
    S.PRE_CHARGE: {
        K.PRE_CHARGE: S.PRE_CHARGE_OR_POWER_ON,
        K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP,
        K.SESSION_STOP: S.END,
    },
    S.PRE_CHARGE_OR_POWER_ON: {
        K.PRE_CHARGE: S.PRE_CHARGE_OR_POWER_ON,
        K.POWER_DELIVERY_ON: S.CURRENT_DEMAND_FIRST,
        K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP,
        K.SESSION_STOP: S.END,
    },
    S.CURRENT_DEMAND_FIRST: {K.CURRENT_DEMAND: S.CURRENT_DEMAND, K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP},
    S.CURRENT_DEMAND: {K.CURRENT_DEMAND: S.CURRENT_DEMAND, K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP},
    S.WELDING_OR_STOP: {K.WELDING_DETECTION: S.WELDING_OR_STOP, K.SESSION_STOP: S.END},
    S.END: {},
}


def dialogue_in(state: S, *, manners: Manners = MANNERS, **changes: Any) -> DcDialogue:
    dialogue = DcDialogue(DIN, evse_id=1, session_id=SESSION_ID, manners=manners, memory=SessionMemory())
    started = None if state is S.SESSION_SETUP else NOW - 1
    session = DcSession(
        evse_id=1, id=SESSION_ID, state=state, started_at=started, cable_check_since=NOW - 1, pilot_seen=True
    )
    dialogue.session = replace(session, **changes)
    return dialogue


@pytest.mark.clause("DIN70121 8.6", "DIN70121 9.2")
@pytest.mark.parametrize("kind", list(REQUESTS))
@pytest.mark.parametrize("state", list(DIN.table))
def test_every_request_in_every_state(state: S, kind: K) -> None:
    # GIVEN an outlet where everything is ready: contactors closed, no current, cable check passed
    truth = view(contactors_closed=True, cable_check=CableCheck.PASSED)
    dialogue = dialogue_in(state)
    # WHEN the request arrives
    step = dialogue.ask(message(REQUESTS[kind]), truth, NOW)
    # THEN the answer is of its type, carries our session id and a code that fits
    if step.answer is None:  # WeldingDetection waits for the pilot, which is still in C
        assert (kind, state) == (K.WELDING_DETECTION, S.WELDING_OR_STOP)
        step = dialogue.again(view(cp_state=CpState.B), NOW)
    assert isinstance(step.answer, m.V2gMessage)
    assert step.answer.header.session_id == SESSION_ID
    body: Any = step.answer.body
    assert type(body).__name__ == type(REQUESTS[kind]).__name__[:-3] + "Res"
    if kind in LEGAL[state]:
        assert body.response_code < m.ResponseCode.FAILED
        assert dialogue.session.state is LEGAL[state][kind]
        assert (step.ending is not None) == (kind is K.SESSION_STOP)
    else:
        again = (state, kind) == (S.CURRENT_DEMAND, K.POWER_DELIVERY_ON)
        expected = m.ResponseCode.FAILED if again else m.ResponseCode.FAILED_SequenceError
        assert body.response_code == expected
        assert dialogue.session.state is S.END
        assert step.ending is not None
        assert (step.ending.cause, step.ending.orderly) == (Cause.EV_PROTOCOL_ERROR, False)
        assert not step.events


@pytest.mark.clause("DIN70121 8.4.1")
@pytest.mark.parametrize("session_id", [b"", b"\0", bytes(8), SESSION_ID[:4], b"12345678"])
@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind is not K.SESSION_SETUP])
def test_another_session_id_ends_the_session(kind: K, session_id: bytes) -> None:
    state = next((state for state, legal in LEGAL.items() if kind in legal), S.CURRENT_DEMAND)
    step = dialogue_in(state).ask(message(REQUESTS[kind], session_id), view(), NOW)
    assert isinstance(step.answer, m.V2gMessage)
    body: Any = step.answer.body
    assert body.response_code == m.ResponseCode.FAILED_UnknownSession
    assert step.answer.header.session_id == SESSION_ID
    assert step.ending is not None and not step.ending.orderly


@pytest.mark.parametrize("first_id", [b"", b"\0", bytes(8), b"ABB00006"])
def test_the_first_session_id_may_be_anything(first_id: bytes) -> None:
    step = dialogue_in(S.SESSION_SETUP).ask(message(REQUESTS[K.SESSION_SETUP], first_id), view(), NOW)
    assert isinstance(step.answer, m.V2gMessage)
    assert step.answer.body == m.SessionSetupRes(m.ResponseCode.OK_NewSessionEstablished, b"DE*VSE*E1")


@pytest.mark.parametrize("body", [None, m.SessionStopRes(m.ResponseCode.OK)])
def test_what_is_no_request_ends_without_an_answer(body: Any) -> None:
    step = dialogue_in(S.CABLE_CHECK).ask(message(body), view(), NOW)
    assert step.answer is None and step.wait_until is None
    assert step.ending is not None and step.ending.cause is Cause.EV_PROTOCOL_ERROR


def test_every_request_of_the_schema_has_a_kind() -> None:
    names = {name for name in vars(m) if name.endswith("Req")}
    assert {type(body).__name__ for body in REQUESTS.values()} == names
    assert all(kind_of(body) is kind for kind, body in REQUESTS.items())
