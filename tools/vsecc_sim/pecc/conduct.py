"""Judge of the SECC: hears both directions of one charge point and finds broken rules."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vsecc_host.pep.codec import PepError, encode, fractions
from vsecc_host.pep.messages import (
    MAX_NUMBER,
    ChargingState,
    ContactorsStatus,
    ErrorCategory,
    EvConnectionState,
    IsolationStatus,
    Kind,
    Message,
    MessageType,
    OperationalStatus,
)
from vsecc_host.pep.times import REQUEST_TIMEOUT_S, SECC_UNRESPONSIVE_S
from vsecc_host.pep.versions import Feature, PepVersion
from vsecc_sim.pecc.rules import Finding, Weight

FINDINGS_KEPT = 1000
SHOWN_CHARACTERS = 300
EDGE_S = 0.02  # two ends never see a time-out at the same moment
KNOWN_AFTER_S = 0.25  # a status needs a moment to be read and obeyed
STOP_WITHIN_S = 2.0
ENDED_WITHIN_S = 60.0
STATUS_LOST_S = 1.0
STATE_TOLD_S = 2.0
LIMIT_GRACE_S = 5.0  # after a cut of the limits the car may still follow the old ones
POWER_TOLERANCE = 1.02


@dataclass(slots=True)
class Session:
    """From the request to close the contactors to the reset."""

    began_at: float
    checked_at: float | None = None  # cableCheck accepted
    fresh: bool = False  # a result other than valid was told after it, or time passed
    result: str = ""  # newest isolation result of this test
    phase: str = ""
    aimed_a: float = 0.0
    zeroed: bool = False
    must_stop_at: float | None = None
    must_stop_why: str = ""
    stop_asked_at: float | None = None


@dataclass(slots=True)
class Told:
    """What the SECC knows from our messages."""

    status: dict[str, Any] = field(default_factory=dict)
    status_at: float = 0.0
    inoperative_since: float | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    limits_before: dict[str, Any] = field(default_factory=dict)
    limits_at: float = 0.0


class Conduct:
    """Feed it every message; `findings` grows. `finish` at the end of a run."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.messages = 0
        self.sessions = 0
        self._news: deque[Finding] = deque(maxlen=FINDINGS_KEPT)
        self._supervised = False
        self._supervised_at = 0.0
        self._connects: deque[float] = deque(maxlen=2)
        self._broke_energised = False
        self._start(PepVersion.V1_2)

    def _start(self, version: PepVersion) -> None:
        """A connection remembers nothing of the one before."""
        self._version = version
        self._linked_at: float | None = None
        self._told = Told()
        self._pending: Message | None = None
        self._pending_at = 0.0
        self._number: int | None = None
        self._ours: dict[int, tuple[str, float]] = {}
        self._session: Session | None = None
        self._ev_state = ""
        self._ev_limits = False
        self._first_request = True
        self._last_life = 0.0

    # --- feeding -------------------------------------------------------------------------------------------

    def connected(self, version: PepVersion, now: float) -> None:
        """A new connection."""
        broke = self._broke_energised
        self._start(version)
        self._linked_at = self._last_life = now
        self._broke_energised = broke
        self._told.status_at = now

    def attempted(self, now: float, *, offered: list[str], taken: bool, disturbed: bool) -> None:
        """A handshake; `taken`: one is connected already; `disturbed`: we broke the last one ourselves."""
        self._connects.append(now)
        if not any(name.startswith("pep") for name in offered):
            self._find("subprotocol", now, f"offered {', '.join(offered) or 'nothing'}")
        if taken:
            self._find("one-connection", now, "a connection is open")
        gap = self._connects[-1] - self._connects[0]
        if len(self._connects) == 2 and gap < 9.0 and not disturbed:
            self._find("reconnect", now, f"{gap:.1f} s after the attempt before")

    def disconnected(self, now: float) -> None:
        """The connection is gone, whoever closed it."""
        self._broke_energised = self._session is not None
        self._session = None
        self._linked_at = None
        self._pending = None

    def pinged(self, now: float) -> None:
        """A ping of the SECC."""
        self._find("no-pings", now, "the SECC pings")

    def unresponsive(self, now: float) -> None:
        """No sign of life for too long."""
        self._find("unresponsive", now, f"nothing for {SECC_UNRESPONSIVE_S:g} s")

    def supervised(self, permitted: bool, now: float) -> None:
        """The supervision input changed."""
        self._supervised, self._supervised_at = permitted, now
        if not permitted and self._session is not None:
            self._session.zeroed = True  # the hardware is open: nobody can wait for a zero

    def bad_frame(self, error: PepError, data: str | bytes, now: float) -> None:
        """A frame that could not be decoded."""
        self._touch(now)
        shown = _shown(data)
        if isinstance(data, bytes):
            self._find("text-frames", now, "a binary frame", shown)
        elif error.category is ErrorCategory.GENERIC:
            self._find("right-direction", now, error.details, shown)
        else:
            self._find("valid-message", now, error.details, shown)
        if error.about is MessageType.REQUEST and error.sequence_number:
            self._number = error.sequence_number

    def busy(self, now: float) -> bool:
        """A request waits for its reply."""
        return self._pending is not None and now < self._pending_at + REQUEST_TIMEOUT_S - EDGE_S

    def heard(self, message: Message, now: float) -> None:
        """A message of the SECC."""
        self._touch(now)
        self._check_integers(message, now)
        if message.type is MessageType.REQUEST:
            self._request(message, now)
        elif message.type is MessageType.INFO:
            self._info(message, now)
        else:
            self._reply(message, now)

    def said(self, message: Message, now: float) -> None:
        """A message of ours, as it went out."""
        self.messages += 1
        if message.type is MessageType.REQUEST:
            self._ours[message.sequence_number or 0] = (message.kind, now)
            if message.kind == Kind.STOP_CHARGING and self._session is not None:
                self._session.stop_asked_at = now
        elif message.type is MessageType.INFO:
            if message.kind == Kind.STATUS:
                self._note_status(message.payload, now)
        else:
            self._note_reply(message, now)
        self.watch(now)

    def watch(self, now: float) -> None:
        """What should have happened by now."""
        for number, (kind, at) in list(self._ours.items()):
            if now > at + REQUEST_TIMEOUT_S + EDGE_S:
                del self._ours[number]
                self._find("answers", now, f"{kind} number {number} not answered")
        if self._linked_at is not None and not self._ev_state and now > self._linked_at + STATE_TOLD_S:
            self._ev_state = "nothing"
            if self._version.has(Feature.EV_CONNECTION):
                self._find("state-told", now, f"not within {STATE_TOLD_S:g} s")
        session = self._session
        if session is None:
            return
        if session.must_stop_at is not None and now > session.must_stop_at + STOP_WITHIN_S:
            self._find("stop-on-fault", now, f"{session.must_stop_why}, still {session.phase or 'closed'}")
            session.must_stop_at = None
        if session.stop_asked_at is not None and now > session.stop_asked_at + ENDED_WITHIN_S:
            self._find("stop-followed", now, "the session goes on")
            session.stop_asked_at = None
        if now > self._told.status_at + STATUS_LOST_S:
            self._must_stop("no status", now)

    def finish(self, now: float) -> None:
        """The run is over."""
        if self._linked_at is not None:
            self.watch(now)
            if self._session is not None and self._ev_state == EvConnectionState.DISCONNECTED:
                self._find("reset-at-end", now, "the run ended with the session still open")

    def take_news(self) -> list[Finding]:
        """Findings since the last call."""
        news = list(self._news)
        self._news.clear()
        return news

    def verdict(self) -> bool:
        """True while no rule is broken; advice does not count."""
        return not any(finding.weight is Weight.RULE for finding in self.findings)

    # --- requests ------------------------------------------------------------------------------------------

    def _request(self, message: Message, now: float) -> None:
        shown = encode(message)
        number = message.sequence_number or 0
        if number == 0:
            self._find("number-range", now, "numbered 0", shown)
        elif self._number is None:
            if number != 1:
                self._find("number-start", now, f"begins with {number}", shown)
        elif number != (1 if self._number >= MAX_NUMBER else self._number + 1):
            self._find("number-step", now, f"{number} after {self._number}", shown)
        self._number = number
        if self.busy(now) and self._pending is not None:
            waited = (now - self._pending_at) * 1000
            self._find(
                "one-in-flight",
                now,
                f"{waited:.0f} ms after an unanswered request",
                encode(self._pending),
                shown,
            )
        self._pending, self._pending_at = message, now
        if self._first_request and self._broke_energised and message.kind != Kind.RESET:
            self._find("reset-first", now, f"begins with {message.kind}", shown)
        self._first_request = False
        judge = _JUDGES.get(message.kind)
        if judge is not None:
            judge(self, message, now)

    def _on_contactors(self, message: Message, now: float) -> None:
        if message.payload["contactorsStatus"] == ContactorsStatus.OPEN:
            self._ends(message, now)
            return
        shown = encode(message)
        if not self._supervised and now > self._supervised_at + KNOWN_AFTER_S:
            self._find("close-allowed", now, "closing while the supervision input is open", shown)
        announced = self._ev_state == EvConnectionState.ENERGY_TRANSFER_ALLOWED
        if self._version.has(Feature.EV_CONNECTION) and not announced:
            self._find("close-announced", now, f"closing while {self._ev_state or 'nothing'} is told", shown)
        if not self._told.limits:
            self._find("configuration", now, "closing without having asked for the configuration", shown)
        if self._version.has(Feature.EV_LIMITS) and not self._ev_limits:
            self._find("session-known", now, "closing before limits of the EV are told", shown)
        if self._session is not None and self._session.phase:
            self._find("reset-at-end", now, "closing again without reset", shown)
        self._need_operative(message, now)
        if self._session is None:
            self._session = Session(began_at=now)
            self.sessions += 1

    def _on_check(self, message: Message, now: float) -> None:
        shown = encode(message)
        if self._told.status.get("contactorsStatus") != ContactorsStatus.CLOSED:
            self._find("check-closed", now, "cableCheck while the status shows open contactors", shown)
        highest = self._told.limits.get("limitVoltageMax")
        if highest is not None and message.payload.get("voltage", 0) > highest:
            self._find("check-voltage", now, f"{message.payload['voltage']} V of {highest} V", shown)
        self._need_operative(message, now)
        if self._session is not None:
            self._session.checked_at, self._session.fresh, self._session.result = now, False, ""

    def _on_targets(self, message: Message, now: float) -> None:
        payload, session = message.payload, self._session
        phase = payload["chargingState"]
        shown = encode(message)
        if phase == ChargingState.POST_CHARGE:
            if payload["targetVoltage"] or payload["targetCurrent"]:
                self._find("post-charge-zero", now, "postCharge with a target", shown)
        elif phase != ChargingState.STANDBY:
            self._need_operative(message, now)
            self._check_limits(payload, now, shown)
            if session is None:
                self._find("targets-closed", now, f"{phase} without contactors", shown)
        if session is None:
            return
        self._check_phase(session, phase, now, shown)
        session.phase = phase
        session.aimed_a = payload["targetCurrent"]
        session.zeroed = not (payload["targetVoltage"] or payload["targetCurrent"]) or (
            phase == ChargingState.CHARGE and not payload["targetCurrent"]
        )
        if session.zeroed:
            session.must_stop_at = None

    def _check_phase(self, session: Session, phase: str, now: float, shown: str) -> None:
        before = session.phase
        if phase == ChargingState.PRE_CHARGE:
            if before not in ("", ChargingState.PRE_CHARGE):
                self._find("phase-order", now, f"preCharge after {before}", shown)
            if session.checked_at is None:
                self._find("check-first", now, "preCharge without cableCheck", shown)
            elif session.result == IsolationStatus.WARNING:
                if not before:
                    self._find("warning-goes", now, "goes on with a warning", shown)
            elif session.result not in (IsolationStatus.VALID, IsolationStatus.NO_IMD) and not before:
                self._find("check-valid", now, f"the test shows {session.result or 'nothing yet'}", shown)
        elif phase == ChargingState.CHARGE and before not in (ChargingState.PRE_CHARGE, ChargingState.CHARGE):
            self._find("phase-order", now, f"charge after {before or 'cable check'}", shown)

    def _check_limits(self, payload: Any, now: float, shown: str) -> None:
        newest, before = self._told.limits, self._told.limits_before
        if not newest:
            return
        graced = bool(before) and now < self._told.limits_at + LIMIT_GRACE_S

        def limit(name: str) -> float:
            return float(max(newest[name], before[name]) if graced else newest[name])

        volts, amperes = payload["targetVoltage"], payload["targetCurrent"]
        if volts > newest["limitVoltageMax"] or 0 < volts < newest["limitVoltageMin"]:
            allowed = f"{newest['limitVoltageMin']}..{newest['limitVoltageMax']} V"
            self._find("voltage-limit", now, f"{volts} V, {allowed} told", shown)
        if amperes > limit("limitCurrentMax"):
            self._find("current-limit", now, f"{amperes} A of {limit('limitCurrentMax')} A", shown)
        watts = amperes * min(volts, self._told.status.get("measuredVoltage", 0.0))
        if watts > limit("limitPowerMax") * POWER_TOLERANCE:
            self._find("power-limit", now, f"{watts:.0f} W of {limit('limitPowerMax')} W", shown)

    def _on_reset(self, message: Message, now: float) -> None:
        self._ends(message, now)
        self._session = None
        self._broke_energised = False

    def _ends(self, message: Message, now: float) -> None:
        """Contactors will open: the current should have been commanded to zero."""
        session = self._session
        if session is None:
            return
        session.must_stop_at = None
        energised = session.phase == ChargingState.CHARGE and session.aimed_a > 0
        forced = self._told.inoperative_since is not None or not self._supervised
        if energised and not session.zeroed and not forced:
            self._find(
                "zero-first", now, f"{message.kind} while {session.aimed_a} A are commanded", encode(message)
            )

    def _need_operative(self, message: Message, now: float) -> None:
        since = self._told.inoperative_since
        if since is not None and now > since + KNOWN_AFTER_S:
            self._find("close-operative", now, f"{message.kind} while inoperative", encode(message))

    # --- infos and replies ---------------------------------------------------------------------------------

    def _info(self, message: Message, now: float) -> None:
        if message.kind == Kind.CHARGING_SESSION:
            self._ev_limits |= any(name.startswith("evMax") for name in message.payload)
            return
        state = message.payload["evConnectionState"]
        if "vehicleId" in message.payload and state != EvConnectionState.CONNECTED:
            self._find("vehicle-id", now, f"vehicleId with {state}", encode(message))
        self._ev_state = state
        if state == EvConnectionState.DISCONNECTED:
            self._ev_limits = False

    def _reply(self, message: Message, now: float) -> None:
        number = message.sequence_number or 0
        if message.type is MessageType.ERROR and number == 0:
            return  # to something of ours that could not be read
        if self._ours.pop(number, None) is None:
            self._find("no-idle-answers", now, f"nothing numbered {number} waits", encode(message))

    # --- what we said --------------------------------------------------------------------------------------

    def _note_status(self, payload: Any, now: float) -> None:
        told = self._told
        told.status, told.status_at = dict(payload), now
        if payload["operationalStatus"] == OperationalStatus.INOPERATIVE:
            if told.inoperative_since is None:
                told.inoperative_since = now
            self._must_stop("inoperative", now)
        else:
            told.inoperative_since = None
        session = self._session
        if session is None or session.checked_at is None:
            return
        isolation = payload["isolationStatus"]
        if isolation != IsolationStatus.VALID or now > session.checked_at + 0.4:
            session.fresh = True
        if session.fresh and isolation != IsolationStatus.INVALID:
            session.result = isolation
        if isolation == IsolationStatus.FAULT:
            self._must_stop("isolation fault", now)

    def _must_stop(self, why: str, now: float) -> None:
        session = self._session
        if session is not None and session.must_stop_at is None and session.phase and not session.zeroed:
            session.must_stop_at, session.must_stop_why = now, why

    def _note_reply(self, message: Message, now: float) -> None:
        pending = self._pending
        if pending is None or pending.sequence_number != message.sequence_number:
            return
        self._pending = None
        session = self._session
        if message.type is MessageType.ERROR:
            closing = pending.kind == Kind.CONTACTORS_STATUS and session is not None
            if closing and session is not None and not session.phase and session.checked_at is None:
                self._session = None  # refused: no session began
        elif message.kind == Kind.CONFIGURATION and "limitVoltageMax" in message.payload:
            self._note_limits(dict(message.payload), now)

    def _note_limits(self, limits: dict[str, Any], now: float) -> None:
        told = self._told
        if limits != told.limits:
            told.limits_before, told.limits_at, told.limits = told.limits, now, limits

    # --- small things --------------------------------------------------------------------------------------

    def _check_integers(self, message: Message, now: float) -> None:
        floats = self._told.limits.get("floatValues") is True and self._version.has(Feature.FLOAT_VALUES)
        broken = [] if floats or message.kind in (Kind.GET_INPUT,) else fractions(message)
        if broken:
            self._find("integers", now, f"{', '.join(broken)} not whole", encode(message))

    def _touch(self, now: float) -> None:
        self.messages += 1
        self._last_life = now
        self.watch(now)

    def _find(self, rule: str, now: float, text: str, *frames: str) -> None:
        self.counts[rule] += 1
        if len(self.findings) >= FINDINGS_KEPT:
            return
        finding = Finding(now, self.point, rule, text, tuple(_shown(frame) for frame in frames))
        self.findings.append(finding)
        self._news.append(finding)


def _shown(data: str | bytes) -> str:
    """A frame short enough for a line."""
    text = data if isinstance(data, str) else f"{len(data)} bytes {data[:32].hex()}"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}... ({len(text)})"


_JUDGES: dict[str, Callable[[Conduct, Message, float], None]] = {
    Kind.CONTACTORS_STATUS: Conduct._on_contactors,
    Kind.CABLE_CHECK: Conduct._on_check,
    Kind.TARGET_VALUES: Conduct._on_targets,
    Kind.RESET: Conduct._on_reset,
}
