"""Control API of the PECC simulator: POST fault, supervision, limits, request; GET state, report."""

from __future__ import annotations

from typing import Any

from vsecc_sim.control_api import ControlServer, Field, Number, Refused
from vsecc_sim.pecc.faults import Fault, UnknownFault
from vsecc_sim.pecc.link import PointLink
from vsecc_sim.pecc.report import state_of
from vsecc_sim.pecc.scenario import LIMITS, REQUESTS
from vsecc_sim.pecc.simulator import PeccSimulator

POINT = Field(int, required=True)
BODIES: dict[str, dict[str, Field]] = {
    "fault": {
        "charge_point": POINT,
        "code": Field(str, required=True),
        "active": Field(bool),
        "value": Field(Number),
    },
    "supervision": {"charge_point": POINT, "closed": Field(bool, required=True)},
    "limits": {"charge_point": POINT, **{name: Field(Number) for name in LIMITS}},
    "request": {
        "charge_point": POINT,
        "kind": Field(str, required=True, allowed=tuple(REQUESTS)),
        "payload": Field(dict),
    },
}


class PeccControl(ControlServer):
    """What a person or a script may do to the simulator while it runs."""

    def __init__(self, simulator: PeccSimulator) -> None:
        super().__init__(
            BODIES,
            {
                "fault": self._fault,
                "supervision": lambda body: self._link(body).supervise(body["closed"]),
                "limits": self._limits,
                "request": lambda body: self._link(body).request(
                    REQUESTS[body["kind"]], body.get("payload", {})
                ),
            },
            {"state": lambda: state_of(simulator.points), "report": simulator.report},
        )
        self._simulator = simulator

    def _link(self, body: dict[str, Any]) -> PointLink:
        links = self._simulator.links
        if body["charge_point"] not in links:
            raise Refused(f"no charge point {body['charge_point']}; there are {', '.join(map(str, links))}")
        return links[body["charge_point"]]

    def _fault(self, body: dict[str, Any]) -> None:
        link = self._link(body)
        try:
            link.inject(Fault(body["code"], body.get("active", True), body.get("value")))
        except UnknownFault as error:
            raise Refused(str(error)) from error

    def _limits(self, body: dict[str, Any]) -> None:
        limits = {name: float(value) for name, value in body.items() if name in LIMITS}
        if not limits or any(not 0 <= value <= 1e9 for value in limits.values()):
            raise Refused(f"limits takes numbers of at least 0: {', '.join(LIMITS)}")
        self._link(body).set_limits(limits)
