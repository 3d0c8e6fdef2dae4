"""The car's half of a V2G session: asks, waits, thinks, gives up. Sans-I/O, time is an argument.

Order and timing are common; the messages are those of the dialect the handshake agrees on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from vsecc_host.v2g import v2gtp
from vsecc_sim.ev import handshake
from vsecc_sim.ev import values as v
from vsecc_sim.ev.dialect import Dialect
from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.misbehave import Act, Do, Script, exceed, falsify
from vsecc_sim.ev.profiles import Profile
from vsecc_sim.ev.rules import PHASE, Verdict, fail, judge

_LEAST_THINK_S = 0.001


class EvMachine:
    """One connection from handshake to hang-up; `view` and `stop` come from outside."""

    def __init__(
        self,
        profile: Profile,
        dialects: Sequence[Dialect],
        memory: Memory,
        *,
        random: Random,
        script: Script | None = None,
        setup_by: float,
    ) -> None:
        self._profile = profile
        self._dialects = dialects
        self._dialect: Dialect | None = None  # until the handshake agrees on one
        self.memory = memory
        self._random = random
        self._script = script or Script()
        self._excess: Act | None = None
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

    @property
    def protocol(self) -> str:
        """What the handshake agreed on, empty before."""
        return self._dialect.name if self._dialect else ""

    # --- inputs ----------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """The connection is there: send the handshake at once."""
        self._send_at = now

    def observe(self, view: v.View) -> None:
        """Newest measurements; used by the next request and the next decision."""
        self.memory.view = view

    def stop(self, end: v.EvEnd) -> None:
        """Somebody wants the session to end in an orderly way."""
        if self.memory.wish in (None, v.EvEnd.PAUSED):
            self.memory.wish = end

    def pause(self) -> None:
        """End in an orderly way as soon as energy flows, to go on later; NotPossible."""
        self._needs_newer("pause")
        if self.memory.wish is None:
            self.memory.wish = v.EvEnd.PAUSED

    def renegotiate(self) -> None:
        """Ask for new parameters and a new schedule as soon as energy flows; NotPossible."""
        self._needs_newer("renegotiation")
        self.memory.new_parameters = True

    def misbehave(self, act: Act) -> None:
        """Do this too; `nth` counts from now."""
        self._script.add(replace(act, nth=act.nth + self.memory.sent.get(act.at, 0)))

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

    def _needs_newer(self, what: str) -> None:
        if self._dialect is None:
            raise v.NotPossible(f"no {what} before a protocol is agreed on")
        if not self._dialect.knows_pause:
            raise v.NotPossible(f"{self._dialect.title} knows no {what}")

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
            if self.step is v.Step.HANDSHAKE:
                self._dialect = self._preferred()
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
            intent = falsify(intent, act)
            if act.do is Do.BEYOND:
                self._excess = act
            elif act.do is Do.TWICE:
                twice = 2
            elif act.do is Do.ONE_BYTE:
                self._events.append(v.Trickle(act.interval_s))
            elif act.do is Do.NEVER_READ:
                self._events.append(v.StopReading())
        if self._excess is not None:
            intent = exceed(intent, self._excess)
        if self._dialect is None:
            payload = handshake.request(self._profile.handshake)
        else:
            payload = self._dialect.request(self.step, intent)
        return v2gtp.pack(v2gtp.PayloadType.EXI, payload) * twice

    def _preferred(self) -> Dialect:
        """What this car would speak if it had its way."""
        priority = {entry.namespace: entry.priority for entry in self._profile.handshake}
        return min(self._dialects, key=lambda one: priority.get(one.namespace, len(priority) + 20))

    def _message_timeout_s(self) -> float:
        patience = self._profile.patience
        if self.step is v.Step.CURRENT_DEMAND:
            return patience.current_demand_s
        slow = self._dialect is not None and self.step in self._dialect.slow_steps
        return max(patience.slow_message_s, patience.message_s) if slow else patience.message_s

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
        if self._dialect is not None:
            return self._dialect.answer(self.step, payload)
        choice = handshake.read(payload, self._profile.handshake)
        spoken = [one for one in self._dialects if one.namespace == choice.namespace]
        if not spoken:
            fail(self.memory, v.EvEnd.NO_COMMON_PROTOCOL, choice.detail)
            return v.Answer("supportedAppProtocolRes", ok=False, code=choice.code)
        self._dialect = spoken[0]
        return v.Answer("supportedAppProtocolRes", ok=True, code=choice.code)

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
