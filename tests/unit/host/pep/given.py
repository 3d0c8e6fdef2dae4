"""A good message of every kind, and strategies that make any message of any version."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from vsecc_host.pep.messages import LAYOUTS, MAX_NUMBER, Field, Layout, Message, MessageType, Shape
from vsecc_host.pep.versions import PepVersion

STATUS: dict[str, Any] = {
    "measuredVoltage": 400,
    "measuredCurrent": 10.5,
    "drivenVoltage": 400,
    "drivenCurrent": 10.5,
    "temperature": -3.5,
    "contactorsStatus": "closed",
    "isolationStatus": "valid",
    "operationalStatus": "operative",
}
CONFIGURATION: dict[str, Any] = {
    "firmwareVersion": "1",
    "manufacturer": "demo",
    "limitVoltageMin": 150,
    "limitVoltageMax": 920,
    "limitCurrentMin": 0,
    "limitCurrentMax": 125,
    "limitPowerMax": 60000,
}
TARGET: dict[str, Any] = {
    "targetVoltage": 388.4,
    "targetCurrent": 1.9,
    "batteryStateOfCharge": 37,
    "chargingState": "preCharge",
}


def wire(type_: str, kind: str, number: object = None, payload: object = None, **more: Any) -> str:
    """A message as text, however wrong; a number of None is left out."""
    fields: dict[str, Any] = {"type": type_, "kind": kind}
    if number is not None:
        fields["sequenceNumber"] = number
    fields["payload"] = {} if payload is None else payload
    return json.dumps({**fields, **more})


def status(**changes: object) -> str:
    """A status as text."""
    return wire("info", "status", payload={**STATUS, **changes})


TEXT = st.text(st.sampled_from('aZ09:é€\n"\\\x00'), max_size=8)


@cache
def values_of(member: Field, version: PepVersion) -> st.SearchStrategy[Any]:
    """Any value a member may have."""
    if member.shape is Shape.NUMBER:
        low = -300 if member.low is None else member.low
        high = 900 if member.high is None else member.high
        return st.one_of(
            st.floats(low, high, allow_nan=False),
            st.integers(int(low), int(high)),
        )
    if member.values is not None:
        features = member.value_features
        return st.sampled_from(
            [value for value in member.values if value not in features or version.has(features[value])]
        )
    return {
        Shape.STRING: TEXT,
        Shape.BOOLEAN: st.booleans(),
        Shape.STRINGS: st.lists(TEXT, max_size=4),
        Shape.OBJECT: st.dictionaries(TEXT, st.integers(0, 1), max_size=4),
    }[member.shape]


@cache
def payload_of(layout: Layout, version: PepVersion) -> st.SearchStrategy[dict[str, Any]]:
    """Any payload of a message."""
    members = layout.members(version)
    return st.fixed_dictionaries(
        {m.name: values_of(m, version) for m in members if m.required},
        optional={m.name: values_of(m, version) for m in members if not m.required},
    )


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, PepVersion]:
    """Any message of any version, errors aside."""
    version = draw(st.sampled_from(PepVersion))
    layout = draw(st.sampled_from([layout for layout in LAYOUTS if version.has(layout.feature)]))
    number = None if layout.type is MessageType.INFO else draw(st.integers(0, MAX_NUMBER))
    payload = draw(payload_of(layout, version))
    return Message(type=layout.type, kind=layout.kind, sequence_number=number, payload=payload), version
