"""One TCP connection of a car: framing, handshake, deadlines and the one end every session has."""

from __future__ import annotations

from collections.abc import Callable, Collection

from vsecc_host.station.events import StationEvent, V2gSessionEnded
from vsecc_host.station.values import Cause, EvseView
from vsecc_host.v2g import sap, v2gtp
from vsecc_host.v2g.config import V2gConfig
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.dialogue import Dialogue, Ending, Step
from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.protocols import PROTOCOLS, begin

FIRST_MESSAGE_S = 5.0  # cars send 13..270 ms after connecting; a silent client must not block one
EV_CLOSES_S = 5.0  # after the last answer the EV closes the connection; if it does not, we do
MAX_WAITING = 2 * v2gtp.MAX_PAYLOAD  # bytes a client may send ahead while its request is being answered

FrameSeen = Callable[[str, bytes], None]  # direction "rx" or "tx", the whole V2GTP message
SessionIds = Callable[[], bytes]


class V2gConnection:
    """Drives one connection; `closing` says when the shell shall close it, None while it shall stay open."""

    def __init__(
        self,
        *,
        evse_id: int,
        view: EvseView,
        now: float,
        protocols: Collection[str],
        session_ids: SessionIds,
        config: V2gConfig | None = None,
        memory: SessionMemory | None = None,
        frame_seen: FrameSeen = lambda direction, raw: None,
        first_message_s: float = FIRST_MESSAGE_S,
    ) -> None:
        self._evse_id = evse_id
        self._view = view
        self._protocols = protocols
        self._session_ids = session_ids
        self._config = config or V2gConfig()
        self._memory = memory or SessionMemory()
        self._frame_seen = frame_seen
        self._first_message_s = first_message_s
        self._framer = v2gtp.Framer()
        self._dialogue: Dialogue | None = None
        self._codec = Protocol.SAP
        self._quiet_since = now  # the last answer, or the connect
        self._wait_until: float | None = None  # a request waits for its answer
        self._ramped = False
        self._ended = False
        self._closed = False
        self._events: list[StationEvent] = []
        self._out: list[bytes] = []
        self.closing: float | None = None

    @property
    def state_name(self) -> str:
        """What is waited for: "handshake", a state of the protocol, or "end"."""
        if self._ended:
            return "end"
        return self._dialogue.state_name if self._dialogue else "handshake"

    # --- verbs --------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the car; whatever they are, nothing is raised."""
        if self._closed:
            return
        self._framer.feed(data)
        self._work(now)

    def update(self, view: EvseView, now: float) -> None:
        """The truth about the outlet changed; a waiting request may have its answer now."""
        self._view = view
        if self._wait_until is not None:
            self._look_again(now)

    def close_requested(self, cause: Cause, now: float, detail: str = "") -> None:
        """The station wants the connection gone; a session that already ended keeps its time to close."""
        if not self._ended:
            self._end(Ending(cause, detail=detail), now)
            self.closing = now

    def disconnected(self, now: float, detail: str = "") -> None:
        """TCP is gone."""
        if not self._ended:
            cause = self._dialogue.lost() if self._dialogue else Cause.EV_DISCONNECTED
            self._end(Ending(cause, detail=detail or "connection closed by the EV"), now)
        self._closed = True
        self.closing = now

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        if self._closed:
            return None
        if self._ended:
            return self.closing
        if self._wait_until is not None:
            return self._wait_until
        return self._quiet_since + (self._ramp_down_s() or self._silence_s())

    def tick(self, now: float) -> None:
        """A deadline passed."""
        if self._closed:
            return
        if self._ended:
            self._closed = self.closing is not None and now >= self.closing
        elif self._wait_until is not None:
            if now >= self._wait_until:
                self._look_again(now)
        else:
            self._check_silence(now)

    def take(self) -> tuple[list[StationEvent], bytes]:
        """Events and bytes since the last call."""
        events, out = self._events, self._out
        if events:
            self._events = []
        if not out:
            return events, b""
        self._out = []
        return events, out[0] if len(out) == 1 else b"".join(out)

    # --- messages -----------------------------------------------------------------------------------------

    def _work(self, now: float) -> None:
        try:
            while self._wait_until is None and not self._closed:
                frame = self._framer.next()
                if frame is None:
                    break
                self._frame_seen("rx", frame.raw)
                if frame.valid and frame.payload_type == v2gtp.PayloadType.EXI:
                    self._message(frame.payload, now)
        except v2gtp.FramingError as error:
            self._give_up(str(error), now)
        if len(self._framer) > MAX_WAITING:
            self._give_up("sends on without waiting for answers", now)

    def _message(self, payload: bytes, now: float) -> None:
        self._ramped = False
        try:
            message = decode(self._codec, payload)
        except DecodeError as error:
            self._garbled(payload, f"not decodable: {error}", now)
            return
        if self._dialogue is None:
            self._handshake(message, now)
        else:
            self._carry_out(self._dialogue.ask(message, self._view, now), now)

    def _garbled(self, payload: bytes, reason: str, now: float) -> None:
        step = self._dialogue.garbled(payload, self._view, now) if self._dialogue else None
        if step is None:
            self._give_up(reason, now)
        else:
            self._carry_out(step, now)

    def _handshake(self, message: object, now: float) -> None:
        choice = sap.choose(message, self._protocols)
        if choice is None:
            self._give_up("handshake expected", now)
            return
        self._send(choice.answer, now)
        if choice.protocol is None:
            self._give_up(f"no common protocol: {choice.offered}", now)
            return
        spoken = PROTOCOLS[choice.protocol]
        self._codec = spoken.codec
        self._dialogue = begin(spoken, self._evse_id, self._session_ids(), self._config, self._memory)

    def _look_again(self, now: float) -> None:
        assert self._dialogue is not None, "only a dialogue makes a request wait"
        self._carry_out(self._dialogue.again(self._view, now), now)
        if self._wait_until is None:
            self._work(now)

    def _carry_out(self, step: Step, now: float) -> None:
        self._events += step.events
        self._wait_until = step.wait_until
        if step.answer is not None:
            self._send(step.answer, now)
        if step.ending is not None:
            self._end(step.ending, now)

    def _send(self, answer: object, now: float) -> None:
        raw = v2gtp.pack(v2gtp.PayloadType.EXI, encode(self._codec, answer))
        self._out.append(raw)
        self._frame_seen("tx", raw)
        self._quiet_since = now

    # --- ends ---------------------------------------------------------------------------------------------

    def _silence_s(self) -> float:
        return self._dialogue.silence_s() if self._dialogue else self._first_message_s

    def _ramp_down_s(self) -> float | None:
        return self._dialogue.ramp_down_s() if self._dialogue and not self._ramped else None

    def _check_silence(self, now: float) -> None:
        # Sums as in next_deadline: a difference could round to just short of the deadline, again and again.
        ramp_down_s = self._ramp_down_s()
        if ramp_down_s is not None and now >= self._quiet_since + ramp_down_s and self._dialogue is not None:
            self._events += self._dialogue.ramp_down(now)
            self._ramped = True
        if now >= self._quiet_since + self._silence_s():
            self._end(Ending(Cause.EV_TIMEOUT, detail=f"no request for {self._silence_s():g} s"), now)
            self.closing = now
            self._closed = True

    def _give_up(self, reason: str, now: float) -> None:
        """Nothing sensible can be answered: end the session and close at once."""
        if not self._ended:
            self._end(Ending(Cause.EV_PROTOCOL_ERROR, detail=reason), now)
        self.closing = now
        self._closed = True

    def _end(self, ending: Ending, now: float) -> None:
        if self._ended:
            return
        self._ended = True
        self._wait_until = None
        self.closing = now + EV_CLOSES_S
        self._events.append(
            V2gSessionEnded(
                at=now,
                evse_id=self._evse_id,
                cause=ending.cause,
                orderly=ending.orderly,
                detail=ending.detail,
            )
        )
