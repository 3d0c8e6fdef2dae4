"""Hosts of the campaign: one that behaves, and what bad ones and a bad line put on the wire."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from vsecc_link import cbor, cyclic, frame, messages
from vsecc_link.link import FOREIGN, HOST, LOST, MESSAGE, UP, Link, host_hello

GRANT_EVERY_MS = 100
GRANT_MS = 500
MS_MASK = 0x3FFFFFFF
BYTES_PER_MS = 92  # what the line carries


class CampaignHost:
    """The link machine the real host uses, with a standing grant; tells what it heard and what it asked."""

    def __init__(self, nonce: int, *, hello: tuple[Any, ...] | None = None) -> None:
        """Not yet linked; `hello` of another version makes it a foreign host."""
        self.link = Link(HOST, nonce, hello or host_hello("campaign"))
        self.granted: set[int] = set()
        self.valid_ms = GRANT_MS
        self.talks = True
        self.alive = True
        self.sessions = 0
        self.hello: tuple[Any, ...] | None = None
        self.foreign: list[str] = []
        self.heard: list[tuple[int, tuple[Any, ...]]] = []  # (time in us, message)
        self.wire: list[bytes] = []
        self.grants: list[tuple[int, frozenset[int], int]] = []  # (time in us, relays, valid_ms) as sent
        self._grant_at_ms: int | None = None
        self._stamp = 0

    def step(self, data: bytes, now_us: int, now_ms: int) -> bytes:
        """One millisecond: bytes that arrived; bytes to send."""
        if not self.alive:
            return b""
        if data:
            self.link.receive(data, now_ms)
        if self.talks and self.link.up and self._is_due(now_ms):
            self.grant(now_us, now_ms)
        at = self.link.next_deadline()
        if at is not None and (now_ms - at) & MS_MASK < 1 << 29:
            self.link.tick(now_ms)
        events, out = self.link.take()
        for kind, value in events:
            self._note(kind, value, now_us)
        if not self.talks:
            return b""
        if out:
            self.wire.append(out)
        return bytes(out)

    def grant(self, now_us: int, now_ms: int) -> None:
        """Says what may be closed, now."""
        self._grant_at_ms = (now_ms + GRANT_EVERY_MS) & MS_MASK
        self._stamp = (self._stamp + 1) & 0xFFFF
        bits = sum(1 << relay - 1 for relay in self.granted)
        if self.link.send((messages.GRANT, self._stamp, bits, self.valid_ms), now_ms):
            self.grants.append((now_us, frozenset(self.granted), self.valid_ms))

    def send(self, message: tuple[Any, ...], now_ms: int) -> None:
        """A message the catalogue allows; RuntimeError when the link does not take it."""
        if not self.link.send(message, now_ms):
            raise RuntimeError(f"no session for {messages.name_of(message[0])}")

    def forge(self, message: list[Any], options: dict[str, Any]) -> bytes:
        """Bytes of a frame whose content nobody checked before it was sent."""
        message_id = messages_id(message[0])
        travel = messages.CATALOGUE[message_id][2] if message_id in messages.CATALOGUE else messages.RELIABLE
        content = (message_id, *message[1:])
        payload = (
            cyclic.Layout(message_id).payload(content) if options.get("layout") else cbor.encode(content)
        )
        own, peer = self.link.session
        session = peer + int(options.get("session", 0)) & 0xFFFF
        if options.get("handshake"):
            return bytes(frame.build(frame.HANDSHAKE, 0, own, 0, payload))
        if travel == messages.RELIABLE and not {"session", "number", "crc"} & set(options):
            self.link._sender.push(payload)  # takes its place in the session's own numbering
            return b""
        kind = frame.RELIABLE if travel == messages.RELIABLE else frame.CYCLIC
        self.link._cyclic_number += kind == frame.CYCLIC
        number = int(options.get("number", self.link._cyclic_number if kind == frame.CYCLIC else 1))
        data = bytearray(frame.build(kind, session, number, 0, payload))
        if options.get("crc") is False:
            data[-1] ^= 0x10
        return bytes(data)

    def _is_due(self, now_ms: int) -> bool:
        return self._grant_at_ms is None or (now_ms - self._grant_at_ms) & MS_MASK < 1 << 29

    def _note(self, kind: int, value: Any, now_us: int) -> None:
        if kind == UP:
            self.sessions += 1
            self.hello = value
        elif kind == LOST:
            self.granted = set()
        elif kind == FOREIGN:
            self.foreign.append(value)
        elif kind == MESSAGE:
            self.heard.append((now_us, value))


def messages_id(name: str | int) -> int:
    """Message id of a catalogue name; a number stands for itself."""
    if isinstance(name, int):
        return name
    return next(number for number, row in messages.CATALOGUE.items() if row[0] == name)


def message_of(row: list[Any]) -> tuple[Any, ...]:
    """["SET_PILOT", 1, "PWM", 50] as a message; pilot modes may be named."""
    fields = [
        messages.PILOT_NAMES.index(one) if one in messages.PILOT_NAMES and isinstance(one, str) else one
        for one in row[1:]
    ]
    return (messages_id(row[0]), *fields)


def garbage(kind: str, per_ms: int, seed: int, recorded: list[bytes]) -> Iterator[bytes]:
    """Endless bytes, a chunk each millisecond. `recorded` is what a good host sent in this session."""
    source = random.Random(seed)
    while True:
        if kind == "random":
            yield source.randbytes(per_ms)
        elif kind == "sync":  # everything looks like the start of a frame
            heads = b"".join(
                frame.SYNC + bytes((source.randrange(256), frame.FORMAT | source.randrange(8)))
                for _ in range(per_ms // 4)
            )
            yield heads
        else:
            yield _mangled(kind, source, recorded)[:BYTES_PER_MS]


def _mangled(kind: str, source: random.Random, recorded: list[bytes]) -> bytes:
    """One good frame spoiled: half of it, a bit flipped, a byte lost or doubled."""
    data = bytearray(source.choice(recorded)) if recorded else bytearray(b"\xa5\x5a\x00")
    at = source.randrange(len(data))
    if kind == "half":
        return bytes(data[:at])
    if kind == "flipped":
        data[at] ^= 1 << source.randrange(8)
    elif kind == "dropped":
        del data[at]
    elif kind == "doubled":
        data.insert(at, data[at])
    else:
        raise ValueError(f"garbage {kind!r}: random, sync, half, flipped, dropped or doubled")
    return bytes(data)
