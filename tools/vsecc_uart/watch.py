"""Runs a source through the decoder and hands the records on, live and with their timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vsecc_uart.decoder import LineDecoder
from vsecc_uart.sources import Source, wall_clock
from vsecc_uart.statistics import Statistics
from vsecc_uart.values import Chunk, Record

OnRecord = Callable[[Record], None]
OnChunk = Callable[[Chunk], None]


class Watch:
    """A sink: decodes chunks, counts, and tells every record to `on_record`.

    `live`: time passes for the decoder also while nothing comes.
    """

    def __init__(
        self, on_record: OnRecord, *, baud: int, live: bool = True, on_chunk: OnChunk | None = None
    ) -> None:
        self.statistics = Statistics(baud)
        self.decoder = LineDecoder()
        self._on_record = on_record
        self._on_chunk = on_chunk
        self._live = live
        self._timer: asyncio.TimerHandle | None = None
        self._wall = wall_clock()
        self._last_at: float | None = None
        self._heard_at = 0.0

    async def run(self, source: Source, duration_s: float | None = None) -> None:
        """Until the source ends or the time is over; what the decoder still holds is told then."""
        try:
            await asyncio.wait_for(source.run(self), duration_s)
        except TimeoutError:
            if duration_s is None:
                raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self.decoder.finish()
            self._collect()

    def chunk(self, chunk: Chunk) -> None:
        """Bytes of the line (called by the source)."""
        if self._on_chunk is not None:
            self._on_chunk(chunk)
        self._last_at, self._heard_at = chunk.at_s, asyncio.get_running_loop().time()
        self.decoder.receive(chunk)
        self._collect()
        if self._live:
            self._schedule()

    def now(self) -> float:
        """Time in which the chunks count: a tap's clock may be another one than ours, and be set anew."""
        if self._last_at is None:
            return self._wall()
        if not self._live:
            return self._last_at
        return self._last_at + asyncio.get_running_loop().time() - self._heard_at

    def note(self, text: str) -> None:
        """A word about the source (called by it)."""
        self.decoder.note(self.now(), text)
        self._collect()

    def _collect(self) -> None:
        for record in self.decoder.take():
            self.statistics.add(record)
            self._on_record(record)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.decoder.next_deadline()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.decoder.tick(self.now())
        self._collect()
        self._schedule()
