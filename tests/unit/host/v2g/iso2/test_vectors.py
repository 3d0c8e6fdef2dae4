"""Requests of a session between two public implementations, as bytes, against the dialogue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shared_data import SHARED
from unit.host.v2g.given import NOW, view
from unit.host.v2g.iso2.given import body_of, dialogue_in

from vsecc_host.station.values import CpState
from vsecc_host.v2g.dc.kinds import Kind, State
from vsecc_host.v2g.exi import Protocol, decode
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2.requests import kind_of, peek_kind
from vsecc_host.v2g.iso2.table import TABLE

FILE = SHARED / "vectors" / "exi" / "iso15118_2.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []
REQUESTS = [x for x in VECTORS if "/session." in x["name"] and x["name"].endswith("Req")]
LATER = (State.CHARGE_PARAMETERS_AGAIN, State.CABLE_CHECK_OR_POWER_ON)


@pytest.mark.skipif(not VECTORS, reason="needs the shared vectors")
@pytest.mark.parametrize("vector", REQUESTS, ids=lambda x: x["name"])
def test_a_public_cars_request_is_answered_ok(vector: dict[str, Any]) -> None:
    payload = bytes.fromhex(vector["exi_hex"])
    message = decode(Protocol.ISO2, payload)
    kind = kind_of(message.body)
    assert kind is not None
    peeked = Kind.POWER_DELIVERY_OFF if kind.value.startswith("power delivery") else kind
    assert peek_kind(payload) in (peeked, kind)
    state = next(state for state, rules in TABLE.items() if kind in rules and state not in LATER)
    dialogue = dialogue_in(state, id=message.header.session_id)
    step = dialogue.ask(message, view(contactors_closed=True), NOW)
    if step.answer is None:
        step = dialogue.again(view(cp_state=CpState.B), NOW)
    assert body_of(step).response_code < m.ResponseCode.FAILED
