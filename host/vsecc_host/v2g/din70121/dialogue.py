"""The DIN half of a connection: checks session and sequence, calls the handler, remembers what waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from vsecc_host.station.events import ChargeTargetRequested, StationEvent
from vsecc_host.station.values import Cause, EvseView, Stop
from vsecc_host.v2g.dialogue import Ending, Step
from vsecc_host.v2g.din70121 import answers, times
from vsecc_host.v2g.din70121.guards import guard
from vsecc_host.v2g.din70121.session import DinSession, Refusal, Reply, Situation
from vsecc_host.v2g.din70121.setup import ev_status, note_status
from vsecc_host.v2g.din70121.states import Kind, State, kind_of, peek_kind
from vsecc_host.v2g.din70121.table import TABLE, Rule
from vsecc_host.v2g.exi import din70121 as m


class _Asked(NamedTuple):
    kind: Kind
    rule: Rule
    body: object
    at: float


class DinDialogue:
    """See `vsecc_host.v2g.dialogue.Dialogue`."""

    def __init__(self, *, evse_id: int, session_ids: Callable[[], bytes]) -> None:
        self.session = DinSession(evse_id=evse_id, id=session_ids())
        self._header = m.MessageHeader(self.session.id)
        self._asked: _Asked | None = None
        self._target: ChargeTargetRequested | None = None

    @property
    def state_name(self) -> str:
        """The state as the standard names it."""
        return self.session.state.value

    def ask(self, message: object, view: EvseView, now: float) -> Step:
        """A decoded request: session first, then sequence, then content."""
        assert isinstance(message, m.V2gMessage), "the codec was asked for this schema"
        kind = kind_of(message.body)
        if kind is None:
            reason = f"{type(message.body).__name__} is no request"
            return Step(None, ending=Ending(Cause.EV_PROTOCOL_ERROR, detail=reason))
        if kind is not Kind.SESSION_SETUP and message.header.session_id != self.session.id:
            code = m.ResponseCode.FAILED_UnknownSession
            reason = f"{kind} with session id {message.header.session_id.hex() or 'empty'}"
            return self._refuse(kind, Refusal(code, Cause.EV_PROTOCOL_ERROR, reason), view)
        rule = TABLE[self.session.state].get(kind)
        if rule is None:
            code = m.ResponseCode.FAILED_SequenceError
            reason = f"{kind} while waiting for {self.session.state}"
            return self._refuse(kind, Refusal(code, Cause.EV_PROTOCOL_ERROR, reason), view)
        at = Situation(view, now, now, True)
        told = ev_status(message.body)
        noted: tuple[StationEvent, ...] = ()
        if told is not None:  # also of a request that is then refused
            self.session, noted = note_status(told, self.session, at)
        step = self._decide(_Asked(kind, rule, message.body, now), at)
        return step._replace(events=noted + step.events) if noted else step

    def again(self, view: EvseView, now: float) -> Step:
        """The request that waits, against the newer view or the later hour."""
        assert self._asked is not None, "nothing waits"
        return self._decide(self._asked, Situation(view, now, self._asked.at, False))

    def garbled(self, payload: bytes, view: EvseView, now: float) -> Step | None:
        """FAILED in the answer the EV waits for, if its request can still be recognised."""
        kind = None if self.session.state is State.SESSION_SETUP else peek_kind(payload)
        if kind is None:
            return None
        refusal = Refusal(m.ResponseCode.FAILED, Cause.EV_PROTOCOL_ERROR, f"{kind} cannot be decoded")
        return self._refuse(kind, refusal, view)

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
        """After PowerDelivery off a closed connection is a normal end; cars skip SessionStop."""
        if self.session.state is not State.WELDING_OR_STOP:
            return Cause.EV_DISCONNECTED
        return Cause.EV_FINISHED if self.session.charge_started else Cause.EV_STOPPED_EARLY

    def _decide(self, asked: _Asked, at: Situation) -> Step:
        if at.view.stop is Stop.NORMAL and self.session.stop_since is None:
            self.session = replace(self.session, stop_since=at.now)
        decision = guard(asked.kind, self.session, at) or asked.rule.handler(asked.body, self.session, at)
        if isinstance(decision, Refusal):
            return self._refuse(asked.kind, decision, at.view)
        return self._accept(asked, decision)

    def _accept(self, asked: _Asked, reply: Reply) -> Step:
        self.session = reply.session
        if reply.body is None:
            self._asked = asked
            return Step(None, reply.events, reply.wait_until)
        self._asked = None
        if reply.moves and asked.rule.then is not self.session.state:
            self.session = replace(self.session, state=asked.rule.then)
        if reply.events and isinstance(reply.events[-1], ChargeTargetRequested):
            self._target = reply.events[-1]
        return Step(m.V2gMessage(self._header, reply.body), reply.events, None, reply.ending)  # type: ignore[arg-type]

    def _refuse(self, kind: Kind, refusal: Refusal, view: EvseView) -> Step:
        self._asked = None
        self.session = replace(self.session, state=State.END)
        body = answers.refusal(kind, refusal.code, view, refusal.status)
        detail = f"{refusal.code.name}: {refusal.detail}"
        answer = m.V2gMessage(self._header, body)  # type: ignore[arg-type]
        return Step(answer, ending=Ending(refusal.cause, detail=detail))
