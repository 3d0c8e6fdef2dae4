"""Plays one side of a recording with a link of its own: numbers, acks, sessions, stamps and ticks are new.

Machines for `runtime.pump`. What came back is in `answers`; times are those of the recording (scaled back).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vsecc_host.mcu_link.link_time import seconds_of, ticks_of
from vsecc_link import messages as catalogue
from vsecc_link.envelope import HOST as HOST_ROLE
from vsecc_link.envelope import MCU as MCU_ROLE
from vsecc_link.link import FOREIGN, LOST, MESSAGE, REFUSED, UP, Link, host_hello
from vsecc_uart.script import Script, Step
from vsecc_uart.values import HOST, Message

# After the last message: time for the last answers.
TAIL_S = 0.3
# Older than this, the age of a recorded tick is not believed.
_AGE_MAX_US = 5_000_000
_TICKS_MASK = 0x3FFFFFFF


class Player:
    """`nonce` 16 random bits; `allow_energy`: grants may name relays, as recorded."""

    def __init__(
        self,
        script: Script,
        nonce: int,
        *,
        speed: float = 1.0,
        allow_energy: bool = False,
        baud: int = 921_600,
    ) -> None:
        self.script = script
        self.answers: list[Step] = []
        self.trouble: list[str] = []
        self.emptied = 0
        self.sessions = 0
        self.hello: Message | None = None
        role = HOST_ROLE if script.sender == HOST else MCU_ROLE
        hello = host_hello("replay") if role == HOST_ROLE else self._hello_of(script)
        self.link = Link(role, nonce, hello, baud)
        self._speed = speed
        self._allow_energy = allow_energy
        self._next = 0
        self._started: float | None = None
        self._now = 0.0
        self._stamp = 0
        self._granted = (0, 0)  # stamp of the newest GRANT taken, tick at which it was
        self._reference: tuple[float, int] | None = None  # a recorded time and the MCU's tick then

    @property
    def finished(self) -> bool:
        """Everything is played and the last answers had their time."""
        if self._started is None or self._next < len(self.script.played):
            return False
        return self._played_s() >= self.script.span_s + TAIL_S * self._speed

    def connected(self, now: float) -> None:
        """The line is open."""
        self.link.drop("line opened", self._at(now))
        self.link.tick(self._at(now))

    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the peer."""
        self.link.receive(data, self._at(now))

    def next_deadline(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        waits = []
        at = self.link.next_deadline()
        if at is not None:
            waits.append(seconds_of(at, self._now))
        if self._started is not None and self.link.up:
            if self._next < len(self.script.played):
                waits.append(self._started + self.script.played[self._next].at_s / self._speed)
            elif not self.finished:
                waits.append(self._now + 0.05)
        return min(waits, default=None)

    def tick(self, now: float) -> None:
        """Time has passed: play what is due."""
        self.link.tick(self._at(now))
        played = self.script.played
        while self._started is not None and self._next < len(played):
            step = played[self._next]
            if step.at_s / self._speed > now - self._started or not self._play(step):
                break
            self._next += 1

    def take(self) -> tuple[Sequence[Any], bytes]:
        """(events for nobody, bytes to write)."""
        events, data = self.link.take()
        for kind, value in events:
            self._on_event(kind, value)
        return (), data

    # ---- inside ----

    def _at(self, now: float) -> int:
        self._now = now
        return ticks_of(now)

    def _played_s(self) -> float:
        """Time of the recording we are at."""
        return (self._now - self._started) * self._speed if self._started is not None else 0.0

    def _on_event(self, kind: int, value: Any) -> None:
        if kind == UP:
            self.sessions += 1
            self.hello = self.hello or value
            self._started = self._now if self._started is None else self._started
        elif kind == MESSAGE:
            if value[0] == catalogue.GRANT:
                self._granted = (value[1], self._tick())
            self.answers.append(Step(self._played_s(), value))
        elif kind == LOST:
            self.trouble.append(f"{self._played_s():.3f} s: session lost: {value}")
        elif kind in (FOREIGN, REFUSED):
            self.trouble.append(f"{self._played_s():.3f} s: {value}")

    def _play(self, step: Step) -> bool:
        """False when it has to wait: no session at the moment, or a full queue."""
        if self.script.sender == HOST:
            message = self._as_host(step.message)
        else:
            message = self._as_mcu(step)
        return bool(self.link.send(message, self._at(self._now)))

    def _as_host(self, message: Message) -> Message:
        if message[0] != catalogue.GRANT:
            return message
        self._stamp = (self._stamp + 1) & 0xFFFF
        relays = message[2] if self._allow_energy else 0
        self.emptied += relays != message[2]
        return (catalogue.GRANT, self._stamp, relays, message[3])

    def _as_mcu(self, step: Step) -> Message:
        names = [row[0] for row in catalogue.CATALOGUE[step.message[0]][3]]
        values = list(step.message[1:])
        if step.message[0] == catalogue.STATUS:
            self._reference = (step.at_s, values[0])
        if "ticks_us" in names:
            place = names.index("ticks_us")
            values[place] = (self._tick() - self._age_us(step.at_s, values[place])) & _TICKS_MASK
        if step.message[0] == catalogue.STATUS:
            values[names.index("grant_stamp")], values[names.index("grant_ticks_us")] = self._granted
        return (step.message[0], *values)

    def _age_us(self, at_s: float, ticks_us: int) -> int:
        """How old a recorded tick was when its message was sent, as far as can be told."""
        if self._reference is None:
            return 0
        then_s, then_us = self._reference
        age = (then_us + round((at_s - then_s) * 1e6) - ticks_us) & _TICKS_MASK
        return round(age / self._speed) if age < _AGE_MAX_US else 0

    def _tick(self) -> int:
        return round(self._now * 1e6) & _TICKS_MASK

    @staticmethod
    def _hello_of(script: Script) -> Message:
        if script.hello is None:
            return (catalogue.HELLO, *catalogue.PROTOCOL_VERSION, catalogue.catalogue_crc(),
                    1_000_000, b"", "", "replay", "", 0, 1, 0)  # fmt: skip
        return script.hello
