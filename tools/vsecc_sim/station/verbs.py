"""What each verb of the control API does to the simulated station."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from vsecc_host.station.events import (
    AuthorizationDecided,
    RenegotiationRequested,
    StationEvent,
    StopRequested,
)
from vsecc_host.station.values import Cause, Phase
from vsecc_sim.ev.misbehave import parse_act, parse_acts
from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.simulator import EvSimulator, NotPossible
from vsecc_sim.mcu.faults import check_target
from vsecc_sim.pecc.faults import FAULTS, Fault, UnknownFault
from vsecc_sim.plc.faults import FAULTS as LINE_FAULTS
from vsecc_sim.station.matched_car import MatchedCar
from vsecc_sim.station.options import PECC_SIMULATOR, Refused
from vsecc_sim.station.station import SimulatedStation

logger = logging.getLogger(__name__)

Body = dict[str, Any]
Verb = Callable[[Body], None]


class Verbs:
    """`table` maps a verb to its function, which raises Refused for what cannot be done."""

    def __init__(self, station: SimulatedStation) -> None:
        self._station = station
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.table: dict[str, Verb] = {
            "plug": self._plug,
            "unplug": self._unplug,
            "token": self._token,
            "start-button": self._start_button,
            "stop": self._stop,
            "fault": self._fault,
            "ev-pause": lambda body: self._wish(body, "pause"),
            "ev-resume": self._resume,
            "ev-renegotiate": lambda body: self._wish(body, "renegotiate"),
            "ev-stop": lambda body: self._wish(body, "request_stop"),
            "ev-misbehave": self._misbehave,
            "renegotiate": self._renegotiate,
            "io": self._io,
            "clock": self._clock,
        }

    def _plug(self, body: Body) -> None:
        if body.get("charge") == "ac" or body.get("auth") == "pnc":
            raise Refused("only DC with external identification is there yet")
        if body.get("protocol") not in (None, "din", "iso2"):
            raise Refused("protocol must be din or iso2")
        if body.get("external"):
            self._station.plug_external(body["evse"])
            return
        options = {
            "profile": body.get("profile"),
            "protocol": body.get("protocol"),
            "tls": body.get("tls"),
            "changes": body.get("changes"),
            "soc_percent": body.get("soc"),
            "target_soc_percent": body.get("target_soc"),
        }
        given = {name: value for name, value in options.items() if value is not None}
        try:
            self._station.plug(body["evse"], misbehave=parse_acts(body.get("misbehave", [])), **given)
        except (ProfileError, OSError) as error:  # a profile may be a file
            raise Refused(str(error)) from error

    def _unplug(self, body: Body) -> None:
        outlet = self._station.outlet(body["evse"])
        if not outlet.plugged:
            raise Refused(f"outlet {body['evse']} has no car")
        self._later(outlet.unplug(orderly=body.get("orderly", False)))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("control: what a verb began failed", exc_info=error)

    def _publish(self, event: StationEvent) -> None:
        app = self._station.app
        app.publish(event, app.trace.new_cause())

    def _token(self, body: Body) -> None:
        evses = body.get("evses", list(self._station.outlets))
        if not all(type(evse) is int for evse in evses):
            raise Refused("evses must be a list of whole numbers")
        for evse in evses:
            self._station.outlet(evse)
        for event in self._station.app.authorization.token(body["value"], set(evses), self._loop.time()):
            self._publish(event)

    def _start_button(self, body: Body) -> None:
        evse = self._station.outlet(body["evse"]).number
        self._publish(
            AuthorizationDecided(at=self._loop.time(), evse_id=evse, accepted=True, who="start button")
        )

    def _stop(self, body: Body) -> None:
        evse = self._station.outlet(body["evse"]).number
        emergency = body.get("emergency", False)
        self._publish(
            StopRequested(at=self._loop.time(), evse_id=evse, who="control API", emergency=emergency)
        )

    def _fault(self, body: Body) -> None:
        outlet = self._station.outlet(body["evse"])
        code, active = body["code"], body.get("active", True)
        if self._pecc_fault(outlet.number, code, active, body.get("value")):
            return
        power, mcu = self._station.app.evses[outlet.number].power, self._station.mcu
        of_power = {name.replace("_", "-"): name for name in power.faults}
        line = self._station.line_faults
        if code in of_power:
            power.inject(of_power[code], active)
        elif code in mcu.FAULTS:
            self._mcu_fault(code, active, body.get("target", outlet.number), body.get("value"))
        elif line is not None and code in LINE_FAULTS:
            line.inject(code, active, outlet.number, self._loop.time())
        else:
            raise self._no_fault(code, of_power)

    def _no_fault(self, code: str, of_power: Iterable[str]) -> Refused:
        there_are = [*of_power, *self._elsewhere()]
        return Refused(f"no fault {code}; there are {', '.join(sorted(there_are))}")

    def _elsewhere(self) -> list[str]:
        """Faults of other parts than the power electronics."""
        of_line = LINE_FAULTS if self._station.line_faults is not None else ()
        return [*self._station.mcu.FAULTS, *of_line]

    def _mcu_fault(self, code: str, active: bool, target: int, value: float | None) -> None:
        try:
            check_target(code, target)
        except ValueError as error:
            raise Refused(str(error)) from error
        self._station.mcu.inject(code, active, port=target, value=value)

    def _car(self, body: Body) -> EvSimulator:
        outlet = self._station.outlet(body["evse"])
        car = outlet.car.ev if isinstance(outlet.car, MatchedCar) else outlet.car
        if not outlet.plugged or not isinstance(car, EvSimulator):
            raise Refused(f"outlet {outlet.number} has no simulated car")
        return car

    def _pecc_fault(self, evse: int, code: str, active: bool, value: float | None) -> bool:
        """True when the outlet's power electronics are the PECC simulator and know this fault."""
        pecc = self._station.pecc
        if pecc is None or self._station.power_urls[evse] != PECC_SIMULATOR:
            return False
        if code not in FAULTS:
            if code in self._elsewhere():
                return False
            raise self._no_fault(code, FAULTS)
        try:
            pecc.inject(evse, Fault(code, active, value))
        except UnknownFault as error:
            raise Refused(str(error)) from error
        return True

    def _wish(self, body: Body, verb: str) -> None:
        """Stop; pause, resume or renegotiate, which an ISO 15118-2 car can do."""
        try:
            getattr(self._car(body), verb)()
        except NotPossible as error:
            raise Refused(str(error)) from error

    def _resume(self, body: Body) -> None:
        """A car that paused goes on; of one from outside only the pilot is here, which wakes the station."""
        outlet = self._station.outlet(body["evse"])
        if outlet.ev_phase != "external":
            self._wish(body, "resume")
        elif self._station.view(outlet.number).cause is not Cause.EV_PAUSED:
            raise Refused(f"outlet {outlet.number} is not paused")
        else:
            outlet.toggle()

    def _misbehave(self, body: Body) -> None:
        try:
            self._car(body).misbehave(parse_act(body["act"]))
        except (NotPossible, ProfileError) as error:
            raise Refused(str(error)) from error

    def _renegotiate(self, body: Body) -> None:
        """The station asks the car, as a back end would."""
        evse = self._station.outlet(body["evse"]).number
        if self._station.view(evse).phase is not Phase.CHARGING:
            raise Refused(f"outlet {evse} does not charge")
        if self._station.recorder.outlets[evse].protocol != "iso2":
            raise Refused(f"outlet {evse}: only ISO 15118-2 knows renegotiation")
        self._publish(RenegotiationRequested(at=self._loop.time(), evse_id=evse, who="control API"))

    def _io(self, body: Body) -> None:
        try:
            self._station.mcu.drive_inputs(body["inputs"])
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(f"inputs: {error}") from error

    def _clock(self, body: Body) -> None:
        advance = getattr(self._loop, "advance", None)
        if not self._station.options.virtual_time or advance is None:
            raise Refused("clock needs --virtual-time")
        advance(body["advance_s"])
