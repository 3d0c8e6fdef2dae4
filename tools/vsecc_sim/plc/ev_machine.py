"""SLAC as a car does it, no I/O: sounds, compares the outlets that answer, takes the best, joins it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Any

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_sim.plc.habits import Habits

ANSWER_S = 0.2  # TT_match_response
RESULTS_S = 1.2  # TT_EV_atten_results, from the first CM_START_ATTEN_CHAR.IND
JOIN_S = 12.0  # TT_match_join
LINK_POLL_S = 0.1
TOGGLE_S = 0.3  # TP_EV_vald_state_duration
VALIDATE_TIMER = 15  # 1.6 s: room for two toggles


class EvState(StrEnum):
    """What the car is at."""

    OFF = "off"
    ASKING = "asking"
    SOUNDING = "sounding"
    DECIDING = "deciding"  # results come in
    VALIDATING = "validating"
    CHOOSING = "choosing"  # CM_SLAC_MATCH.REQ is out
    JOINING = "joining"
    LINKED = "linked"
    RESTING = "resting"  # before the next run
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EvMatched:
    """CM_SLAC_MATCH.CNF came."""

    at: float
    evse_mac: bytes
    average_db: float


@dataclass(frozen=True, slots=True)
class EvLinked:
    """The car's modem joined."""

    at: float


@dataclass(frozen=True, slots=True)
class EvFailed:
    """A run failed; `final`: the car gives up."""

    at: float
    reason: str
    final: bool


@dataclass(frozen=True, slots=True)
class EvToggle:
    """The car wants this on its pilot: True is state C."""

    at: float
    energy: bool


EvEvent = EvMatched | EvLinked | EvFailed | EvToggle


@dataclass(slots=True)
class _Outlet:
    """What the car knows of an outlet that answered."""

    indications: int = 0
    average_db: float | None = None


