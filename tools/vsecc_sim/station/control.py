"""Control API of the simulated station: the verbs with their bodies, `GET /sim/state`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsecc_sim import control_api
from vsecc_sim.control_api import ControlServer, Field, Number, Verb, View

EVSE = Field(int, required=True)
PERCENT = Field(Number, between=(0, 100))
MAX_ADVANCE_S = 86_400  # a day in one step; every tick of it is computed
BODIES: dict[str, dict[str, Field]] = {
    "plug": {
        "evse": EVSE,
        "charge": Field(str, allowed=("default", "ac", "dc")),
        "auth": Field(str, allowed=("eim", "pnc")),
        "protocol": Field(str),
        "tls": Field(str),
        "profile": Field(str),
        "changes": Field(dict),
        "misbehave": Field(list),
        "soc": PERCENT,
        "target_soc": PERCENT,
        "external": Field(bool),
    },
    "unplug": {"evse": EVSE, "orderly": Field(bool)},
    "token": {"value": Field(str, required=True), "type": Field(str), "evses": Field(list)},
    "start-button": {"evse": EVSE},
    "fault": {
        "evse": EVSE,
        "code": Field(str, required=True),
        "active": Field(bool),
        "value": Field(Number),
        "target": Field(int),
    },
    "ev-pause": {"evse": EVSE},
    "ev-resume": {"evse": EVSE},
    "ev-renegotiate": {"evse": EVSE},
    "ev-stop": {"evse": EVSE},
    "ev-misbehave": {"evse": EVSE, "act": Field(dict, required=True)},
    "renegotiate": {"evse": EVSE},
    "stop": {"evse": EVSE, "emergency": Field(bool)},
    "io": {"inputs": Field(dict, required=True)},
    "clock": {"advance_s": Field(Number, required=True, between=(0, MAX_ADVANCE_S))},
}


def parse_body(verb: str, raw: bytes) -> dict[str, Any]:
    """The checked body of a verb; raises Refused naming what is wrong."""
    return control_api.parse_body(verb, BODIES[verb], raw)


class ControlApi(ControlServer):
    """The station's verbs over HTTP."""

    def __init__(self, verbs: Mapping[str, Verb], state: View) -> None:
        super().__init__(BODIES, verbs, {"state": state})
