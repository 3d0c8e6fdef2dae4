"""The car's half of a V2G session: asks, waits, thinks, gives up. Sans-I/O, time is an argument.

Handshake and order are common; the messages are those of a dialect (`din.DinDialect`).
"""

from __future__ import annotations

from random import Random
from typing import Protocol as Interface

from vsecc_host.v2g import exi, v2gtp
from vsecc_host.v2g.exi import app_protocol
from vsecc_sim.ev import values as v
from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.misbehave import Act, Do, Script
from vsecc_sim.ev.profiles import Profile
from vsecc_sim.ev.rules import PHASE, Verdict, fail, judge

_LEAST_THINK_S = 0.001


class Dialect(Interface):
    """One V2G protocol from the car's side."""

    namespace: str

    def request(self, step: v.Step, intent: v.Intent) -> bytes:
        """EXI of the request of `step`."""

    def answer(self, step: v.Step, payload: bytes) -> v.Answer:
        """The response to `step`; BadAnswer when it is not that."""


class EvMachine:
    """One connection from handshake to hang-up; `view` and `stop` come from outside."""

    def __init__(
        self,
        profile: Profile,
        dialect: Dialect,
        memory: Memory,
        *,
        random: Random,
        script: Script | None = None,
        setup_by: float,
    ) -> None:
        self._profile = profile
        self._dialect = dialect
        self.memory = memory
        self._random = random
        self._script = script or Script()
        self._setup_by: float | None = setup_by
        self._framer = v2gtp.Framer()
        self.step = v.Step.HANDSHAKE
        self._phase: v.EvPhase | None = None
        self._send_at: float | None = None
        self._sent_at: float | None = None  # while an answer is due
        self._answer_by = 0.0
        self._over = False
        self._events: list[v.Event] = []
        self._out: list[bytes] = []

    @property
    def awaiting(self) -> bool:
        """An answer is due: the deadline is the charger's, not a thinking time."""
        return self._sent_at is not None

    # --- inputs ----------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """The connection is there: send the handshake at once."""
        self._send_at = now

    def observe(self, view: v.View) -> None:
        """Newest measurements; used by the next request and the next decision."""
        self.memory.view = view

    def stop(self, end: v.EvEnd) -> None:
        """Somebody wants the session to end in an orderly way."""
        if self.memory.wish is None:
            self.memory.wish = end

    def abort(self, end: v.EvEnd, detail: str, now: float) -> None:
        """End at once, without another word."""
        fail(self.memory, end, detail)
        self._finish(now, reset=False)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the charger; whatever they are, nothing is raised."""
        if self._over:
            return
        self._framer.feed(data)
        try:
            while not self._over and (frame := self._framer.next()) is not None:
                if frame.valid and frame.payload_type == v2gtp.PayloadType.EXI:
                    self._message(frame.payload, now)
        except v2gtp.FramingError as error:
            self.abort(v.EvEnd.PROTOCOL_ERROR, str(error), now)

    def disconnected(self, now: float) -> None:
        """TCP is closed by the charger; harmless once SessionStopRes is there."""
        if self.step is v.Step.CLOSE:
            self._finish(now, reset=False)
        else:
            self.abort(v.EvEnd.CONNECTION_LOST, f"at {self.step}", now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        if self._over:
            return None
        due = self._send_at if self._sent_at is None else self._answer_by
        times = [at for at in (due, self._setup_by) if at is not None]
        return min(times) if times else None

    def tick(self, now: float) -> None:
        """A deadline passed."""
        if self._over:
            return
        if self._setup_by is not None and now >= self._setup_by:
            self.abort(v.EvEnd.SETUP_TIMEOUT, f"at {self.step}", now)
        elif self._sent_at is not None:
            if now >= self._answer_by:
                fail(self.memory, v.EvEnd.MESSAGE_TIMEOUT, f"no answer to {self.step}")
                self._finish(now, reset=self._profile.ending.reset_on_timeout)
        elif self._send_at is not None and now >= self._send_at:
            self._ask(now)

    def take(self) -> tuple[list[v.Event], bytes]:
        """Events and bytes since the last call."""
        events, self._events = self._events, []
        data, self._out = b"".join(self._out), []
        return events, data

    # --- asking ----------------------------------------------------------------------------------------

    def _ask(self, now: float) -> None:
        """The thinking time is over: send the request of this step, or what the scenario makes of it."""
        self._send_at = None
        if self.step is v.Step.CLOSE:
            self._finish(now, reset=False)
            return
        self._enter_phase(now)
        acts = self._script.due(self.step, self.memory.sent.get(self.step, 0) + 1)
        for act in acts:
            if act.do in (Do.STALL, Do.SKIP, Do.DISCONNECT):
                self._divert(act, now)
                return
        raw = self._request(now, acts)
        self._out.append(raw)
        self._sent_at = now
        self._answer_by = now + self._message_timeout_s()

    def _divert(self, act: Act, now: float) -> None:
        """Scenario: do not send this request."""
        if act.do is Do.STALL:
            self._send_at = None if act.for_s is None else now + act.for_s
        elif act.do is Do.SKIP and act.to is not None:
            self.step = act.to
            self._send_at = now
        else:
            fail(self.memory, v.EvEnd.MISBEHAVED, f"disconnect at {self.step}")
            self._finish(now, reset=act.reset)

    def _request(self, now: float, acts: list[Act]) -> bytes:
        intent = self.memory.intent(self.step, now)
        self.memory.count(self.step, now)
        twice = 1
        for act in acts:
            if act.do is Do.GARBAGE:
                return bytes.fromhex(act.hex)
            if act.do is Do.WRONG_SESSION_ID:
                intent = intent._replace(session_id=bytes(byte ^ 0xFF for byte in intent.session_id))
            elif act.do is Do.TWICE:
                twice = 2
            elif act.do is Do.ONE_BYTE:
                self._events.append(v.Trickle(act.interval_s))
            elif act.do is Do.NEVER_READ:
                self._events.append(v.StopReading())
        payload = (
            self._handshake() if self.step is v.Step.HANDSHAKE else self._dialect.request(self.step, intent)
        )
        return v2gtp.pack(v2gtp.PayloadType.EXI, payload) * twice

    def _handshake(self) -> bytes:
        entries = []
        for entry in self._profile.handshake:
            major, minor = entry.version.split(".")
            entries.append(
                app_protocol.AppProtocol(
                    entry.namespace, int(major), int(minor), entry.schema_id, entry.priority
                )
            )
        return exi.encode(exi.Protocol.SAP, app_protocol.SupportedAppProtocolReq(tuple(entries)))

    def _message_timeout_s(self) -> float:
        patience = self._profile.patience
        return patience.current_demand_s if self.step is v.Step.CURRENT_DEMAND else patience.message_s

    def _enter_phase(self, now: float) -> None:
        phase = PHASE.get(self.step, self._phase)
        if phase is not None and phase is not self._phase:
            self._phase = phase
            self._events.append(v.PhaseEntered(phase, now))

    # --- answers ---------------------------------------------------------------------------------------

    def _message(self, payload: bytes, now: float) -> None:
        if self._sent_at is None:
            self.abort(v.EvEnd.PROTOCOL_ERROR, f"unasked message at {self.step}", now)
            return
        try:
            answer = self._read(payload)
        except v.BadAnswer as error:
            self.abort(v.EvEnd.PROTOCOL_ERROR, f"at {self.step}: {error}", now)
            return
        self._events.append(v.Answered(answer.name, now - self._sent_at, now))
        self._sent_at = None
        if self.step is v.Step.SESSION_SETUP:
            self._setup_by = None
        if answer.voltage_v is not None:
            self._events.append(v.Reported(answer.voltage_v, answer.current_a, now))
        self._follow(judge(self.memory, self.step, answer, now), now)

    def _read(self, payload: bytes) -> v.Answer:
        if self.step is not v.Step.HANDSHAKE:
            return self._dialect.answer(self.step, payload)
        try:
            message = exi.decode(exi.Protocol.SAP, payload)
        except exi.DecodeError as error:
            raise v.BadAnswer(f"not decodable: {error}") from error
        if not isinstance(message, app_protocol.SupportedAppProtocolRes):
            raise v.BadAnswer("a request")
        return self._read_choice(message)

    def _read_choice(self, message: app_protocol.SupportedAppProtocolRes) -> v.Answer:
        """The dialect must have been chosen: this car speaks no other."""
        code = app_protocol.ResponseCode(message.response_code)
        wanted = [x.schema_id for x in self._profile.handshake if x.namespace == self._dialect.namespace]
        if code is app_protocol.ResponseCode.Failed_NoNegotiation or message.schema_id not in wanted:
            fail(self.memory, v.EvEnd.NO_COMMON_PROTOCOL, f"{code.name}, schema id {message.schema_id}")
            return v.Answer("supportedAppProtocolRes", ok=False, code=code.name)
        return v.Answer("supportedAppProtocolRes", ok=True, code=code.name)

    def _follow(self, verdict: Verdict, now: float) -> None:
        self._events.extend(verdict.events)
        repeat = verdict.step is self.step
        self.step = verdict.step
        think_s = verdict.wait_s
        if think_s is None:
            think_s = self._think_s(verdict.habit, repeat)
        if self.step is v.Step.CLOSE and think_s <= 0:
            self._finish(now, reset=False)
            return
        self._send_at = now + think_s

    def _think_s(self, habit: str | None, repeat: bool) -> float:
        habits = self._profile.think_ms
        keys = (habit or "", f"{self.step}_repeat" if repeat else "", str(self.step), "default")
        mean_ms = next(habits[key] for key in keys if key in habits)
        spread_ms = self._profile.think_jitter_ms
        return max(_LEAST_THINK_S, (mean_ms + self._random.uniform(-spread_ms, spread_ms)) / 1000.0)

    def _finish(self, now: float, *, reset: bool) -> None:
        """Open the contactor, open S2, hang up; the last thing that happens."""
        if self._over:
            return
        self._over = True
        self.step = v.Step.CLOSE
        memory = self.memory
        self._events += [v.ContactorWanted(False), v.PilotWanted("B")]
        end = memory.end or v.EvEnd.MISBEHAVED
        self._events.append(v.Ended(end, memory.detail, reset, now, tuple(memory.trouble)))