class EvSlacMachine:
    """One car's host; frames go to and come from its own modem."""

    def __init__(self, mac: bytes, habits: Habits, randomness: Callable[[int], bytes]) -> None:
        self.state = EvState.OFF
        self.mac = mac
        self.run_id = b""
        self.outlets: dict[bytes, _Outlet] = {}
        self.chosen = b""
        self.amp_map_answered = False
        self._habits = habits
        self._randomness = randomness
        self._runs = 0
        self._tries = 0
        self._confirm: m.SlacMatchCnf | None = None
        self._random = randomness(16)
        self._plan: list[tuple[float, int, Callable[[float], None]]] = []
        self._serial = count()
        self._events: list[EvEvent] = []
        self._out: list[bytes] = []

    # --- verbs --------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """5 % is on."""
        self._runs = 0
        self._begin(now)

    def stop(self, now: float) -> None:
        """Unplugged."""
        self._plan.clear()
        self.state = EvState.OFF

    def leave(self, now: float) -> None:
        """No 5 % any more, or no link: out of the network."""
        self.stop(now)
        self._send(m.LOCAL_MODEM, m.SetKeyReq(bytes(7), self._randomness(16)))

    def receive(self, frame: bytes, now: float) -> None:
        """A frame from the own modem."""
        try:
            seen = codec.decode(frame)
        except codec.CodecError:
            return
        if seen is None or seen.destination not in (self.mac, m.BROADCAST):
            return
        if getattr(seen.message, "application_type", 0) or getattr(seen.message, "security_type", 0):
            return
        handler = _HANDLERS.get(type(seen.message))
        if handler is not None:
            handler(self, seen.message, seen.source, now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        return self._plan[0][0] if self._plan else None

    def tick(self, now: float) -> None:
        """A deadline passed."""
        while self._plan and self._plan[0][0] <= now:
            heapq.heappop(self._plan)[2](now)

    def take(self) -> tuple[list[EvEvent], list[bytes]]:
        """Events and frames since the last call."""
        events, out = self._events, self._out
        self._events, self._out = [], []
        return events, out

    # --- a run --------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        self._plan.clear()
        self._runs += 1
        self.run_id = self._new_run_id()
        self.outlets = {}
        self.chosen = b""
        self._confirm = None
        self._tries = 0
        self.state = EvState.ASKING
        self._ask(now)

    def _new_run_id(self) -> bytes:
        if self._habits.run_id == "mac":
            return self.mac + b"\0\0"
        return self._randomness(8) if self._habits.run_id == "random" else bytes.fromhex(self._habits.run_id)

    def _ask(self, now: float) -> None:
        if self.state is not EvState.ASKING or self.outlets:
            return
        if self._tries >= self._habits.parm_tries:
            self._fail("no CM_SLAC_PARM.CNF", now)
            return
        self._tries += 1
        for copy in range(self._habits.parm_copies):
            self._later(
                now + 0.001 * copy * self._habits.parm_copy_ms,
                lambda _now: self._send(m.BROADCAST, m.SlacParmReq(self.run_id)),
            )
        self._later(now + 0.001 * self._habits.parm_repeat_ms, self._ask)
        self.tick(now)

    def _parameters(self, message: m.SlacParmCnf, source: bytes, now: float) -> None:
        if message.run_id != self.run_id or message.forwarding_sta != self.mac:
            return
        if self.state is not EvState.ASKING:
            return
        if not self.outlets:
            self._later(now + 0.001 * self._habits.start_after_ms, self._sound)
        self.outlets.setdefault(source, _Outlet())

    def _sound(self, now: float) -> None:
        """Plan the STARTs, the sounds and the end of patience."""
        habits, at, spacing_s = self._habits, now, 0.001 * self._habits.spacing_ms
        self.state = EvState.SOUNDING
        start = m.StartAttenCharInd(self.mac, self.run_id, habits.sounds, habits.time_out)
        for _ in range(habits.starts):
            self._later(at, lambda _now: self._send(m.BROADCAST, start))
            at += spacing_s
        for left in reversed(range(habits.sounds)):
            self._later(at, partial(self._send_sound, left))
            at += spacing_s
        self._later(now + RESULTS_S, self._decide)
        self.tick(now)

    def _send_sound(self, left: int, _now: float) -> None:
        content = {"ones": b"\xff" * 16, "fixed": self._random}.get(self._habits.random)
        self._send(m.BROADCAST, m.MnbcSoundInd(left, self.run_id, content or self._randomness(16)))
        if left == 0:
            self.state = EvState.DECIDING

    def _characteristics(self, message: m.AttenCharInd, source: bytes, now: float) -> None:
        outlet = self.outlets.get(source)
        mine = message.run_id == self.run_id and message.source_address == self.mac
        if outlet is None or not mine or self.state not in (EvState.SOUNDING, EvState.DECIDING):
            return
        outlet.indications += 1
        if outlet.indications < self._habits.rsp_to:
            return
        at = now + 0.001 * self._habits.rsp_after_ms
        rsp = m.AttenCharRsp(self.mac, self.run_id)
        self._later(at, lambda _now: self._send(source, rsp))
        if outlet.average_db is None and message.groups_db:
            outlet.average_db = sum(message.groups_db) / len(message.groups_db)
            if all(other.average_db is not None for other in self.outlets.values()):
                self._later(at, self._decide)

    def _decide(self, now: float) -> None:
        if self.state not in (EvState.SOUNDING, EvState.DECIDING) or self.chosen:
            return
        heard = {mac: o.average_db for mac, o in self.outlets.items() if o.average_db is not None}
        if not heard:
            self._fail("no CM_ATTEN_CHAR.IND", now)
            return
        best = min(heard, key=heard.__getitem__)
        if heard[best] > self._habits.limit_db:
            self._fail("no outlet near enough", now)
            return
        self.chosen = best
        self._tries = 0
        then = self._validate if self._habits.validate_toggles else self._choose
        self._later(now + 0.001 * self._habits.match_after_ms, then)

    # --- validation ---------------------------------------------------------------------------------------

    def _validate(self, now: float) -> None:
        self.state = EvState.VALIDATING
        self._send(self.chosen, m.ValidateReq(0))

    def _validated(self, message: m.ValidateCnf, source: bytes, now: float) -> None:
        if self.state is not EvState.VALIDATING or source != self.chosen:
            return
        if message.result == m.ValidateResult.READY:
            self._send(self.chosen, m.ValidateReq(VALIDATE_TIMER))
            for half in range(2 * self._habits.validate_toggles):
                at = now + 0.1 + TOGGLE_S * half
                self._later(at, partial(self._toggle, half % 2 == 0))
        elif message.result == m.ValidateResult.SUCCESS and message.toggles == self._habits.validate_toggles:
            self._choose(now)
        elif message.result == m.ValidateResult.FAILURE:
            self._choose(now)  # an outlet that does not validate is taken as it is
        else:
            self._fail("not validated", now)

    def _toggle(self, energy: bool, now: float) -> None:
        self._events.append(EvToggle(now, energy))

    # --- the match ----------------------------------------------------------------------------------------

    def _choose(self, now: float) -> None:
        if self._confirm is not None:
            return
        if self._tries >= self._habits.match_tries:
            self._fail("no CM_SLAC_MATCH.CNF", now)
            return
        self._tries += 1
        self.state = EvState.CHOOSING
        self._send(self.chosen, m.SlacMatchReq(self.mac, self.chosen, self.run_id))
        self._later(now + ANSWER_S, self._choose)

    def _matched(self, message: m.SlacMatchCnf, source: bytes, now: float) -> None:
        if self.state is not EvState.CHOOSING or message.run_id != self.run_id or source != self.chosen:
            return
        self._confirm = message
        self.state = EvState.JOINING
        self._events.append(EvMatched(now, source, self.outlets[source].average_db or 0.0))
        self._send(m.LOCAL_MODEM, m.SetKeyReq(message.nid, message.nmk))
        self._later(now + LINK_POLL_S, self._poll)
        self._later(now + JOIN_S, self._give_up_joining)

    def _poll(self, now: float) -> None:
        if self.state is EvState.JOINING:
            self._send(m.LOCAL_MODEM, m.LinkStatusReq())
            self._later(now + LINK_POLL_S, self._poll)

    def _link(self, message: m.LinkStatusCnf, source: bytes, now: float) -> None:
        if message.link != 1 or self.state is not EvState.JOINING:
            return
        self.state = EvState.LINKED
        self._events.append(EvLinked(now))
        if self._habits.amp_map:
            self._send(self.chosen, m.AmpMapReq(4, b"\x21\x43"))

    def _amp_map(self, message: m.AmpMapCnf, source: bytes, now: float) -> None:
        self.amp_map_answered = message.result == 0

    def _give_up_joining(self, now: float) -> None:
        if self.state is EvState.JOINING:
            self._fail("no link", now)

    # --- inside -------------------------------------------------------------------------------------------

    def _fail(self, reason: str, now: float) -> None:
        final = self._runs >= self._habits.runs
        self._events.append(EvFailed(now, reason, final))
        self._plan.clear()
        self.state = EvState.FAILED if final else EvState.RESTING
        if not final:
            self._later(now + 0.001 * self._habits.run_pause_ms, self._begin)

    def _later(self, at: float, action: Callable[[float], Any]) -> None:
        heapq.heappush(self._plan, (at, next(self._serial), action))

    def _send(self, destination: bytes, message: m.Message) -> None:
        self._out.append(codec.encode(destination, self.mac, message))


_HANDLERS: dict[type[Any], Callable[[EvSlacMachine, Any, bytes, float], None]] = {
    m.SlacParmCnf: EvSlacMachine._parameters,
    m.AttenCharInd: EvSlacMachine._characteristics,
    m.ValidateCnf: EvSlacMachine._validated,
    m.SlacMatchCnf: EvSlacMachine._matched,
    m.LinkStatusCnf: EvSlacMachine._link,
    m.AmpMapCnf: EvSlacMachine._amp_map,
}
