"""asyncio shell of the injector: a session, the counters before, the deed, what the peer made of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vsecc_host import transport
from vsecc_host.runtime.pump import Pump
from vsecc_link import messages as catalogue
from vsecc_uart.decoder import LineDecoder
from vsecc_uart.endpoint import Line
from vsecc_uart.injector import Injector
from vsecc_uart.show import describe
from vsecc_uart.sources import Stream, wall_clock
from vsecc_uart.values import HOST, MCU, Chunk, FrameRecord, Message, NoteRecord

SESSION_WITHIN_S = 5.0
TELEMETRY_WITHIN_S = 2.0
_LOOK_S = 0.01

Action = Callable[[Injector, float], None]


class NoPeer(OSError):
    """Nobody holds a session with us."""


@dataclass(slots=True)
class Report:
    """What the peer said and counted after the injection."""

    answers: list[FrameRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)  # TELEMETRY's, after minus before
    acknowledged: bool | None = None  # of reliable messages; None when none was sent
    sessions_lost: int = 0
    trouble: list[str] = field(default_factory=list)

    @property
    def refusals(self) -> list[str]:
        """The peer's REFUSED, in its words."""
        return [
            f"{catalogue.name_of(record.message[1])}: {record.message[2]}"
            for record in self.answers
            if record.message is not None and record.message[0] == catalogue.REFUSED
        ]

    def as_json(self) -> dict[str, Any]:
        """In plain values."""
        return {
            "acknowledged": self.acknowledged,
            "refusals": self.refusals,
            "answers": [{"message": record.name, "fields": _plain(record)} for record in self.answers],
            "counters": self.counters,
            "sessions_lost": self.sessions_lost,
            "trouble": self.trouble,
        }

    def text(self) -> str:
        """For a person."""
        lines = []
        if self.acknowledged is not None:
            lines.append("acknowledged" if self.acknowledged else "NOT acknowledged")
        lines += [f"refused  {text}" for text in self.refusals]
        lines += [f"answer   {describe(record)}" for record in self.answers if record.name != "REFUSED"]
        lines += [f"trouble  {text}" for text in self.trouble]
        changed = ", ".join(f"{name} {value:+d}" for name, value in self.counters.items() if value)
        lines.append(f"counters of the MCU: {changed or 'unchanged'}")
        return "\n".join(lines)


def _plain(record: FrameRecord) -> dict[str, Any]:
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in record.fields().items()
    }


class Bench:
    """An open line with an injector on it; `async with`."""

    def __init__(self, line: Line, *, seed: int = 1) -> None:
        self._line = line
        self.injector = Injector(secrets.randbelow(0xFFFF) + 1, "inject", line.baud, seed=seed)
        self._decoder = LineDecoder()
        self._stack = contextlib.AsyncExitStack()
        self._report: Report | None = None

    async def __aenter__(self) -> Bench:
        """OSError when the line cannot be opened, NoPeer when nobody answers."""
        self._loop = asyncio.get_running_loop()
        self._now = wall_clock()
        self._stream, self._wire = await transport.open_stream(self._line.url, lambda: Stream(self._received))
        self._pump: Pump = Pump(self.injector, self._write, lambda _: None)
        self._stack.callback(transport.abandon, self._stream)
        self._stack.callback(self._pump.close)
        try:
            self.injector.connected(self._loop.time())
            self._pump.poke()
            await self._until(lambda: self.injector.link.up, SESSION_WITHIN_S, self._nobody)
            await self._until(lambda: self.injector.telemetry_count > 0, TELEMETRY_WITHIN_S, self._nobody)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def perform(self, action: Action, *, lasts_s: float = 0.0, wait_s: float = 1.0) -> Report:
        """Carry out, wait, count; the answers are those after the action began."""
        injector = self.injector
        before, lost = injector.telemetry, injector.lost
        injector.trouble.clear()
        self._report = report = Report()
        action(injector, self._loop.time())
        self._pump.poke()
        if lasts_s:
            await self._stay(lasts_s)
            injector.end()
            self._pump.poke()
        queue = injector.link._sender
        await self._stay(wait_s)
        count = injector.telemetry_count
        with contextlib.suppress(NoPeer):  # a peer that fell silent tells by its silence
            await self._until(lambda: injector.telemetry_count > count, TELEMETRY_WITHIN_S, self._nobody)
        self._report = None
        report.acknowledged = injector.link._sender is queue and not queue._queue
        report.sessions_lost = injector.lost - lost
        report.trouble = list(dict.fromkeys(injector.trouble))
        report.counters = _difference(before, injector.telemetry)
        return report

    async def _stay(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._wire.closed), seconds)

    async def _until(self, condition: Callable[[], bool], within_s: float, why: Callable[[], str]) -> None:
        end = self._loop.time() + within_s
        while not condition():
            if self._loop.time() > end or self._wire.closed.done():
                raise NoPeer(why())
            await asyncio.sleep(_LOOK_S)

    def _nobody(self) -> str:
        trouble = self.injector.trouble
        return f"{self._line.url}: no session with an MCU" + (f": {trouble[-1]}" if trouble else "")

    def _received(self, data: bytes) -> None:
        self._see(MCU, data)
        self._pump.feed(data)

    def _write(self, data: bytes) -> None:
        if data and not self._stream.is_closing():
            self._see(HOST, data)
            self._stream.write(data)

    def _see(self, sender: str, data: bytes) -> None:
        self._decoder.receive(Chunk(self._now(), sender, data))
        for record in self._decoder.take():
            if self._report is None:
                continue
            if isinstance(record, NoteRecord):
                self._report.notes.append(record.text)
            elif (
                isinstance(record, FrameRecord)
                and record.sender == MCU
                and record.message is not None
                and record.kind != "cyclic"
                and "repeat" not in record.marks
            ):
                self._report.answers.append(record)


def _difference(before: Message | None, after: Message | None) -> dict[str, int]:
    """Counters count to 65535 and stay there or start anew: what is below before is told as it is."""
    if before is None or after is None:
        return {}
    names = [row[0] for row in catalogue.CATALOGUE[catalogue.TELEMETRY][3]]
    found = {}
    for name, old, new in zip(names, before[1:], after[1:], strict=True):
        if name.startswith(("rx_", "tx_")) or name == "cycle_overruns":
            found[name] = new - old if new >= old else new
    return found


async def via_proxy(path: str, request: dict[str, Any]) -> None:
    """Have a proxy carry a request out; OSError when it is not there, ValueError when it refuses."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:  # asyncio's does not name the path
        raise OSError(error.errno, f"no proxy listens here: {error.strerror}", path) from error
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), 5) or b'{"error": "no answer"}')
    finally:
        writer.close()
    if "error" in answer:
        raise ValueError(f"{path}: {answer['error']}")
