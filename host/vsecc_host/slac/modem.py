"""The own powerline modem: who it is, its network key, its link. No I/O; messages in and out.

A key counts when CM_SET_KEY.CNF came and VS_NW_INFO shows its id; the same key is tried again until then, so
that a key once in the modem is never one we forgot. A modem that tells no network is believed by the CNF.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from vsecc_host.slac import messages as m
from vsecc_host.slac import times
from vsecc_host.slac.events import ModemState
from vsecc_host.slac.keys import NetworkKey, Randomness, new_key

KEY_SET = (0, 1)  # the HomePlug text says 0, Qualcomm modems say 1
_UNKNOWN_HOSTS = (m.BROADCAST, bytes(6))


class Watch(Enum):
    """What the modem is asked regularly."""

    IDLE = "is it alive, has it our key"
    QUIET = "nothing: a car is matching"
    LINK = "is the car linked"


class Note(Enum):
    """What the port must know."""

    CHANGED = "state changed"
    LINK_UP = "link up"
    LINK_DOWN = "link down"


class Phase(StrEnum):
    """Where the key is."""

    OFF = "off"
    ASKED = "asked"  # CM_SET_KEY.REQ is out
    PAUSED = "paused"  # refused or unanswered, again soon
    SETTLING = "settling"  # confirmed, not yet seen in VS_NW_INFO
    IN_FORCE = "in_force"
    RESTING = "resting"  # dead, tried again now and then


class Modem:
    """One modem; `take` gives notes and the messages to send to LOCAL_MODEM."""

    def __init__(self, randomness: Randomness, *, reset_when_dead: bool = True) -> None:
        self.state = ModemState.STARTING
        self.phase = Phase.OFF
        self.version = ""
        self.detail = ""
        self.mac: bytes | None = None
        self.link = False
        self.hosts: tuple[bytes, ...] = ()  # MACs behind the other modems of our network
        self.key = self._asked = NetworkKey(b"", b"")  # handed out only while READY
        self._randomness = randomness
        self._reset_when_dead = reset_when_dead
        self._watch = Watch.IDLE
        self._deadline: float | None = None  # of the phase
        self._poll_at: float | None = None
        self._told: m.Network | None = None  # since the last poll
        self._told_link: bool | None = None
        self._answered = False  # since the last poll
        self._sighted = False  # it answered such a question at least once
        self._tells_network = False  # it did so at least once
        self._foreign = False  # another network than ours was told in this phase
        self._polls = 0  # since the phase or the watch began
        self._negative = 0
        self._refusals = 0
        self._silences = 0
        self._notes: list[Note] = []
        self._out: list[m.Message] = []

    @property
    def ready(self) -> bool:
        """Its key is in force and may be given to a car."""
        return self.state is ModemState.READY

    # --- verbs --------------------------------------------------------------------------------------------

    def renew(self, now: float) -> None:
        """Leave the network: set a new key, after the answer to a request that is still out."""
        self.key = new_key(self._randomness)
        if self.phase in (Phase.OFF, Phase.SETTLING, Phase.IN_FORCE):
            self._key_again(now)

    def dropped(self, detail: str) -> None:
        """Its interface is gone; `renew` begins anew."""
        self._enter(Phase.OFF, None)
        self.link = False
        self._forget()
        self._out = []
        self._change(ModemState.DEAD, detail)

    def watch(self, what: Watch, now: float) -> None:
        """Change what is asked regularly."""
        if what is self._watch:
            return
        self._watch = what
        self._polls = self._negative = 0
        self.link = False
        if self.phase is Phase.IN_FORCE:
            self._poll_from(now)

    def receive(self, message: m.Message, source: bytes, now: float) -> None:
        """A message of a modem; another than ours, once known, is not listened to."""
        if self.mac is not None and source != self.mac:
            return
        if isinstance(message, m.SetKeyCnf):
            self._confirmed(message, source, now)
        elif isinstance(message, m.SwVerCnf):
            self.mac, self.version = source, message.version
        elif isinstance(message, m.NwInfoCnf):
            self._network(message.network, source, now)
        elif isinstance(message, m.LinkStatusCnf):
            self._answered = self._sighted = True
            self._told_link = message.link == 1

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        return min((at for at in (self._deadline, self._poll_at) if at is not None), default=None)

    def tick(self, now: float) -> None:
        """A deadline passed."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._phase_over(now)
        if self._poll_at is not None and now >= self._poll_at:
            self._judge(now)
            if self._poll_at is not None:
                self._poll(now)

    def take(self) -> tuple[list[Note], list[m.Message]]:
        """Notes and messages since the last call."""
        notes, out = self._notes, self._out
        self._notes, self._out = [], []
        return notes, out

    # --- the key ------------------------------------------------------------------------------------------

    def _key_again(self, now: float) -> None:
        self._refusals = self._silences = 0
        self.link = False
        if self.state is not ModemState.DEAD:
            self._change(ModemState.STARTING)
        self._ask(now)

    def _ask(self, now: float) -> None:
        """One request at a time: the next only after an answer or times.SET_KEY_ANSWER_S."""
        if not self.version:
            self._out.append(m.SwVerReq())
        self._out.append(m.SetKeyReq(self.key.nid, self.key.nmk))
        self._asked = self.key
        self._enter(Phase.ASKED, now + times.SET_KEY_ANSWER_S)

    def _confirmed(self, message: m.SetKeyCnf, source: bytes, now: float) -> None:
        if self.phase in (Phase.OFF, Phase.SETTLING, Phase.IN_FORCE):
            return
        self.mac = source
        self._silences = 0
        if self._asked is not self.key:  # renewed meanwhile
            self._ask(now)
        elif message.result in KEY_SET:
            self._enter(Phase.SETTLING, now + times.KEY_IN_FORCE_S)
            self._poll_from(now)
        else:
            self._refused(now, f"CM_SET_KEY refused with {message.result:#04x}")

    def _refused(self, now: float, detail: str) -> None:
        self._refusals += 1
        if self._refusals >= times.SET_KEY_REFUSALS:
            self._dead(now, detail)
            return
        self._enter(Phase.PAUSED, now + times.SET_KEY_PAUSE_S)
        self._out.append(m.NwInfoReq())  # believed rather than the refusal

    def _phase_over(self, now: float) -> None:
        if self.phase is Phase.ASKED:
            self._silences += 1
            if self._silences >= times.SET_KEY_SILENCES:
                self._dead(now, "no answer to CM_SET_KEY")
            else:
                self._enter(Phase.PAUSED, now + times.SET_KEY_PAUSE_S)
        elif self.phase is Phase.SETTLING:
            self._not_seen(now)
        else:
            self._ask(now)

    def _not_seen(self, now: float) -> None:
        """Confirmed long ago, but VS_NW_INFO did not show it; told nothing at all, the CNF must do."""
        if self._foreign:
            self._refused(now, "the modem keeps another network id")
        else:
            self._tells_network = False
            self._in_force(now, "does not tell its network")

    def _dead(self, now: float, detail: str) -> None:
        pause_s = times.DEAD_PAUSE_S
        if self._reset_when_dead and self.state is not ModemState.DEAD:
            self._out.append(m.ResetReq())
            pause_s = times.RESET_SILENCE_S
        self._refusals = self._silences = 0
        self._forget()
        self._change(ModemState.DEAD, detail)
        self._enter(Phase.RESTING, now + pause_s)

    def _forget(self) -> None:
        """It may be another one when it comes back."""
        self.mac, self.version = None, ""
        self._sighted = self._tells_network = False

    def _in_force(self, now: float, detail: str = "") -> None:
        self._enter(Phase.IN_FORCE, None)
        self._change(ModemState.READY, detail)
        self._poll_from(now + (times.IDLE_POLL_S if self._watch is Watch.IDLE else 0.0))

    def _enter(self, phase: Phase, deadline: float | None) -> None:
        self.phase = phase
        self._deadline = deadline
        self._poll_at = None
        self._foreign = False
        self._polls = self._negative = 0

    def _change(self, state: ModemState, detail: str = "") -> None:
        if state is not self.state or detail != self.detail:
            self.state, self.detail = state, detail
            self._notes.append(Note.CHANGED)

    # --- questions ----------------------------------------------------------------------------------------

    def _poll_from(self, at: float) -> None:
        quiet = self.phase is Phase.IN_FORCE and self._watch is Watch.QUIET
        self._poll_at = None if quiet else at
        self._answered = False
        self._told = self._told_link = None

    def _poll(self, now: float) -> None:
        idle = self.phase is Phase.IN_FORCE and self._watch is Watch.IDLE
        self._poll_from(now + (times.IDLE_POLL_S if idle else times.LINK_POLL_S))
        self._polls += 1
        self._out.append(m.NwInfoReq())
        if self._watch is Watch.LINK:
            self._out.append(m.LinkStatusReq())

    def _network(self, network: m.Network | None, source: bytes, now: float) -> None:
        self._answered = self._sighted = True
        self._told = network
        if network is None:
            return
        self.mac = self.mac or source
        self._tells_network = True
        if network.nid != self.key.nid:
            self._foreign = True
        else:
            self.hosts = tuple(s.bridged_mac for s in network.stations if s.bridged_mac not in _UNKNOWN_HOSTS)
            if self.phase in (Phase.SETTLING, Phase.PAUSED):
                self._in_force(now, "" if network.role == m.Role.COORDINATOR else "not the coordinator")

    def _judge(self, now: float) -> None:
        """What the answers since the last poll mean; called before the next."""
        if self._polls == 0:
            return
        if self.phase is Phase.SETTLING:
            if not self._tells_network and self._polls >= times.UNCONFIRMED_POLLS:
                self._not_seen(now)
        elif self._watch is Watch.IDLE:
            self._judge_key(now)
        elif self._watch is Watch.LINK:
            self._judge_link()

    def _judge_key(self, now: float) -> None:
        lost = self._sighted and not self._answered
        foreign = self._told is not None and self._told.nid != self.key.nid
        self._negative = self._negative + 1 if lost or foreign else 0
        if self._negative >= times.LINK_POLLS_DOWN:
            self._key_again(now)

    def _judge_link(self) -> None:
        linked = self._linked()
        self._negative = 0 if linked else self._negative + 1
        if linked and not self.link:
            self.link = True
            self._notes.append(Note.LINK_UP)
        elif self.link and self._negative >= times.LINK_POLLS_DOWN:
            self.link = False
            self._notes.append(Note.LINK_DOWN)

    def _linked(self) -> bool:
        """VS_NW_INFO of our network decides; a modem that answers nothing at all is taken for linked."""
        if self._told is not None and self._told.nid == self.key.nid:
            return bool(self._told.stations)
        if self._told_link is not None:
            return self._told_link
        return not self._sighted and self._polls >= times.BLIND_POLLS
