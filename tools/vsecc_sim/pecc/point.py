"""One charge point of the PECC, sans-I/O: requests, supervision and time in, frames and physics out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vsecc_host.pep import messages as m
from vsecc_host.pep.codec import PepError, decode, fit
from vsecc_host.pep.messages import ErrorCategory, Kind, Message, MessageType
from vsecc_host.pep.versions import DEFAULT_VERSION, Feature, PepVersion
from vsecc_host.power.stage import Load, PowerStage
from vsecc_host.station.values import Isolation
from vsecc_sim.pecc.asking import Asking
from vsecc_sim.pecc.conduct import Conduct
from vsecc_sim.pecc.config import PeccConfig
from vsecc_sim.pecc.faults import ActiveFaults, Fault
from vsecc_sim.pecc.mouth import Mouth
from vsecc_sim.pecc.outputs import Abort, Close, Output, Ping, Stall
from vsecc_sim.pecc.requests import Gatekeeper, input_of
from vsecc_sim.pecc.states import TABLE, Input, PeccState
from vsecc_sim.pecc.status import Instruments
from vsecc_sim.pecc.values import News, Sample

FLOOD_PERIOD_S = 0.01
WELDED_S = 3.0  # contactors that were told to open
LOW_CURRENT_A = 1.0
DEFAULT_TEST_V = 500.0  # cable check of a SECC that names no voltage
SAMPLES_KEPT = 100_000
NEWS_KEPT = 10_000
NONSENSE_TERMINAL = "x99"
_HANDSHAKE_FAULTS = ("refused", "slow-handshake", "wrong-subprotocol", "no-subprotocol")


class ChargePoint:
    """Feed it with `connected`, `receive`, `pong`, `supervise`, `inject`, `tick`; empty it with `take`."""

    def __init__(self, number: int, config: PeccConfig | None = None, load: Load | None = None) -> None:
        self.number = number
        self.config = config or PeccConfig()
        self.stage = PowerStage(self.config.power, load)
        self.faults = ActiveFaults()
        self.conduct = Conduct(number)
        self.state = PeccState.STANDBY
        self.version: PepVersion = DEFAULT_VERSION
        self.linked = False
        self.supervision = False
        self.supervised_by_ev_state = False  # a stand-in for a wire that is not there
        self.answers: deque[Message] = deque(maxlen=100)  # of the SECC, to our requests
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)
        self.told: dict[str, Any] = {}  # what the SECC told in infos
        self._instruments = Instruments(self.stage, self.config.manners, self.faults, number)
        self._gate = Gatekeeper(self.config, self.stage, self.faults)
        self._mouth = Mouth(self.faults, self._said)
        self._asking = Asking(self.config.manners.request_timeout_s)
        self._status_at: float | None = None
        self._ping_at: float | None = None
        self._flood_at: float | None = None
        self._alive_at = 0.0
        self._silent = False
        self._left_at = 0.0
        self._welded = False
        self._target = (0.0, 0.0)
        self._outputs: list[Output] = []
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._at = 0.0
        self.switched_on_at = 0.0

    # --- verbs ---------------------------------------------------------------------------------------------

    def switch_on(self, now: float) -> None:
        """Power is there; nobody is connected yet."""
        self._at = self.switched_on_at = now
        self.stage.start(now)
        self.tick(now)

    def connected(self, version: PepVersion, now: float) -> None:
        """A SECC is connected: the first status goes out at once."""
        self.linked, self.version = True, version
        self._alive(now)
        self._asking = Asking(self.config.manners.request_timeout_s)
        self._status_at = now
        self._ping_at = now + self.config.manners.ping_period_s if self.config.manners.ping_period_s else None
        self.conduct.connected(version, now)
        self._tell(now, "link", f"SECC connected, PEP {version.text}")
        self.tick(now)

    def disconnected(self, now: float, reason: str = "") -> None:
        """The connection is gone; what was energised goes to standby at once."""
        if not self.linked:
            return
        self.linked = False
        self._mouth.clear()
        self._outputs.clear()
        self._status_at = self._ping_at = None
        self.conduct.disconnected(now)
        self._tell(now, "link", f"SECC gone{': ' if reason else ''}{reason}")
        self._feed(Input.LINK_LOST, now)
        self.tick(now)

    def pong(self, now: float) -> None:
        """A sign of life."""
        if "half-open" not in self.faults:
            self._alive(now)

    def pinged(self, now: float) -> None:
        """The SECC pings, which it must not."""
        self.conduct.pinged(now)

    def supervise(self, permitted: bool, now: float) -> None:
        """The hard-wired CP/PP supervision input."""
        if permitted is not self.supervision:
            self.conduct.supervised(permitted, now)  # as wired: of a fault in here the SECC cannot know
        self.supervision = permitted
        self._apply_supervision(now)

    def inject(self, fault: Fault, now: float) -> None:
        """Switch a fault on or off, or let it happen."""
        self.faults.switch(fault)
        self._tell(now, "fault", f"{fault.name} {'on' if fault.active else 'off'}")
        if fault.active:
            self._happen(fault.name, now)
        elif fault.name == "half-open":
            self._outputs.append(Abort())  # what piled up meanwhile is no conduct to judge
        self._apply_faults(fault, now)
        self._apply_supervision(now)
        self.stage.hurry(now)
        self.tick(now)

    def set_limits(self, now: float, **limits: Any) -> None:
        """Other limits from now on, fields of DcLimits; the SECC learns them with its next configuration."""
        self.stage.limits = replace(self.stage.limits, **limits)
        self.stage.hurry(now)

    def request(self, kind: Kind, payload: Mapping[str, Any], now: float) -> None:
        """A request of our own; it waits its turn behind an unanswered one."""
        self._asking.ask(kind, payload)
        self._ask(now)

    def receive(self, data: str | bytes, now: float) -> None:
        """A frame of the SECC."""
        if "half-open" in self.faults:
            return
        self._alive(now)
        try:
            message = self._decode(data)
        except PepError as error:
            self.conduct.bad_frame(error, data, now)
            if error.answer is not None:
                self._mouth.reply(error.answer, now, self.config.manners.reply_delay_s)
            return
        if message.type in (MessageType.RESPONSE, MessageType.ERROR):
            self.conduct.heard(message, now)
            self._answered(message, now)
        elif message.type is MessageType.INFO:
            self.conduct.heard(message, now)
            self.told.update(message.payload)
            self._follow_ev_state(message, now)
        else:
            busy = self.conduct.busy(now)
            self.conduct.heard(message, now)
            self._serve(message, busy, now)
        self.tick(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        times = [
            self.stage.step_at,
            self._mouth.next_deadline(),
            self._status_at,
            self._ping_at,
            self._flood_at,
            self._asking.next_deadline(),
        ]
        if self.linked and not self._silent:
            times.append(self._alive_at + self.config.manners.silence_s)
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Physics, timers, frames that are due."""
        self._at = max(self._at, now)
        if self.stage.step_at is not None and now >= self.stage.step_at:
            self._move(now)
        self._watch_secc(now)
        self._watch_request(now)
        if self._ping_at is not None and now >= self._ping_at:
            self._ping_at = now + self.config.manners.ping_period_s
            if "silent" not in self.faults and "half-open" not in self.faults:
                self._outputs.append(Ping())
        if self._status_at is not None and now >= self._status_at:
            self._send_status(now)
        self._flood(now)
        self._outputs += self._mouth.due(now)

    def take(self) -> list[Output]:
        """What the connection has to do."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def take_news(self) -> list[News]:
        """What happened since the last call, for people."""
        news = list(self._news)
        self._news.clear()
        return news + [News(one.at, "conduct", str(one)) for one in self.conduct.take_news()]

    @property
    def integers(self) -> bool:
        """Numbers are whole on this connection."""
        return not (self.config.manners.float_values and self.version.has(Feature.FLOAT_VALUES))

    @property
    def supervised(self) -> bool:
        """Whether the supervision input permits energy."""
        return self.supervision and "supervision-denied" not in self.faults

    # --- requests of the SECC ------------------------------------------------------------------------------

    def _decode(self, data: str | bytes) -> Message:
        if isinstance(data, bytes):
            raise PepError(ErrorCategory.FORMAT, "binary frames are not defined")
        return decode(data, self.version, "pecc")

    def _serve(self, request: Message, busy: bool, now: float) -> None:
        seen = input_of(request)
        refusal = self._gate.refusal(request, self.state, busy=busy, supervised=self.supervised)
        if refusal is not None:
            category, details = refusal
            number = request.sequence_number or 0
            answer = m.error(request.kind, number, category, details)  # type: ignore[arg-type]
        else:
            payload = self._gate.configuration() if seen is Input.CONFIGURATION else {}
            answer = fit(m.response(request, payload), self.version, integers=self.integers)
        self._mouth.reply(answer, now, self.config.manners.reply_delay_s)
        if refusal is None:
            self._take(seen, request, now)

    # --- the state machine ---------------------------------------------------------------------------------

    def _take(self, seen: Input, request: Message, now: float) -> None:
        if seen is Input.TO_CHARGE and self.config.manners.accept_early_charge:
            seen = Input.TO_PRE_CHARGE if self.state is PeccState.CABLE_CHECK else seen
        if seen is Input.CHECK and self.state is PeccState.STANDBY:
            return  # accepted by option, no contactors to test through
        self._feed(seen, now, request.payload)

    def _feed(self, seen: Input, now: float, payload: Mapping[str, Any] | None = None) -> None:
        step = TABLE[self.state, seen]
        if step.error is not None:
            return
        if step.action:
            _ACTIONS[step.action](self, payload or {}, now)
        if step.to is not None and step.to is not self.state:
            self.state = step.to
            self._news.append(News(now, "state", f"{step.to.value} ({seen.value})", step.to))
            self._sample(now)
        self.stage.hurry(now)

    def _close(self, payload: Mapping[str, Any], now: float) -> None:
        self.stage.forget_isolation()
        self.stage.want_contactors(True, now)

    def _check(self, payload: Mapping[str, Any], now: float) -> None:
        limits = self._gate.limits()
        self.stage.begin_check(min(payload.get("voltage", DEFAULT_TEST_V), limits.max_voltage_v))

    def _aim(self, payload: Mapping[str, Any], now: float) -> None:
        self.stage.stop_check()
        self._target = payload["targetVoltage"], payload["targetCurrent"]
        self.stage.aim(*self._target)

    def _zero(self, payload: Mapping[str, Any], now: float) -> None:
        self.stage.stop_check()
        self._target = (0.0, 0.0)
        self.stage.aim(0.0, 0.0)

    def _leave(self, payload: Mapping[str, Any], now: float) -> None:
        self._zero(payload, now)
        self.stage.forget_isolation()
        self._left_at = now

    def _drop(self, payload: Mapping[str, Any], now: float) -> None:
        self._leave(payload, now)
        self._event("supervision input opened", now)

    def _break_down(self, payload: Mapping[str, Any], now: float) -> None:
        self._leave(payload, now)
        self._event("inoperative", now)

    def _mend(self, payload: Mapping[str, Any], now: float) -> None:
        self._welded = False
        self._left_at = now

    # --- physics -------------------------------------------------------------------------------------------

    def _move(self, now: float) -> None:
        stage = self.stage
        was_closed = stage.closed
        measured = stage.advance(now)
        self._instruments.was_valid |= measured is Isolation.VALID
        if was_closed != stage.closed:
            self._tell(now, "output", f"contactors {'closed' if stage.closed else 'open'}")
            self._hurry_status(now)
        if measured is not None:
            self._tell(now, "output", f"isolation {measured.value}")
        self._wind_down(now)
        broken = self._broken()
        if broken != (self.state is PeccState.INOPERATIVE):
            self._feed(Input.FAULT if broken else Input.HEALED, now)
        self._sample(now)

    def _wind_down(self, now: float) -> None:
        """On the way to standby: open when the current is low, then let the output discharge."""
        if self.state not in (PeccState.TRANSITION, PeccState.INOPERATIVE):
            return
        stage, manners = self.stage, self.config.manners
        low = stage.current_a < LOW_CURRENT_A or now >= self._left_at + manners.ramp_down_s
        if low and stage.close_wanted:
            stage.want_contactors(False, now)
            stage.hurry(now)
        elif self.state is PeccState.TRANSITION and not stage.closed:
            if not stage.close_wanted and now >= self._left_at + manners.transition_s:
                self._feed(Input.CLEAN, now)
        elif stage.closed and now >= self._left_at + WELDED_S:
            self._welded = True

    def _broken(self) -> bool:
        if self._welded and not self.stage.closed:
            self._welded = False
        hot = self.stage.temperature_c > self.config.manners.trip_c and not self.stage.hot
        return "inoperative" in self.faults or self._welded or hot

    def _apply_supervision(self, now: float) -> None:
        if self.stage.supervised == self.supervised:
            return
        if self.stage.supervise(self.supervised, now):
            self._feed(Input.SUPERVISION_LOST, now)
            self._hurry_status(now)
        self.tick(now)

    def _apply_faults(self, fault: Fault, now: float) -> None:
        stage, faults = self.stage, self.faults
        if "contactor-stuck" in fault.name:
            if not fault.active:
                stage.release_contactors(now)
            stage.stays_open = "contactor-stuck" in faults or "contactor-stuck-open" in faults
            stage.stays_closed = "contactor-stuck" in faults or "contactor-stuck-closed" in faults
        stage.hot = "over-temperature" in faults
        stage.dead = "no-output" in faults
        stage.endless_check = "isolation-never" in faults
        stage.insulation = Isolation.VALID
        if "isolation-warning" in faults:
            stage.insulation = Isolation.WARNING
        if "isolation-fault" in faults:
            stage.insulation = Isolation.FAULT
        if fault.name == "derated":
            share = faults.value("derated") if "derated" in faults else 1.0
            self.set_limits(now, max_power_w=self.config.power.max_power_w * min(share, 1.0))

    def _sample(self, now: float) -> None:
        stage = self.stage
        self.samples.append(
            Sample(
                now, self.state, stage.voltage_v, stage.current_a, *self._target, stage.closed, self.linked
            )
        )

    # --- telling -------------------------------------------------------------------------------------------

    def _hurry_status(self, now: float) -> None:
        """A change worth telling at once; the rhythm begins anew."""
        if self._status_at is not None and "status-slow" not in self.faults:
            self._status_at = now

    def _send_status(self, now: float) -> None:
        slow = "status-slow" in self.faults
        self._status_at = now + (
            max(FLOOD_PERIOD_S, self.faults.value("status-slow"))
            if slow
            else self.config.manners.status_period_s
        )
        self._mouth.status(self._status(now), now)

    def _status(self, now: float) -> Message:
        payload = self._instruments.status(self.state, now)
        return fit(m.info(Kind.STATUS, payload), self.version, integers=self.integers)

    def _event(self, text: str, now: float) -> None:
        self._tell(now, "event", text)
        if self.linked:
            self._mouth.say(m.info(Kind.EVENT, {"eventDetails": text}), now)

    def _flood(self, now: float) -> None:
        wanted = self.linked and ("flood" in self.faults or "event-flood" in self.faults)
        if not wanted:
            self._flood_at = None
            return
        if self._flood_at is None or now >= self._flood_at:
            self._flood_at = now + FLOOD_PERIOD_S
            for name in ("flood", "event-flood"):
                for number in range(int(self.faults.value(name)) if name in self.faults else 0):
                    event = m.info(Kind.EVENT, {"eventDetails": f"flood {number}"})
                    self._mouth.say(self._status(now) if name == "flood" else event, now)

    def _said(self, message: Message, now: float) -> None:
        self.conduct.said(message, now)

    def _tell(self, now: float, what: str, text: str) -> None:
        self._news.append(News(now, what, text))

    # --- the other direction -------------------------------------------------------------------------------

    def _ask(self, now: float) -> None:
        asked = self._asking.next(now) if self.linked else None
        if asked is not None:
            self._mouth.say(asked, now)
            self.tick(now)

    def _answered(self, message: Message, now: float) -> None:
        asked = self._asking.answered(message)
        if asked is not None:
            self.answers.append(message)
            self._tell(now, "event", f"{message.type.value} to {asked.kind}: {dict(message.payload)}")
            self._ask(now)

    def _watch_request(self, now: float) -> None:
        asked = self._asking.expired(now)
        if asked is not None:
            self._tell(now, "event", f"no answer to {asked.kind}")
            self._ask(now)

    def _alive(self, now: float) -> None:
        self._alive_at, self._silent = now, False

    def _watch_secc(self, now: float) -> None:
        """PEP_SECC_UNRESPONSIVE_TIMEOUT: any frame and any pong is a sign of life."""
        if self.linked and not self._silent and now >= self._alive_at + self.config.manners.silence_s:
            self._silent = True
            self._tell(now, "link", "SECC unresponsive")
            self.conduct.unresponsive(now)
            self._feed(Input.SECC_SILENT, now)

    def _follow_ev_state(self, message: Message, now: float) -> None:
        state = message.payload.get("evConnectionState")
        if state == m.EvConnectionState.DISCONNECTED:
            self.told = {"evConnectionState": state}
        if state is not None and self.supervised_by_ev_state:
            self.supervise(state == m.EvConnectionState.ENERGY_TRANSFER_ALLOWED, now)

    # --- faults that happen at once ------------------------------------------------------------------------

    def _happen(self, name: str, now: float) -> None:
        if name in _HANDSHAKE_FAULTS or name == "tcp-reset":
            self._outputs.append(Abort())
        happening = _HAPPENINGS.get(name)
        if happening is not None:
            happening(self, now)

    def _drop_contactors(self, now: float) -> None:
        self.stage.switch_off(now)
        self._hurry_status(now)

    def _ask_nonsense(self, now: float) -> None:
        self.request(Kind.GET_INPUT, {"inputIdentifiers": [NONSENSE_TERMINAL]}, now)

    def _ask_twice(self, now: float) -> None:
        for _ in range(2):
            self._mouth.say(m.request(Kind.GET_INPUT, self._asking.number(), {"inputIdentifiers": []}), now)


_ACTIONS: dict[str, Callable[[ChargePoint, Mapping[str, Any], float], None]] = {
    "close": ChargePoint._close,
    "check": ChargePoint._check,
    "aim": ChargePoint._aim,
    "zero": ChargePoint._zero,
    "leave": ChargePoint._leave,
    "drop": ChargePoint._drop,
    "break_down": ChargePoint._break_down,
    "mend": ChargePoint._mend,
}
_HAPPENINGS: dict[str, Callable[[ChargePoint, float], None]] = {
    "contactor-drops": ChargePoint._drop_contactors,
    "reply-to-nothing": lambda point, now: point._mouth.say(
        m.response(m.request(Kind.CONTACTORS_STATUS, 77_777)), now
    ),
    "stop-charging": lambda point, now: point.request(Kind.STOP_CHARGING, {}, now),
    "get-nonsense": ChargePoint._ask_nonsense,
    "malformed-request": lambda point, now: point._mouth.raw('{"type":"request","kind":"getInput",', now),
    "two-requests": ChargePoint._ask_twice,
    "closed": lambda point, now: point._outputs.append(Close()),
    "half-open": lambda point, now: point._outputs.append(Stall()),
    "huge-frame": lambda point, now: point._mouth.huge(now),
    "deep-json": lambda point, now: point._mouth.deep(now),
}
