"""One charge point under asyncio: its timers, and at most one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from vsecc_host.pep.messages import Kind
from vsecc_host.pep.versions import PepVersion
from vsecc_sim.pecc.faults import Fault
from vsecc_sim.pecc.outputs import Abort, Close, Output, Ping, Send
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.values import News

logger = logging.getLogger(__name__)

OUTBOX_FRAMES = 20_000  # a peer that does not read while we flood it
DISTURBED_S = 12.0  # after a fault of the line, reconnecting is not counted

OnNews = Callable[[int, News], None]


class PepConnection(ServerConnection):
    """A connection that notices pings of the client; the library answers them by itself."""

    def __init__(self, protocol: Any, server: Server, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self.on_ping: Callable[[], None] | None = None

    def process_event(self, event: Any) -> None:
        """As the library, and tell of pings."""
        if isinstance(event, Frame) and event.opcode is Opcode.PING and self.on_ping is not None:
            self.on_ping()
        super().process_event(event)


class PointLink:
    """Drives a ChargePoint by the loop's clock; the server hands it connections."""

    def __init__(self, point: ChargePoint, on_news: OnNews | None = None) -> None:
        self.point = point
        self.connection: PepConnection | None = None
        self.disturbed_until = 0.0
        self._on_news = on_news
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._outbox: asyncio.Queue[Output] = asyncio.Queue()

    # --- verbs -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Power on."""
        self.point.switch_on(self._loop.time())
        self.follow()

    def stop(self) -> None:
        """Power off; the judge closes its books."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timer_at = None
        self.point.conduct.finish(self._loop.time())
        self._tell()

    def supervise(self, permitted: bool) -> None:
        """The supervision input."""
        self.point.supervise(permitted, self._loop.time())
        self.follow()

    def inject(self, fault: Fault) -> None:
        """A fault on, off or now."""
        self.disturbed_until = self._loop.time() + DISTURBED_S
        self.point.inject(fault, self._loop.time())
        self.follow()

    def set_limits(self, limits: dict[str, float]) -> None:
        """Other limits of the power electronics, fields of DcLimits."""
        self.point.set_limits(self._loop.time(), **limits)
        self.follow()

    def request(self, kind: Kind, payload: dict[str, Any]) -> None:
        """A request to the SECC."""
        self.point.request(kind, payload, self._loop.time())
        self.follow()

    # --- a connection ------------------------------------------------------------------------------------

    async def serve(self, connection: PepConnection, version: PepVersion) -> None:
        """Talk until the connection is gone."""
        self.connection = connection
        connection.on_ping = lambda: self.point.pinged(self._loop.time())
        self._outbox = asyncio.Queue()
        self.point.connected(version, self._loop.time())
        writer = self._loop.create_task(self._write(connection, self._outbox))
        self.follow()
        reason = ""
        try:
            async for data in connection:
                self.point.receive(data, self._loop.time())
                self.follow()
        except ConnectionClosed as error:
            reason = str(error)
        finally:
            writer.cancel()
            if self.connection is connection:
                self.connection = None
                self.point.disconnected(self._loop.time(), reason)
                self.follow()

    def drop(self) -> None:
        """Forget a connection whose peer is dead."""
        if self.connection is not None:
            self.connection.transport.abort()
            self.connection = None
            self.point.disconnected(self._loop.time(), "replaced")
            self.follow()

    async def _write(self, connection: PepConnection, outbox: asyncio.Queue[Output]) -> None:
        try:
            while True:
                output = await outbox.get()
                if isinstance(output, Send):
                    await connection.send(output.data)
                elif isinstance(output, Ping):
                    pong = asyncio.ensure_future(await connection.ping())
                    pong.add_done_callback(self._on_pong)
                elif isinstance(output, Close):
                    await connection.close()
                elif isinstance(output, Abort):
                    connection.transport.abort()
                else:
                    connection.transport.pause_reading()
        except ConnectionClosed:
            pass  # the reader tells

    def _on_pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.point.pong(self._loop.time())
            self.follow()

    # --- time --------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """After every change: write what is due, tell what is new, set the timer."""
        for output in self.point.take():
            if self.connection is not None:
                self._outbox.put_nowait(output)
        if self._outbox.qsize() > OUTBOX_FRAMES and self.connection is not None:
            logger.warning("charge point %d: the SECC does not read, connection dropped", self.point.number)
            self.drop()
        self._tell()
        deadline = self.point.next_deadline()
        if deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = self._timer_at = None
        self.point.tick(self._loop.time())
        self.follow()

    def _tell(self) -> None:
        for news in self.point.take_news():
            logger.debug("charge point %d: %s", self.point.number, news.text)
            if self._on_news is not None:
                self._on_news(self.point.number, news)
