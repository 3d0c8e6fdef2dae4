"""From a car's wish to the power electronics, both as bytes on the wire: CurrentDemandReq to targetValues."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from vsecc_bench.wire import Messages
from vsecc_bench.wire_tcp import Segment, Stream
from vsecc_host.v2g.exi import DecodeError, Protocol, decode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.v2g.physical import amount

_END_OF_UPGRADE = b"\r\n\r\n"
_TEXT = 0x81  # final text frame
_MASKED = 0x80


class Wish(NamedTuple):
    """Voltage and current, and when the last byte of the message that asks for them was on the wire."""

    at: float
    voltage_v: float
    current_a: float


class ClientFrames:
    """Text frames of a WebSocket client (RFC 6455 section 5.2), behind its upgrade request."""

    def __init__(self) -> None:
        self.stream = Stream()
        self._waiting = bytearray()
        self._upgraded = False

    def hear(self, segment: Segment) -> Iterator[tuple[float, bytes]]:
        """Payloads that are whole now, unmasked, each with the time of its last byte."""
        for at, data in self.stream.hear(segment):
            self._waiting += data
            if not self._upgraded:
                _, upgraded, rest = self._waiting.partition(_END_OF_UPGRADE)
                if not upgraded:
                    continue
                self._upgraded, self._waiting = True, bytearray(rest)
            while (found := self._frame()) is not None:
                opcode, payload = found
                if opcode == _TEXT:
                    yield at, payload

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._waiting
        if len(data) < 2:
            return None
        size, begin = data[1] & ~_MASKED, 2
        if size >= 126:
            begin += 2 if size == 126 else 8
            size = int.from_bytes(data[2:begin], "big")
        if len(data) < begin + 4 + size or not data[1] & _MASKED:
            return None
        mask, body = data[begin : begin + 4], data[begin + 4 : begin + 4 + size]
        self._waiting = data[begin + 4 + size :]
        return data[0], bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))


def wishes(segments: Iterable[Segment], pecc_port: int, v2g_ports: set[int]) -> tuple[list[Wish], list[Wish]]:
    """What cars asked for in the charge loop (DIN, not encrypted), and the targets that were sent on."""
    asked: list[Wish] = []
    sent: list[Wish] = []
    cars: dict[tuple[int, int], Messages] = {}
    clients: dict[tuple[int, int], ClientFrames] = {}
    for segment in segments:
        ends = segment.source, segment.destination
        if segment.destination in v2g_ports:
            heard: Messages | ClientFrames = cars.setdefault(ends, Messages())
        elif segment.destination == pecc_port:
            heard = clients.setdefault(ends, ClientFrames())
        else:
            continue
        if segment.opens:
            heard.stream.begin(segment.sequence)
            continue
        for at, data in heard.hear(segment):
            wish = _asked(at, data) if isinstance(heard, Messages) else _sent(at, data)
            if wish is not None:
                (asked if isinstance(heard, Messages) else sent).append(wish)
    return asked, sent


def _asked(at: float, exi: bytes) -> Wish | None:
    with contextlib.suppress(DecodeError):  # the handshake has another codec
        body: Any = getattr(decode(Protocol.DIN, exi), "body", None)
        if isinstance(body, din.CurrentDemandReq):
            voltage, current = body.ev_target_voltage, body.ev_target_current
            return Wish(
                at, amount(voltage.multiplier, voltage.value), amount(current.multiplier, current.value)
            )
    return None


def _sent(at: float, text: bytes) -> Wish | None:
    message = json.loads(text)
    if message["kind"] != "targetValues" or message["payload"]["chargingState"] != "charge":
        return None
    payload = message["payload"]
    return Wish(at, payload["targetVoltage"], payload["targetCurrent"])


def delays_ms(asked: Iterable[Wish], sent: Iterable[Wish]) -> list[float]:
    """For each wish that was sent on, the time from the car's wire to the power electronics' wire.

    Wishes are told apart by their values, so no two within a second may be the same; one that a newer one
    overtook is in none of the figures, a repeated target counts once.
    """
    timeline = [(wish, True) for wish in asked] + [(wish, False) for wish in sent]
    newest: dict[tuple[float, float], float] = {}
    delays = []
    for wish, is_asked in sorted(timeline, key=lambda one: one[0].at):
        values = wish.voltage_v, wish.current_a
        if is_asked:
            newest[values] = wish.at
        elif values in newest:
            delays.append((wish.at - newest.pop(values)) * 1000)
    return delays
