"""The whole sequence table: every state with every request of the schema, and the session check."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.v2g.given import NOW, SESSION_ID, view
from unit.host.v2g.iso2.given import PAUSE, REQUESTS, ask, body_of, dialogue_in, failed, message

from vsecc_host.station.values import CableCheck, Cause, CpState
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.requests import kind_of, peek_kind
from vsecc_host.v2g.iso2.table import TABLE

# Written from the standard's sequence, not from the code: state -> request -> state after a positive answer.
_BEFORE_POWER = {K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP, K.SESSION_STOP: S.END}
_LOOP = {
    K.CURRENT_DEMAND: S.CURRENT_DEMAND,
    K.POWER_DELIVERY_OFF: S.WELDING_OR_STOP,
    K.POWER_DELIVERY_AGAIN: S.CHARGE_PARAMETERS_AGAIN,
}
LEGAL: dict[S, dict[K, S]] = {
    S.SESSION_SETUP: {K.SESSION_SETUP: S.SERVICE_DISCOVERY},
    S.SERVICE_DISCOVERY: {K.SERVICE_DISCOVERY: S.PAYMENT_SELECTION, K.SESSION_STOP: S.END},
    S.PAYMENT_SELECTION: {
        K.SERVICE_DETAIL: S.PAYMENT_SELECTION,
        K.PAYMENT_SELECTION: S.AUTHORIZATION,
        K.SESSION_STOP: S.END,
    },
    S.AUTHORIZATION: {K.AUTHORIZATION: S.CHARGE_PARAMETERS, K.SESSION_STOP: S.END},
    S.CHARGE_PARAMETERS: {K.CHARGE_PARAMETER_DISCOVERY: S.CABLE_CHECK, K.SESSION_STOP: S.END},
    S.CHARGE_PARAMETERS_AGAIN: {
        K.CHARGE_PARAMETER_DISCOVERY: S.CABLE_CHECK_OR_POWER_ON,
        **_BEFORE_POWER,
    },
    S.CABLE_CHECK_OR_POWER_ON: {
        K.CABLE_CHECK: S.PRE_CHARGE,
        K.POWER_DELIVERY_ON: S.CURRENT_DEMAND_FIRST,
        **_BEFORE_POWER,
    },
    S.CABLE_CHECK: {K.CABLE_CHECK: S.PRE_CHARGE, **_BEFORE_POWER},
    S.PRE_CHARGE: {K.PRE_CHARGE: S.PRE_CHARGE_OR_POWER_ON, **_BEFORE_POWER},
    S.PRE_CHARGE_OR_POWER_ON: {
        K.PRE_CHARGE: S.PRE_CHARGE_OR_POWER_ON,
        K.POWER_DELIVERY_ON: S.CURRENT_DEMAND_FIRST,
        **_BEFORE_POWER,
    },
    S.CURRENT_DEMAND_FIRST: _LOOP,
    S.CURRENT_DEMAND: _LOOP,
    S.WELDING_OR_STOP: {K.WELDING_DETECTION: S.WELDING_OR_STOP, K.SESSION_STOP: S.END},
    S.END: {},
}
# Known at this place, but not now: FAILED without "sequence error".
WRONG_NOW = {
    (S.CURRENT_DEMAND_FIRST, K.POWER_DELIVERY_ON),
    (S.CURRENT_DEMAND, K.POWER_DELIVERY_ON),
    (S.PRE_CHARGE_OR_POWER_ON, K.POWER_DELIVERY_AGAIN),
}


def test_every_state_and_every_request_is_there() -> None:
    assert set(TABLE) == set(LEGAL) == set(S)
    assert set(REQUESTS) == set(K)
    names = {name for name in vars(m) if name.endswith("Req")}
    assert {type(body).__name__ for body in REQUESTS.values()} == names
    assert all(kind_of(body) is kind for kind, body in REQUESTS.items())


@pytest.mark.clause("ISO15118-2 8.8.4")
@pytest.mark.parametrize("kind", list(K))
@pytest.mark.parametrize("state", list(S))
def test_every_request_in_every_state(state: S, kind: K) -> None:
    # GIVEN an outlet where everything is ready: contactors closed, no current, cable check passed
    truth = view(contactors_closed=True, cable_check=CableCheck.PASSED)
    dialogue = dialogue_in(state)
    # WHEN the request arrives
    step = ask(dialogue, REQUESTS[kind], truth)
    # THEN the answer is of its type, carries our session id and a code that fits
    if step.answer is None:  # WeldingDetection waits for the pilot, which is still in C
        assert (kind, state) == (K.WELDING_DETECTION, S.WELDING_OR_STOP)
        step = dialogue.again(view(cp_state=CpState.B), NOW)
    assert isinstance(step.answer, m.V2gMessage)
    assert step.answer.header.session_id == SESSION_ID
    body: Any = step.answer.body
    assert type(body).__name__ == type(REQUESTS[kind]).__name__[:-3] + "Res"
    assert decode(Protocol.ISO2, encode(Protocol.ISO2, step.answer)) == step.answer
    if kind in LEGAL[state]:
        assert body.response_code < m.ResponseCode.FAILED
        assert dialogue.session.state is LEGAL[state][kind]
        assert (step.ending is not None) == (kind is K.SESSION_STOP)
    else:
        wrong_now = (state, kind) in WRONG_NOW
        code = m.ResponseCode.FAILED if wrong_now else m.ResponseCode.FAILED_SequenceError
        assert failed(step) == (code, Cause.EV_PROTOCOL_ERROR)
        assert dialogue.session.state is S.END
        assert not step.events


@pytest.mark.clause("ISO15118-2 8.4.2")
@pytest.mark.parametrize("session_id", [b"", b"\0", bytes(8), SESSION_ID[:4], b"12345678"])
@pytest.mark.parametrize("kind", [kind for kind in K if kind is not K.SESSION_SETUP])
def test_another_session_id_ends_the_session(kind: K, session_id: bytes) -> None:
    state = next((state for state, legal in LEGAL.items() if kind in legal), S.CURRENT_DEMAND)
    step = dialogue_in(state).ask(message(REQUESTS[kind], session_id), view(), NOW)
    assert failed(step) == (m.ResponseCode.FAILED_UnknownSession, Cause.EV_PROTOCOL_ERROR)
    assert isinstance(step.answer, m.V2gMessage) and step.answer.header.session_id == SESSION_ID


@pytest.mark.parametrize("state", [state for state in S if state not in (S.WELDING_OR_STOP, S.END)])
def test_a_pause_is_legal_only_after_power_delivery(state: S) -> None:
    code = body_of(ask(dialogue_in(state), PAUSE)).response_code
    expected = m.ResponseCode.FAILED_SequenceError
    if K.SESSION_STOP in LEGAL[state]:
        expected = m.ResponseCode.FAILED
    assert code == expected


@pytest.mark.parametrize("body", [None, m.SessionStopRes(m.ResponseCode.OK)])
def test_what_is_no_request_ends_without_an_answer(body: Any) -> None:
    step = ask(dialogue_in(S.CABLE_CHECK), body)
    assert step.answer is None and step.wait_until is None
    assert step.ending is not None and step.ending.cause is Cause.EV_PROTOCOL_ERROR


@pytest.mark.parametrize("session_id", [b"", b"\0", bytes(range(8))])
@pytest.mark.parametrize("kind", list(K))
def test_peeking_finds_the_type_of_what_was_cut_off(kind: K, session_id: bytes) -> None:
    payload = encode(Protocol.ISO2, message(REQUESTS[kind], session_id))
    any_delivery = (K.POWER_DELIVERY_ON, K.POWER_DELIVERY_AGAIN)
    expected = K.POWER_DELIVERY_OFF if kind in any_delivery else kind
    assert peek_kind(payload) is expected
    assert peek_kind(payload[: 5 + len(session_id)]) is expected
    assert peek_kind(payload[: 3 + len(session_id)]) is None
