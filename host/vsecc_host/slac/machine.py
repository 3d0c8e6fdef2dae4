"""SLAC of one port, EVSE side, no I/O: frames, pilot and D-LINK requests in; events and frames out.

The port's rules are in table.py and port.py, those of a session in session.py, the modem's in modem.py; here
frames find their session. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from vsecc_host.slac import codec, times, validity
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import SlacMatched
from vsecc_host.slac.keys import Randomness
from vsecc_host.slac.modem import Modem
from vsecc_host.slac.port import Port
from vsecc_host.slac.session import Session, SessionState
from vsecc_host.slac.table import PortInput, PortState
from vsecc_host.station.events import EvseEvent
from vsecc_host.station.values import CpState

_MODEM_MESSAGES = (m.SetKeyCnf, m.SwVerCnf, m.NwInfoCnf, m.LinkStatusCnf, m.ResetCnf)
_MATCHING = (PortState.LISTENING, PortState.MATCHING)


class SlacMachine:
    """One port; `randomness(n)` gives n random bytes for network keys."""

    def __init__(self, *, evse_id: int, config: SlacConfig, randomness: Randomness) -> None:
        self.modem = Modem(randomness, reset_when_dead=config.reset_dead_modem)
        self.ignored: Counter[str] = Counter()  # reason -> frames; the reasons are a fixed set
        self._evse_id = evse_id
        self._config = config
        self._port = Port(evse_id=evse_id, config=config, modem=self.modem)
        self._mac = bytes(6)
        self._confirm = b""  # CM_SLAC_MATCH.CNF, kept for repetitions
        self._out: list[bytes] = []

    @property
    def state(self) -> PortState:
        """State of the port."""
        return self._port.state

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Running sessions, oldest first."""
        return tuple(self._port.sessions.values())

    # --- verbs --------------------------------------------------------------------------------------------

    def connected(self, own_mac: bytes, now: float) -> None:
        """The modem's interface is there; frames are sent from `own_mac`."""
        self._mac = own_mac
        self.modem.renew(now)
        self._after(now)

    def disconnected(self, reason: str, now: float) -> None:
        """The interface is gone."""
        self.modem.dropped(reason)
        self._after(now)

    def receive(self, frame: bytes, now: float) -> None:
        """A frame of type 0x88E1 from the modem's interface; whatever it is, nothing is raised."""
        reason = self._take_in(frame, now)
        if reason is not None:
            self.ignored[reason] += 1
        self._after(now)

    def cp_changed(self, state: CpState, duty_permille: int, now: float) -> None:
        """Confirmed pilot state and the duty cycle driven; 0 while steady."""
        self._port.cp_changed(state, duty_permille, now)
        self._after(now)

    def start(self, now: float) -> None:
        """Matching is wanted: listen, then ask for 5 %; out of a pause, wake the EV. Needs a plugged car."""
        self._port.wanted = True
        if self._port.cp.plugged:
            self._port.apply(PortInput.START, now)
        self._after(now)

    def rest(self, now: float) -> None:
        """Matching is not wanted any more: nobody is answered until `start`. A pause stays a pause."""
        self._port.wanted = False
        self._port.apply(PortInput.REST, now)
        self._after(now)

    def terminate(self, now: float) -> None:
        """D-LINK_TERMINATE.request: leave, X1, no matching until the cable was out or CP passed E/F."""
        self._port.apply(PortInput.TERMINATE, now)
        self._after(now)

    def error(self, now: float) -> None:
        """D-LINK_ERROR.request: leave, X1, E/F, then ready again."""
        self._port.apply(PortInput.ERROR, now)
        self._after(now)

    def pause(self, now: float) -> None:
        """D-LINK_PAUSE.request: X1, the key is kept."""
        self._port.apply(PortInput.PAUSE, now)
        self._after(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        waits = [self._port.next_deadline(), self.modem.next_deadline()]
        waits += [session.deadline for session in self.sessions]
        return min((at for at in waits if at is not None), default=None)

    def tick(self, now: float) -> None:
        """A deadline passed."""
        self.modem.tick(now)
        for session in self.sessions:
            self._send(session.ev_mac, session.tick(now))
        self._port.tick(now)
        self._after(now)

    def take(self) -> tuple[list[EvseEvent], list[bytes]]:
        """Events and frames since the last call; frames are for the wire first."""
        events, out = self._port.events, self._out
        if events:
            self._port.events = []
        self._out = []
        return events, out

    def _after(self, now: float) -> None:
        """What follows from the parts: failed sessions, news of the modem, messages to it."""
        self._port.settle(now)
        notes, messages = self.modem.take()
        while notes or messages:
            self._send(m.LOCAL_MODEM, messages)
            for note in notes:
                self._port.noted(note, now)
            notes, messages = self.modem.take()

    # --- frames -------------------------------------------------------------------------------------------

    def _take_in(self, raw: bytes, now: float) -> str | None:
        """The reason why the frame is ignored."""
        try:
            frame = codec.decode(raw)
        except codec.CodecError:
            return "malformed"
        if frame is None:
            return "unknown type"
        if frame.destination not in (self._mac, m.BROADCAST):
            return "other destination"
        message = frame.message
        if isinstance(message, _MODEM_MESSAGES):
            self.modem.receive(message, frame.source, now)
            return None
        if isinstance(message, m.AttenProfileInd):
            return self._profile(message, frame.source, now)
        if type(message) not in _HANDLERS:
            return "not for an EVSE"
        reason = validity.problem(message, frame.source, self._mac)
        return reason or _HANDLERS[type(message)](self, message, frame.source, now)

    def _parameters(self, message: m.SlacParmReq, source: bytes, now: float) -> str | None:
        if self.state not in _MATCHING or not self._port.cp.plugged:
            return "not listening"
        session = self._port.sessions.get((source, message.run_id)) or self._open(source, message.run_id)
        if session is None:
            return "too many sessions"
        self._send(source, [session.parameters(now)])
        self._port.apply(PortInput.SESSION, now)
        return None

    def _open(self, source: bytes, run_id: bytes) -> Session | None:
        same_ev = [key for key in self._port.sessions if key[0] == source]
        if len(same_ev) >= times.MAX_SESSIONS_PER_EV:
            del self._port.sessions[same_ev[0]]
        if len(self._port.sessions) >= times.MAX_SESSIONS:
            return None
        session = self._port.sessions[source, run_id] = Session(source, run_id, self._config)
        return session

    def _by_run(self, message: Any, source: bytes, now: float) -> str | None:
        session = self._port.sessions.get((source, message.run_id))
        if session is None:
            return "no such session"
        answer = session.answer(message, now)
        if answer is None:
            return "out of sequence"
        self._send(source, answer)
        return None

    def _profile(self, message: m.AttenProfileInd, source: bytes, now: float) -> str | None:
        """It names no run: it belongs to the newest sound window of that car."""
        if self.modem.mac is not None and source != self.modem.mac:
            return "other modem"
        sounding = [
            s for s in self.sessions if s.ev_mac == message.ev_mac and s.state is SessionState.SOUNDING
        ]
        if not sounding:
            return "no such session"
        answer = max(sounding, key=lambda session: session.sounding_since).profile(message, now)
        if answer is None:
            return "profile of another shape"
        self._send(message.ev_mac, answer)
        return None

    def _validate(self, message: m.ValidateReq, source: bytes, now: float) -> str | None:
        """It names no run either: it belongs to the newest session of that car which listens for it."""
        mine = [session for session in self.sessions if session.ev_mac == source and session.validates]
        if not mine:
            return "no such session"
        session = mine[-1]
        if not self._config.validation:
            self._send(source, [m.ValidateCnf(0, m.ValidateResult.FAILURE)])
        elif any(other.validating for other in self.sessions if other.ev_mac != source):
            self._send(source, [m.ValidateCnf(0, m.ValidateResult.NOT_READY)])
        else:
            answer = session.answer(message, now)
            if answer is None:
                return "out of sequence"
            self._send(source, answer)
        return None

    def _match(self, message: m.SlacMatchReq, source: bytes, now: float) -> str | None:
        if self.state is not PortState.MATCHING and self.state is not PortState.JOINING:
            return "out of sequence"
        reason = self._by_run(message, source, now)
        if reason is not None:
            return reason
        if self.state is PortState.MATCHING:
            self._chosen(self._port.sessions[source, message.run_id], message, now)
        self._out.append(self._confirm)
        return None

    def _chosen(self, session: Session, message: m.SlacMatchReq, now: float) -> None:
        """The EV decided for this port: its other sessions are over."""
        assert session.attenuation is not None, "matched only after its attenuation was reported"
        session.matched()
        self._port.sessions = {(session.ev_mac, session.run_id): session}
        self._port.matched = session
        key = self.modem.key
        confirm = m.SlacMatchCnf(session.ev_mac, self._mac, session.run_id, key.nid, key.nmk)
        self._confirm = codec.encode(session.ev_mac, self._mac, confirm)
        self._port.events.append(
            SlacMatched(
                at=now,
                evse_id=self._evse_id,
                ev_mac=session.ev_mac.hex().upper(),
                run_id=session.run_id.hex().upper(),
                attenuation=session.attenuation,
            )
        )
        self._port.apply(PortInput.MATCH, now)

    def _amp_map(self, message: m.AmpMapReq, source: bytes, now: float) -> str | None:
        if self._port.matched is None or source != self._port.matched.ev_mac:
            return "not the matched EV"
        self._send(source, [m.AmpMapCnf()])
        return None

    def _send(self, destination: bytes, messages: list[m.Message]) -> None:
        self._out += [codec.encode(destination, self._mac, message) for message in messages]


_HANDLERS: dict[type[Any], Callable[[SlacMachine, Any, bytes, float], str | None]] = {
    m.SlacParmReq: SlacMachine._parameters,
    **dict.fromkeys((m.StartAttenCharInd, m.MnbcSoundInd, m.AttenCharRsp), SlacMachine._by_run),
    m.SlacMatchReq: SlacMachine._match,
    m.ValidateReq: SlacMachine._validate,
    m.AmpMapReq: SlacMachine._amp_map,
}
