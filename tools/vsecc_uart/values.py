"""What the tool sees of the line: chunks of bytes going in, records coming out of the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from vsecc_link import messages as catalogue

# Who sent; the words of the catalogue.
HOST = "host"
MCU = "mcu"
SENDERS = (HOST, MCU)

Message = tuple[Any, ...]


def other(sender: str) -> str:
    """The end that receives what this one sends."""
    return MCU if sender == HOST else HOST


class Chunk(NamedTuple):
    """Bytes of one end as they were seen; `at_s` since the epoch."""

    at_s: float
    sender: str
    data: bytes
    lost: int = 0  # chunks the observer had to leave out before this one


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """A frame whose CRC was right; `at_s` is when its last byte came."""

    at_s: float
    sender: str
    raw: bytes
    kind: str  # handshake, reliable, cyclic, ack
    session: int
    number: int
    ack: int
    message: Message | None = None
    problem: str = ""  # why the payload is no message of this sender
    marks: tuple[str, ...] = ()  # any of MARKS
    wants: tuple[int, ...] = ()  # of an ack: reliable numbers that are missing at its sender

    @property
    def name(self) -> str:
        """Catalogue name of the message, else the kind of frame in capitals."""
        return self.kind.upper() if self.message is None else str(catalogue.name_of(self.message[0]))

    def fields(self) -> dict[str, Any]:
        """Fields of the message by catalogue name."""
        if self.message is None:
            return {}
        rows = catalogue.CATALOGUE[self.message[0]][3]
        return {row[0]: value for row, value in zip(rows, self.message[1:], strict=True)}


# What may be said of a frame beside its contents.
MARKS = {
    "repeat": "this reliable number was sent before",
    "duplicate": "a repeat of what its receiver had acknowledged already",
    "early": "an earlier reliable number has not come yet",
    "replay": "a cyclic number that is not above the last one",
    "stray": "a frame of another session",
    "refused": "the receiver has to refuse the payload",
}

# Why bytes are no frame.
REASONS = {
    "crc": "a whole frame whose CRC is wrong",
    "short": "a frame that ends too early",
    "length": "a frame that claims more than 241 bytes of payload",
    "format": "a frame of another format",
    "noise": "bytes in which no frame begins",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord:
    """Bytes that are no good frame."""

    at_s: float
    sender: str
    raw: bytes
    reason: str  # one of REASONS
    text: str
    looks_like: str = ""  # what the damaged header says, to be believed as far as one likes


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRecord:
    """Something is missing before this moment: frames by their numbers, or chunks the observer left out."""

    at_s: float
    sender: str
    count: int
    text: str
    observer: bool = False  # True: chunks, not frames


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRecord:
    """What happened to the session or to the observer's connection."""

    at_s: float
    text: str
    sender: str = ""


Record = FrameRecord | BadRecord | GapRecord | NoteRecord
