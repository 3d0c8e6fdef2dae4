"""The SECC's half of a DC connection: checks session and sequence, calls handlers, keeps what waits."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any, NamedTuple

from vsecc_host.station.events import ChargeTargetRequested, StationEvent
from vsecc_host.station.values import Cause, EvseView, Stop
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.guards import guard
from vsecc_host.v2g.dc.kinds import Kind, State
from vsecc_host.v2g.dc.memory import PausedSession, SessionMemory
from vsecc_host.v2g.dc.protocol import DcProtocol, Telling, telling
from vsecc_host.v2g.dc.requests import ev_status
from vsecc_host.v2g.dc.session import DcSession, Manners, Refusal, Reply, Rule, Situation
from vsecc_host.v2g.dc.setup import note_status
from vsecc_host.v2g.dc.status import note_limits, status_of, wants_renegotiation
from vsecc_host.v2g.dc.values import Code
from vsecc_host.v2g.dialogue import Ending, Step
from vsecc_host.v2g.evccid import normalised_evccid


class _Asked(NamedTuple):
    kind: Kind
    rule: Rule
    body: object
    at: float


class DcDialogue:
    """See `vsecc_host.v2g.dialogue.Dialogue`."""

    def __init__(
        self,
        protocol: DcProtocol,
        *,
        evse_id: int,
        session_id: bytes,
        manners: Manners,
        memory: SessionMemory,
    ) -> None:
        self.session = DcSession(evse_id=evse_id, id=session_id)
        self._protocol = protocol
        self._manners = manners
        self._memory = memory
        self._asked: _Asked | None = None
        self._target: ChargeTargetRequested | None = None

    @property
    def state_name(self) -> str:
        """The state as the standard names it."""
        return self.session.state.value

    def ask(self, message: Any, view: EvseView, now: float) -> Step:
        """A decoded request: session first, then sequence, then content."""
        kind = self._protocol.kind_of(message.body)
        if kind is None:
            reason = f"{type(message.body).__name__} is no request"
            return Step(None, ending=Ending(Cause.EV_PROTOCOL_ERROR, detail=reason))
        name, body = self._protocol.names[kind], message.body
        if kind is not Kind.SESSION_SETUP and message.header.session_id != self.session.id:
            reason = f"{name} with session id {message.header.session_id.hex() or 'empty'}"
            refusal = Refusal(Code.FAILED_UnknownSession, Cause.EV_PROTOCOL_ERROR, reason)
            return self._refuse(kind, refusal, view, body)
        rule = self._protocol.table[self.session.state].get(kind)
        if rule is None:
            reason = f"{name} while waiting for {self.session.state}"
            refusal = Refusal(Code.FAILED_SequenceError, Cause.EV_PROTOCOL_ERROR, reason)
            return self._refuse(kind, refusal, view, body)
        if kind is Kind.SESSION_SETUP:
            self._join(message.header.session_id, normalised_evccid(body.evccid))
        at = Situation(view, now, now, True, self._manners)
        told = ev_status(body)
        noted: tuple[StationEvent, ...] = ()
        if told is not None:  # also of a request that is then refused
            self.session, noted = note_status(told, self.session, at)
        step = self._decide(_Asked(kind, rule, body, now), at)
        return step._replace(events=noted + step.events) if noted else step

    def again(self, view: EvseView, now: float) -> Step:
        """The request that waits, against the newer view or the later hour."""
        assert self._asked is not None, "nothing waits"
        return self._decide(self._asked, Situation(view, now, self._asked.at, False, self._manners))

    def garbled(self, payload: bytes, view: EvseView, now: float) -> Step | None:
        """FAILED in the answer the EV waits for, if its request can still be recognised."""
        setup = self.session.state is State.SESSION_SETUP
        kind = None if setup else self._protocol.peek_kind(payload)
        if kind is None:
            return None
        reason = f"{self._protocol.names[kind]} cannot be decoded"
        return self._refuse(kind, Refusal(Code.FAILED, Cause.EV_PROTOCOL_ERROR, reason), view, None)

    def silence_s(self) -> float:
        """Seconds without a request until the session is over."""
        if self.session.state is State.SESSION_SETUP:
            return times.COMMUNICATION_SETUP_S
        if self.session.state is State.CURRENT_DEMAND:
            return times.LOOP_SILENCE_S
        return times.SEQUENCE_S

    def ramp_down_s(self) -> float | None:
        """In the charge loop current flows: a silent car gets none."""
        return times.LOOP_RAMP_DOWN_S if self.session.state is State.CURRENT_DEMAND else None

    def ramp_down(self, now: float) -> tuple[StationEvent, ...]:
        """The last target with no current."""
        return () if self._target is None else (replace(self._target, at=now, current_a=0.0),)

    def lost(self) -> Cause:
        """After power delivery off a closed connection is a normal end; cars skip SessionStop."""
        if self.session.state is not State.WELDING_OR_STOP:
            return Cause.EV_DISCONNECTED
        return Cause.EV_FINISHED if self.session.charge_started else Cause.EV_STOPPED_EARLY

    def _join(self, session_id: bytes, evcc_id: str) -> None:
        joined = self._memory.join(session_id, evcc_id) and self._protocol.pauses
        if joined:
            self.session = replace(self.session, id=session_id, joined=True)

    def _decide(self, asked: _Asked, at: Situation) -> Step:
        if at.view.stop is Stop.NORMAL and self.session.stop_since is None:
            self.session = replace(self.session, stop_since=at.now)
        decision = guard(asked.kind, self.session, at) or asked.rule.handler(asked.body, self.session, at)
        if isinstance(decision, Refusal):
            return self._refuse(asked.kind, decision, at.view, asked.body)
        return self._accept(asked, decision, at)

    def _accept(self, asked: _Asked, reply: Reply, at: Situation) -> Step:
        self.session = reply.session
        if reply.events and isinstance(reply.events[-1], ChargeTargetRequested):
            self._target = reply.events[-1]
        if reply.wait_until is not None:
            self._asked = asked
            return Step(None, reply.events, reply.wait_until)
        self._asked = None
        if reply.moves and asked.rule.then is not self.session.state:
            self.session = replace(self.session, state=asked.rule.then)
        if reply.pauses:
            self._memory.keep(PausedSession(self.session.id, self.session.evcc_id))
        renegotiate = self._protocol.pauses and self._wants_renegotiation(at)
        stopping_s = 0.0 if self.session.stop_since is None else at.now - self.session.stop_since
        status = status_of(
            at.view, reply.status, reply.isolation, stopping_s=stopping_s, renegotiate=renegotiate
        )
        answer = self._build(asked.kind, telling(reply, status, at.view, self._manners, asked.body))
        return Step(answer, reply.events, None, reply.ending)

    def _wants_renegotiation(self, at: Situation) -> bool:
        target = self._target
        asked_w = 0.0 if target is None else target.voltage_v * target.current_a
        self.session = note_limits(self.session, at, asked_w)
        return wants_renegotiation(self.session, at.view, at.now)

    def _refuse(self, kind: Kind, refusal: Refusal, view: EvseView, body: object) -> Step:
        self._asked = None
        self.session = replace(self.session, state=State.END)
        status = status_of(view, refusal.status, None, stopping_s=inf)  # nothing is left to react to
        answer = self._build(kind, Telling(refusal.code, view, self.session, status, self._manners, body))
        return Step(answer, ending=Ending(refusal.cause, detail=f"{refusal.code}: {refusal.detail}"))

    def _build(self, kind: Kind, told: Telling) -> object:
        return self._protocol.message(self.session.id, self._protocol.answers[kind](told))
