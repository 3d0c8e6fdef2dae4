"""Whose time a V2G session takes, from the bytes on the wire: the car's thinking or the charger's answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from vsecc_bench.wire_tcp import Segment, Stream
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import DecodeError, Protocol, decode

_CODECS = {"din": Protocol.DIN, "iso2": Protocol.ISO2}


class Exchange(NamedTuple):
    """One request and its answer: when the last byte of each was on the wire, s."""

    name: str  # of the answer
    asked_at: float
    answered_at: float
    ongoing: bool

    @property
    def answer_s(self) -> float:
        """What the charger took."""
        return self.answered_at - self.asked_at


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """A session from its first request to its last answer."""

    exchanges: tuple[Exchange, ...]

    @property
    def session_s(self) -> float:
        """All of it."""
        return self.exchanges[-1].answered_at - self.exchanges[0].asked_at

    @property
    def charger_s(self) -> float:
        """From each request to its answer."""
        return sum(exchange.answer_s for exchange in self.exchanges)

    @property
    def car_s(self) -> float:
        """The rest: the car thinks, or waits before it asks again."""
        return self.session_s - self.charger_s

    @property
    def ongoing_s(self) -> float:
        """Of the car's time what it spent because an answer said Ongoing."""
        follow = zip(self.exchanges, self.exchanges[1:], strict=False)
        return sum(after.asked_at - before.answered_at for before, after in follow if before.ongoing)

    @property
    def share_percent(self) -> float:
        """The charger's part of the session."""
        return 100.0 * self.charger_s / self.session_s

    def answers_ms(self, name: str) -> list[float]:
        """Answer times of one kind of message."""
        return [1000.0 * exchange.answer_s for exchange in self.exchanges if exchange.name == name]


class Messages:
    """V2G messages of one direction."""

    def __init__(self) -> None:
        self.stream = Stream()
        self._framer = v2gtp.Framer()

    def hear(self, segment: Segment) -> Iterator[tuple[float, bytes]]:
        """EXI of the messages that are whole now, each with the time of its last byte."""
        for at, data in self.stream.hear(segment):
            self._framer.feed(data)
            while (frame := self._framer.next()) is not None:
                yield at, frame.payload


def session_times(segments: Iterable[Segment], protocol: str) -> SessionTimes | None:
    """The first connection with messages in it; None when there was none. It must not be encrypted."""
    car_port: int | None = None
    streams = {True: Messages(), False: Messages()}  # from the car, to the car
    asked_at: float | None = None
    exchanges: list[Exchange] = []
    for segment in segments:
        if segment.opens and car_port is None:
            car_port = segment.source  # who connects is the car
        if car_port not in (segment.source, segment.destination):
            continue
        from_car = segment.source == car_port
        if segment.opens:
            streams[from_car].stream.begin(segment.sequence)
            continue
        for at, payload in streams[from_car].hear(segment):
            if from_car:
                asked_at = at
            elif asked_at is not None:
                exchanges.append(_exchange(payload, protocol, asked_at, at))
                asked_at = None
    return SessionTimes(tuple(exchanges)) if exchanges else None


def _exchange(answer: bytes, protocol: str, asked_at: float, at: float) -> Exchange:
    body = _body(answer, protocol)
    processing = getattr(body, "evse_processing", None)
    ongoing = processing is not None and processing.name != "Finished"
    return Exchange(type(body).__name__, asked_at, at, ongoing)


def _body(answer: bytes, protocol: str) -> Any:
    for codec in (_CODECS[protocol], Protocol.SAP):
        with contextlib.suppress(DecodeError):
            message = decode(codec, answer)
            return getattr(message, "body", message)
    return None
