"""Bodies of the control APIs of station and PECC simulator, and what verbs make of parts of them.

The first byte chooses the verb; only Refused escapes, with one line a person can read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from vsecc_sim.control_api import Number, Refused, parse_body
from vsecc_sim.ev.misbehave import parse_act, parse_acts
from vsecc_sim.ev.profiles import ProfileError, load_profile
from vsecc_sim.mcu import commands
from vsecc_sim.pecc.control import BODIES as PECC_BODIES
from vsecc_sim.station.control import BODIES as STATION_BODIES

JSON = True
VERBS = [(verb, fields) for bodies in (STATION_BODIES, PECC_BODIES) for verb, fields in bodies.items()]
_EXAMPLES: dict[Any, object] = {int: 1, str: "eim", bool: True, list: [], dict: {}, Number: 50.5}
_ACT = {"at": "current_demand", "do": "beyond", "nth": 2, "current_a": 500}


def seeds() -> Iterator[bytes]:
    """Every verb with all its fields."""
    for number, (_, fields) in enumerate(VERBS):
        body = {
            name: rule.allowed[0] if rule.allowed else _EXAMPLES[rule.kind] for name, rule in fields.items()
        }
        yield bytes([number]) + json.dumps(body).encode()
        if "act" in fields:
            yield bytes([number]) + json.dumps({"evse": 1, "act": _ACT}).encode()
        if "changes" in fields:
            changes = {"charging": {"max_current_a": 50}, "think_ms": {"default": 1}}
            yield bytes([number]) + json.dumps({"evse": 1, "changes": changes, "misbehave": [_ACT]}).encode()
        if "inputs" in fields:
            yield bytes([number]) + json.dumps({"inputs": {"d1": True, "a1": 5, "t1": "open"}}).encode()


def one_input(data: bytes) -> None:
    """Refused, or a body whose numbers are numbers and whose parts are refused or taken in turn."""
    if not data:
        return
    verb, fields = VERBS[data[0] % len(VERBS)]
    try:
        body = parse_body(verb, fields, data[1:])
    except Refused as error:
        assert str(error)
        return
    for name, value in body.items():
        assert fields[name].kind is not Number or math.isfinite(float(value)), f"{name} = {value}"
    _parts(body)


def _parts(body: dict[str, Any]) -> None:
    for part in (
        lambda: parse_act(body.get("act", {})),
        lambda: parse_acts(body.get("misbehave", [])),
        lambda: load_profile("default", body.get("changes", {})),
        lambda: commands.inputs(body.get("inputs", {})),
    ):
        try:
            part()
        except (ProfileError, ValueError) as error:
            assert str(error)
