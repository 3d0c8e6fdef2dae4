"""What of a recording is played, and what is expected to come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from vsecc_link import messages as catalogue
from vsecc_uart.decoder import LineDecoder
from vsecc_uart.recording import BadRecording
from vsecc_uart.values import Chunk, FrameRecord, Message, other

_LEFT_TO_THE_LINK = (catalogue.HELLO, catalogue.HELLO_REQUEST)


class Step(NamedTuple):
    """A message and when it came, seconds since the session began."""

    at_s: float
    message: Message


@dataclass(slots=True)
class Script:
    """One side's messages, each once and in order, and the other side's."""

    sender: str
    played: list[Step] = field(default_factory=list)
    expected: list[Step] = field(default_factory=list)
    hello: Message | None = None  # how the MCU introduced itself

    @property
    def span_s(self) -> float:
        """To the last message of either side."""
        return max((steps[-1].at_s for steps in (self.played, self.expected) if steps), default=0.0)

    def grants_of_relays(self) -> int:
        """Played grants that would let a relay close."""
        return sum(step.message[0] == catalogue.GRANT and step.message[2] != 0 for step in self.played)


def script_of(chunks: Iterable[Chunk], sender: str) -> Script:
    """The script of a recording; BadRecording when that side says nothing, or in another catalogue."""
    script = Script(sender)
    decoder = LineDecoder()
    zero_s: float | None = None
    for record in _frames(chunks, decoder):
        if record.message is None or record.problem or set(record.marks) & {"repeat", "replay", "stray"}:
            continue
        message = record.message
        if message[0] in _LEFT_TO_THE_LINK:
            _check_catalogue(message)
            if message[0] == catalogue.HELLO:
                script.hello = script.hello or message
                zero_s = record.at_s if zero_s is None else zero_s
            continue
        zero_s = record.at_s if zero_s is None else zero_s
        steps = script.played if record.sender == sender else script.expected
        steps.append(Step(record.at_s - zero_s, message))
    if not script.played:
        raise BadRecording(f"nothing from the {sender} to be played, only {len(script.expected)} messages "
                           f"from the {other(sender)}")  # fmt: skip
    return script


def _frames(chunks: Iterable[Chunk], decoder: LineDecoder) -> Iterable[FrameRecord]:
    for chunk in chunks:
        decoder.receive(chunk)
        yield from (record for record in decoder.take() if isinstance(record, FrameRecord))
    decoder.finish()
    yield from (record for record in decoder.take() if isinstance(record, FrameRecord))


def _check_catalogue(message: Message) -> None:
    if message[3] != catalogue.catalogue_crc():
        raise BadRecording(
            f"recorded with catalogue {message[3]:08x}, this program has {catalogue.catalogue_crc():08x}: "
            "its messages may mean something else"
        )
