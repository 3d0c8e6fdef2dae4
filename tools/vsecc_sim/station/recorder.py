"""Watches a running host and keeps what a summary needs: phases, relay times, answer times, ends."""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from vsecc_host.app import App
from vsecc_host.runtime.trace import Frame, Record
from vsecc_host.slac.attenuation import Attenuation
from vsecc_host.slac.events import DlinkReady, SlacFailed, SlacMatched
from vsecc_host.station.commands import Command, PublishView, ReportSession
from vsecc_host.station.events import (
    ChargeTargetRequested,
    RelayChanged,
    StationEvent,
    V2gSessionStarted,
)
from vsecc_host.station.values import Cause, Phase

ANSWERS_KEPT = 200_000  # answer times; the newest count
FAILURES_KEPT = 20  # of matching, per plug-in


@dataclass(slots=True)
class PhaseTime:
    """One phase of a session, in seconds from plug-in."""

    name: str
    start_s: float
    duration_s: float = 0.0

    def as_json(self) -> dict[str, str | float]:
        """Row of a summary."""
        return {"name": self.name, "start_s": round(self.start_s, 3), "duration_s": round(self.duration_s, 3)}


@dataclass(slots=True)
class MatchingRecord:
    """How the car of a plug-in was matched; attenuation per carrier group in dB, as reported to it."""

    ev_mac: str = ""
    run_id: str = ""
    attenuation: Attenuation | None = None
    linked: bool = False
    proven: bool = False  # the modem named this car behind the link
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Part of GET /sim/state and of the summary."""
        heard = self.attenuation
        return {
            "ev_mac": self.ev_mac or None,
            "run_id": self.run_id or None,
            "linked": self.linked,
            "proven": self.proven,
            "sounds": heard.num_sounds if heard is not None else None,
            "average_db": round(heard.average_db, 1) if heard is not None else None,
            "attenuation_db": list(heard.groups_db) if heard is not None else None,
            "failures": list(self.failures),
        }


@dataclass(slots=True)
class OutletRecord:
    """What happened at one outlet since its newest plug-in."""

    evse_id: int
    plugged_at: float = 0.0
    phases: list[PhaseTime] = field(default_factory=list)
    relay_closed_s: float = 0.0
    relay_closed_since: float | None = None
    protocol: str = ""
    end: Cause = Cause.NONE  # why the station ended the session
    soc_told_percent: float | None = None  # by the car, in its requests
    matching: MatchingRecord = field(default_factory=MatchingRecord)


class Recorder:
    """Listens to an App; `outlets` and `answers_ms` may be read at any time."""

    def __init__(self, app: App) -> None:
        self._clock = asyncio.get_running_loop().time
        self.outlets = {number: OutletRecord(number, plugged_at=self._clock()) for number in app.evses}
        self.answers_ms = array("d")
        self._asked_at: dict[int, float] = {}
        self._phase: dict[int, Phase] = {}
        app.listen(self._hear)
        app.trace.listen(self._see)

    def start_session(self, evse_id: int) -> None:
        """A new car is plugged: forget the last one."""
        self.outlets[evse_id] = OutletRecord(evse_id, plugged_at=self._clock())
        self._phase.pop(evse_id, None)

    def _hear(self, what: StationEvent | Command) -> None:
        if isinstance(what, PublishView):
            self._enter(what.evse_id, what.view.phase)
        elif isinstance(what, RelayChanged):
            self._relay(what)
        elif isinstance(what, ChargeTargetRequested):
            self.outlets[what.evse_id].soc_told_percent = what.soc_percent
        elif isinstance(what, V2gSessionStarted):
            self.outlets[what.evse_id].protocol = what.protocol
        elif isinstance(what, ReportSession) and what.what == "ended":
            self.outlets[what.evse_id].end = what.view.cause
        elif isinstance(what, (SlacMatched, DlinkReady, SlacFailed)):
            self._matching(what)

    def _matching(self, event: SlacMatched | DlinkReady | SlacFailed) -> None:
        outlet = self.outlets[event.evse_id]
        if isinstance(event, SlacMatched):
            outlet.matching = MatchingRecord(
                event.ev_mac, event.run_id, event.attenuation, failures=outlet.matching.failures
            )
        elif isinstance(event, SlacFailed):
            failures = [*outlet.matching.failures, f"{event.cause}: {event.detail}"]
            outlet.matching.failures = failures[-FAILURES_KEPT:]
        else:
            outlet.matching.linked, outlet.matching.proven = event.link, event.proven

    def _enter(self, evse_id: int, phase: Phase) -> None:
        if self._phase.get(evse_id) == phase:
            return
        self._phase[evse_id] = phase
        outlet = self.outlets[evse_id]
        start_s = self._clock() - outlet.plugged_at
        if outlet.phases:
            outlet.phases[-1].duration_s = start_s - outlet.phases[-1].start_s
        if phase is not Phase.IDLE:
            outlet.phases.append(PhaseTime(phase.value, start_s))

    def _relay(self, event: RelayChanged) -> None:
        outlet = self.outlets.get(event.evse_id)
        if outlet is None:
            return
        if event.closed:
            outlet.relay_closed_since = event.at
        elif outlet.relay_closed_since is not None:
            outlet.relay_closed_s += event.at - outlet.relay_closed_since
            outlet.relay_closed_since = None

    def _see(self, record: Record) -> None:
        if not isinstance(record, Frame) or record.layer != "v2gtp":
            return
        if record.direction == "rx":
            self._asked_at[record.evse_id] = record.at
        elif record.evse_id in self._asked_at:
            if len(self.answers_ms) >= ANSWERS_KEPT:
                del self.answers_ms[: ANSWERS_KEPT // 2]
            self.answers_ms.append((record.at - self._asked_at.pop(record.evse_id)) * 1000)

    def answers(self) -> dict[str, float | int]:
        """Count, median, p99 and maximum of the SECC's answer times in ms."""
        times = self.answers_ms
        if len(times) < 2:
            return {"count": len(times), "median_ms": 0.0, "p99_ms": 0.0, "max_ms": max(times, default=0.0)}
        return {
            "count": len(times),
            "median_ms": round(median(times), 3),
            "p99_ms": round(quantiles(times, n=100, method="inclusive")[98], 3),
            "max_ms": round(max(times), 3),
        }
