"""The SECC end of one outlet's PEP connection: station commands and views in, station events and frames out.

Nothing is concluded from a response: what the power electronics do is what their status says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from vsecc_host.pep import codec
from vsecc_host.pep.codec import PepError
from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.configuration import Configuration
from vsecc_host.pep.messages import (
    MAX_NUMBER,
    ChargingState,
    ErrorCategory,
    Kind,
    Message,
    MessageType,
    bounded,
    error,
    layout_of,
    response,
)
from vsecc_host.pep.notes import Notes
from vsecc_host.pep.requests import Ask, Outcome, Requests, Slot, Verdict, contactors_payload
from vsecc_host.pep.session_info import SessionInfo
from vsecc_host.pep.standby import StandbyWatch
from vsecc_host.pep.status import CableCheckWatch, Status, isolation_of
from vsecc_host.pep.times import CONFIGURATION_POLL_S, REQUEST_TIMEOUT_S, STATUS_WATCHDOG_S
from vsecc_host.pep.versions import DEFAULT_VERSION, Feature, PepVersion
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, EvseView, Phase, PowerPhase
from vsecc_host.terminals import TerminalError, Terminals

STOPPER = "power electronics"  # who asked, in StopRequested
_STOPPABLE = frozenset({Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING})
_IN_SESSION = _STOPPABLE | {Phase.STOPPING}


class Outgoing(NamedTuple):
    """A frame to send and the cause it belongs to, 0 for the one at hand."""

    text: str
    cause: int


class PepMachine:
    """`connected`, then `receive` frames, `execute` commands, `update` views; `take` what follows."""

    def __init__(self, evse_id: int, config: PepConfig, terminals: Terminals) -> None:
        self.evse_id = evse_id
        self.config = config
        self.notes = Notes()
        self.version = config.version or DEFAULT_VERSION
        self.configuration: Configuration | None = None  # of this connection
        self.status: Status | None = None  # of this connection
        self.close_wanted = ""  # why the connection is of no use any more
        self._terminals = terminals
        self._connected = False
        self._since = 0.0  # connected or newest status
        self._supervised = False  # the safety relay permits energy
        self._view: EvseView | None = None
        self._requests = Requests()
        self._standby = StandbyWatch()
        self._check: CableCheckWatch | None = None
        self._session_info = SessionInfo()
        self._poll_at: float | None = None
        self._integers = True
        self._last_number: int | None = None  # of the PECC's requests
        self._lost = ""
        self._events: list[e.StationEvent] = []
        self._frames: list[Outgoing] = []

    # --- the connection ---------------------------------------------------------------------------------

    def connected(self, version: PepVersion, now: float) -> None:
        """The handshake is done: bring the power electronics to a known state, ask what they can do."""
        self.version, self._integers = version, True
        self.status = self.configuration = None
        self.close_wanted = self._lost = ""
        self._connected, self._since, self._last_number = True, now, None
        self._requests, self._check = Requests(), None
        self._standby.wanted()
        self._session_info.connected()
        self._terminals.connected(self.evse_id)
        self._requests.ask(Slot.RESET, {}, now)
        self._requests.ask(Slot.CONFIGURATION, {}, now)
        self._poll_at = now + CONFIGURATION_POLL_S
        self._move(now)

    def disconnected(self, reason: str, now: float) -> None:
        """The connection is gone, or could not be had; told once per reason."""
        if self._connected:
            self._terminals.disconnected(self.evse_id, now)
        self._connected = False
        self._check, self._poll_at = None, None
        self.close_wanted = ""
        if reason != self._lost:
            self._lost = reason
            self._lose(Cause.POWER_STALE, reason, now)

    # --- from the station -------------------------------------------------------------------------------

    def execute(self, command: c.Command, now: float, cause: int = 0) -> None:
        """Carry out a command of this outlet; what cannot be done becomes PowerLost."""
        _COMMANDS[type(command)](self, command, now, cause)
        self._move(now)

    def update(self, view: EvseView, now: float) -> None:
        """The newest view of the outlet: what the car does is told, limits are asked for while it matters."""
        before, self._view = self._view, view
        self._session_info.update(view)
        if before is None or (not before.cp_state.plugged and view.cp_state.plugged):
            self._ask_configuration(now)
        elif view.phase in _IN_SESSION and before.phase not in _IN_SESSION and self._connected:
            self._poll_at = now + CONFIGURATION_POLL_S
        self._move(now)

    def _on_contactors(self, command: c.PowerContactors, now: float, cause: int) -> None:
        if not command.closed:
            self._check = None
            self._ask(Slot.OPEN, contactors_payload(False), now, cause)
        elif not self._supervised:
            self._lose(Cause.POWER_REFUSED, "the safety relay is open", now)
        else:
            self._ask_energising(Slot.CLOSE, contactors_payload(True), now, cause)

    def _on_cable_check(self, command: c.PowerCableCheck, now: float, cause: int) -> None:
        self._check = None
        self._ask_energising(Slot.CABLE_CHECK, {"voltage": bounded(command.voltage_v)}, now, cause)

    def _on_target(self, command: c.PowerTarget, now: float, cause: int) -> None:
        payload = {
            "targetVoltage": bounded(command.voltage_v),
            "targetCurrent": bounded(command.current_a),
            "batteryStateOfCharge": min(100, max(0, command.soc_percent)),
            "chargingState": ChargingState(command.phase.value),
        }
        if command.phase is PowerPhase.POST_CHARGE:
            self._ask(Slot.TARGET, payload, now, cause)
        else:
            self._ask_energising(Slot.TARGET, payload, now, cause)

    def _on_reset(self, command: c.PowerReset, now: float, cause: int) -> None:
        self._check = None
        self._standby.wanted()
        self._ask(Slot.RESET, {}, now, cause)

    def _on_supervision(self, command: c.PowerSupervision, now: float, cause: int) -> None:
        self._supervised = command.relay_closed
        if not command.relay_closed:
            self._requests.drop_energising()

    def _ask(self, slot: Slot, payload: dict[str, Any], now: float, cause: int) -> None:
        if self._connected:
            self._requests.ask(slot, payload, now, cause)

    def _ask_energising(self, slot: Slot, payload: dict[str, Any], now: float, cause: int) -> None:
        if not self._connected:
            self._lose(Cause.POWER_STALE, self._lost or "not connected", now)
        self._ask(slot, payload, now, cause)

    def _ask_configuration(self, now: float) -> None:
        if self._connected and not self._requests.asked(Slot.CONFIGURATION):
            self._requests.ask(Slot.CONFIGURATION, {}, now)

    # --- from the power electronics ---------------------------------------------------------------------

    def receive(self, data: str | bytes, now: float) -> None:
        """One WebSocket message; bytes are a binary one, which the protocol does not have."""
        try:
            if isinstance(data, bytes):
                raise PepError(ErrorCategory.FORMAT, "binary frame")
            message = codec.decode(data, self.version, "secc")
        except PepError as problem:
            self._faulty(problem, now)
        else:
            self._note_fractions(message, now)
            _READERS[message.type](self, message, now)
        self._move(now)

    def _faulty(self, problem: PepError, now: float) -> None:
        self.notes.add(f"faulty {problem.about or 'frame'}", str(problem), now)
        if problem.answer is not None:
            self._send(problem.answer)
        elif problem.about in (MessageType.RESPONSE, MessageType.ERROR):
            outcome = self._requests.faulty_reply(problem.sequence_number, problem.details, now)
            self._concluded(outcome, now)

    def _note_fractions(self, message: Message, now: float) -> None:
        if self._integers and self.configuration is not None and codec.fractions(message):
            self.notes.add("fractions although floatValues is not true", message.kind, now)

    def _on_request(self, message: Message, now: float) -> None:
        number, last = message.sequence_number or 0, self._last_number
        if last is not None and number != last % MAX_NUMBER + 1:
            self.notes.add("sequence number out of step", f"{number} after {last}", now)
        self._last_number = number
        try:
            answer = _ANSWERS[Kind(message.kind)](self, message, now)
        except TerminalError as problem:
            self.notes.add(f"{message.kind} refused", str(problem), now)
            answer = error(message.kind, number, ErrorCategory(problem.category), str(problem))
        self._send(answer)

    def _get_input(self, message: Message, now: float) -> Message:
        values = self._terminals.read(message.payload["inputIdentifiers"], now)
        return response(message, {"inputValues": values})

    def _set_output(self, message: Message, now: float) -> Message:
        self._terminals.write(self.evse_id, message.payload["outputValues"])
        return response(message)

    def _stop_charging(self, message: Message, now: float) -> Message:
        if self._view is not None and self._view.phase in _STOPPABLE:
            self._events.append(e.StopRequested(at=now, evse_id=self.evse_id, who=STOPPER))
        return response(message)

    def _on_reply(self, message: Message, now: float) -> None:
        outcome = self._requests.reply(message, now)
        if outcome is None:
            self.notes.add("reply nobody waits for", f"{message.kind} {message.sequence_number}", now)
        self._concluded(outcome, now)

    def _on_info(self, message: Message, now: float) -> None:
        if message.kind == Kind.STATUS:
            self._on_status(Status.of(message.payload, now), now)
        else:
            self.notes.add("PECC event", message.payload["eventDetails"], now, wrong=False)

    def _on_status(self, status: Status, now: float) -> None:
        self.status, self._since = status, now
        self._standby.seen(status)
        operative = status.operative and not self._standby.awaited
        snapshot = status.snapshot(operative=operative, accept_no_imd=self.config.accept_no_imd)
        self._events.append(e.PowerMeasured(at=now, evse_id=self.evse_id, snapshot=snapshot))
        result = self._check.result(status) if self._check is not None else None
        if result is not None:
            self._check = None
            isolation = isolation_of(result, self.config.accept_no_imd)
            self._events.append(e.CableCheckDone(at=now, evse_id=self.evse_id, isolation=isolation))

    # --- what became of our requests --------------------------------------------------------------------

    def _concluded(self, outcome: Outcome | None, now: float) -> None:
        if outcome is None:
            return
        if not self._supervised:
            self._requests.drop_energising()  # a retry among them
        if outcome.verdict is not Verdict.ACCEPTED:
            self.notes.add("request failed", outcome.text(), now, wrong=not outcome.expected)
        if outcome.verdict is Verdict.ACCEPTED:
            self._accepted(outcome, now)
        elif outcome.verdict is Verdict.FAILED:
            self._failed(outcome, now)

    def _accepted(self, outcome: Outcome, now: float) -> None:
        slot = outcome.ask.slot
        if slot is Slot.CONFIGURATION:
            self._configured(outcome, now)
        elif slot is Slot.CABLE_CHECK and self._check is not None:
            self._check.accepted(now)
        elif slot is Slot.RESET:
            self._standby.accepted(now)

    def _configured(self, outcome: Outcome, now: float) -> None:
        try:
            told = Configuration.of(outcome.payload)
        except ValueError as problem:
            self.notes.add("configuration refused", str(problem), now)
            return
        before, self.configuration = self.configuration, told
        self._integers = not (self.version.has(Feature.FLOAT_VALUES) and told.float_values)
        if before is None or before.limits != told.limits:
            self._events.append(e.PowerLimitsTold(at=now, evse_id=self.evse_id, limits=told.limits))

    def _failed(self, outcome: Outcome, now: float) -> None:
        ask = outcome.ask
        if ask.slot is Slot.RESET:
            self._standby.refused(now)
        elif ask.slot is Slot.CABLE_CHECK:
            self._check = None
        elif ask.slot is Slot.TARGET and not ask.energising:
            self._on_reset(c.PowerReset(evse_id=self.evse_id), now, ask.cause)  # the other way to zero
        inoperative = outcome.category is ErrorCategory.INOPERATIVE
        if ask.energising or (ask.slot is Slot.TARGET and not inoperative):
            self._yield_to_station(now)
            self._lose(Cause.POWER_INOPERATIVE if inoperative else Cause.POWER_REFUSED, outcome.text(), now)

    def _yield_to_station(self, now: float) -> None:
        """What the station does about a failure goes first: the limits can wait for the next poll."""
        self._requests.drop(Slot.CONFIGURATION)
        if self._poll_at is not None:
            self._poll_at = max(self._poll_at, now + REQUEST_TIMEOUT_S)

    def _lose(self, cause: Cause, detail: str, now: float) -> None:
        self._events.append(e.PowerLost(at=now, evse_id=self.evse_id, cause=cause, detail=detail))

    # --- time and output --------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is wanted; None while not connected."""
        if not self._connected:
            return None
        wanted = (
            self._requests.next_deadline(),
            self._session_info.next_deadline(),
            self._standby.next_deadline(),
            self._poll_at,
            None if self.close_wanted else self._since + STATUS_WATCHDOG_S,
        )
        return min((at for at in wanted if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Whatever is due by now."""
        if not self._connected:
            return
        self._concluded(self._requests.tick(now), now)
        if now >= self._since + STATUS_WATCHDOG_S and not self.close_wanted:
            self.close_wanted = f"no status for {STATUS_WATCHDOG_S:g} s"
        if self._standby.again(now):
            self._requests.ask(Slot.RESET, {}, now)
        if self._poll_at is not None and now >= self._poll_at:
            self._poll(now)
        self._move(now)

    def _poll(self, now: float) -> None:
        """Ask for the limits until they are known, and while a session lasts."""
        in_session = self._view is not None and self._view.phase in _IN_SESSION
        self._poll_at = None
        if in_session or self.configuration is None:
            self._ask_configuration(now)
            self._poll_at = now + CONFIGURATION_POLL_S

    def take(self) -> tuple[list[e.StationEvent], list[Outgoing]]:
        """Events and frames since the last call."""
        events, self._events = self._events, []
        frames, self._frames = self._frames, []
        return events, frames

    def _move(self, now: float) -> None:
        """Send what may be sent now: infos at any time, the next request when its turn has come."""
        if not self._connected:
            return
        for message in self._session_info.due(now):
            self._send(message)
        turn = self._requests.next(now)
        if turn is not None:
            message, ask = turn
            self._starting(ask)
            self._send(message, ask.cause)

    def _starting(self, ask: Ask) -> None:
        if ask.slot is Slot.CABLE_CHECK:
            self._check = CableCheckWatch(self.status.isolation if self.status is not None else None)

    def _send(self, message: Message, cause: int = 0) -> None:
        layout = layout_of(message.type, message.kind)
        if layout is not None and not self.version.has(layout.feature):
            return  # a PECC of this version does not know such a message
        fitted = codec.fit(message, self.version, integers=self._integers)
        if message.type is MessageType.INFO and message.payload and not fitted.payload:
            return  # nothing of it is known to this version
        self._frames.append(Outgoing(codec.encode(fitted), cause))


_Reader = Callable[[PepMachine, Message, float], None]

_READERS: dict[MessageType, _Reader] = {
    MessageType.REQUEST: PepMachine._on_request,
    MessageType.RESPONSE: PepMachine._on_reply,
    MessageType.ERROR: PepMachine._on_reply,
    MessageType.INFO: PepMachine._on_info,
}

_ANSWERS: dict[Kind, Callable[[PepMachine, Message, float], Message]] = {
    Kind.GET_INPUT: PepMachine._get_input,
    Kind.SET_OUTPUT: PepMachine._set_output,
    Kind.STOP_CHARGING: PepMachine._stop_charging,
}

_COMMANDS: dict[type[c.Command], Callable[[PepMachine, Any, float, int], None]] = {
    c.PowerContactors: PepMachine._on_contactors,
    c.PowerCableCheck: PepMachine._on_cable_check,
    c.PowerTarget: PepMachine._on_target,
    c.PowerReset: PepMachine._on_reset,
    c.PowerSupervision: PepMachine._on_supervision,
}
