"""The powerline between simulated modems, no I/O: who hears whom, who is linked, what gets through when.

Management frames are broadcast unencrypted to everybody in earshot. Everything else passes only between
modems that hold the same key, and only once they have joined.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_sim.plc.modem import Manners, SimModem

AIR_S = 0.001  # one way over the powerline
DEFAULT_JOIN_S = 0.4
_ETHERTYPE = slice(12, 14)
_MANAGEMENT = codec.ETHERTYPE.to_bytes(2, "big")
_BOOTED = -1.0

Delivery = tuple[str, bytes]  # name of the modem whose host gets the frame
Wire = Callable[[str, str, bytes], Iterable[tuple[float, bytes]]]  # from, to, frame -> extra delay, frame


def clean(sender: str, receiver: str, raw: bytes) -> Iterable[tuple[float, bytes]]:
    """A wire without faults."""
    return ((0.0, raw),)


class Medium:
    """Modems by name; `wire` may lose, double, delay or change what passes between two of them.

    What a modem itself says to its host passes it with the same name twice.
    """

    def __init__(self, wire: Wire = clean, join_s: float = DEFAULT_JOIN_S) -> None:
        self.wire = wire
        self.join_s = join_s
        self.modems: dict[str, SimModem] = {}
        self._loss_db: dict[frozenset[str], int] = {}
        self._up_at: dict[frozenset[str], float] = {}
        self._due: list[tuple[float, int, str, bytes]] = []
        self._serial = count()

    def add(self, name: str, mac: bytes, *, evse: bool, manners: Manners | None = None) -> SimModem:
        """A modem; silent towards everybody until `connect`."""
        modem = self.modems[name] = SimModem(mac=mac, evse=evse, manners=manners or Manners())
        return modem

    def connect(self, one: str, other: str, loss_db: int) -> None:
        """Both hear each other with this attenuation."""
        self._loss_db[frozenset((one, other))] = loss_db

    def reconnect(self, one: str, other: str, loss_db: int, now: float) -> None:
        """They hear each other (again), and join if they have the same key."""
        self.connect(one, other, loss_db)
        self._relink(now)

    def part(self, one: str, other: str, now: float) -> None:
        """They do not hear each other any more."""
        self._loss_db.pop(frozenset((one, other)), None)
        self._relink(now)

    def linked(self, one: str, other: str, now: float) -> bool:
        """They share a network at this moment."""
        up = now >= self._up_at.get(frozenset((one, other)), float("inf"))
        return up and not (self.modems[one].silent(now) or self.modems[other].silent(now))

    # --- verbs --------------------------------------------------------------------------------------------

    def receive(self, name: str, raw: bytes, now: float) -> None:
        """A frame from the host of a modem."""
        modem = self.modems[name]
        if len(raw) < codec.MIN_FRAME_SIZE // 4 or modem.silent(now):
            return
        modem.learn(raw[6:12])
        self._refresh(now)
        if raw[_ETHERTYPE] != _MANAGEMENT:
            self._pass_data(name, raw, now)
            return
        try:
            frame = codec.decode(raw)
        except codec.CodecError:
            frame = None
        if frame is not None and (self._local(modem, raw) or isinstance(frame.message, m.SetKeyReq)):
            self._answer(name, modem, frame, now)
        elif not self._local(modem, raw):
            self._broadcast(name, raw, frame, now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        return self._due[0][0] if self._due else None

    def tick(self, now: float) -> None:
        """Nothing to do: `take` gives what is due."""

    def take(self, now: float) -> list[Delivery]:
        """Frames due for hosts."""
        ready: list[Delivery] = []
        while self._due and self._due[0][0] <= now:
            at, _serial, name, raw = heapq.heappop(self._due)
            if not self.modems[name].silent(at):
                ready.append((name, raw))
        return ready

    # --- inside -------------------------------------------------------------------------------------------

    @staticmethod
    def _local(modem: SimModem, raw: bytes) -> bool:
        return raw[:6] in (m.LOCAL_MODEM, modem.mac)

    def _answer(self, name: str, modem: SimModem, frame: codec.Frame, now: float) -> None:
        answer = modem.answer(frame, now)
        if isinstance(frame.message, m.SetKeyReq | m.ResetReq):
            self._relink(now)
        if answer is not None:
            for delay_s, changed in self.wire(name, name, answer):
                self._queue(name, changed, now + modem.manners.answer_s + delay_s)

    def _broadcast(self, sender: str, raw: bytes, frame: codec.Frame | None, now: float) -> None:
        for name, loss_db in self._earshot(sender):
            modem = self.modems[name]
            if modem.silent(now) or (raw[:6] != m.BROADCAST and raw[:6] not in modem.hosts):
                continue
            message = frame.message if frame is not None else None
            if isinstance(message, m.StartAttenCharInd):
                modem.sounds[raw[6:12]] = 0
            if isinstance(message, m.MnbcSoundInd):
                self._sound(sender, name, raw, loss_db, now)
            else:
                self._carry(sender, name, raw, now)

    def _sound(self, sender: str, name: str, raw: bytes, loss_db: int, now: float) -> None:
        modem = self.modems[name]
        if not modem.hears_sound(raw[6:12]):
            return
        manners = modem.manners
        for profile in modem.profiles(raw[6:12], loss_db) if modem.evse else ():
            at = now if manners.profile_first else now + AIR_S + manners.profile_s
            for delay_s, changed in self.wire(sender, name, profile):
                self._queue(name, changed, at + delay_s)
        self._carry(sender, name, raw, now)

    def _pass_data(self, sender: str, raw: bytes, now: float) -> None:
        for name, _loss_db in self._earshot(sender):
            group = raw[0] & 1
            if self.linked(sender, name, now) and (group or raw[:6] in self.modems[name].hosts):
                self._carry(sender, name, raw, now)

    def _carry(self, sender: str, name: str, raw: bytes, now: float) -> None:
        for delay_s, changed in self.wire(sender, name, raw):
            self._queue(name, changed, now + AIR_S + delay_s)

    def _queue(self, name: str, raw: bytes, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._serial), name, raw))

    def _earshot(self, name: str) -> list[tuple[str, int]]:
        found = []
        for pair, loss_db in self._loss_db.items():
            if name in pair:
                found += [(other, loss_db) for other in pair if other != name]
        return found

    def _relink(self, now: float) -> None:
        """Keys or earshot changed: equal keys join after `join_s`, others part at once."""
        links = {}
        for pair in self._loss_db:
            one, other = (self.modems[name] for name in pair)
            if not (one.manners.joins and other.manners.joins):
                continue
            if one.key and other.key and (one.key.nid, one.key.nmk) == (other.key.nid, other.key.nmk):
                start = max(now, one.key.since, other.key.since, one.quiet_until, other.quiet_until)
                reset = one.quiet_until > now or other.quiet_until > now
                kept = None if reset else self._up_at.get(pair)
                links[pair] = start + self.join_s if kept is None else kept
        self._up_at = links
        self._refresh(now)

    def _refresh(self, now: float) -> None:
        for name, modem in self.modems.items():
            modem.neighbours = tuple(
                self.modems[other] for other, _ in self._earshot(name) if self.linked(name, other, now)
            )
