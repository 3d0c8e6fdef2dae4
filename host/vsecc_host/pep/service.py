"""asyncio shell of one outlet's PEP client: dials, dials again, hands frames to the machine and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    WebSocketException,
)
from websockets.typing import Subprotocol

from vsecc_host.pep.codec import MAX_MESSAGE_SIZE
from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.machine import Outgoing, PepMachine
from vsecc_host.pep.versions import DEFAULT_VERSION, OFFERED, PepVersion, version_of_subprotocol
from vsecc_host.runtime.pump import Pump
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.commands import Command
from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import EvseView
from vsecc_host.terminals import Terminals

__all__ = ["PepConfig", "PepService"]

logger = logging.getLogger(__name__)

LAYER = "pep"
MAX_WAITING = 256  # frames that may wait for a PECC that does not read; then it counts as gone
MAX_QUEUED = 16  # received frames before the socket is left unread
CLOSE_S = 1.0  # for the closing handshake
LIST_REFUSED = (400, 406, 426)  # HTTP status of a server that does not understand a list of versions
MAX_RECORDED = 4096  # bytes of a frame kept in the trace
_WS_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}

OnEvent = Callable[[StationEvent, int], None]


def websocket_url(uri: str) -> str:
    """`http(s)` read as `ws(s)`; ValueError for what is no such address."""
    parts = urlsplit(uri)
    scheme = _WS_SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"no address of power electronics: {uri!r}; ws://host:port/path is one")
    return urlunsplit(parts._replace(scheme=scheme, fragment=""))


class PepService:
    """Power electronics of one outlet behind a WebSocket (`PowerElectronics/Type` Websocket)."""

    faults: frozenset[str] = frozenset()

    def __init__(
        self,
        evse_id: int,
        config: PepConfig,
        terminals: Terminals,
        *,
        trace: Trace,
        on_event: OnEvent,
        on_outputs: Callable[[int], None] = lambda cause: None,
    ) -> None:
        self.evse_id = evse_id
        self.machine = PepMachine(evse_id, config, terminals)
        self.is_connected = False
        self._url = websocket_url(config.uri)
        self._config = config
        self._trace = trace
        self._on_event = on_event
        self._on_outputs = on_outputs
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(self.machine, self._write, self._deliver, settled=self._settled)
        self._cause = 0
        self._logged = self._closed = ""  # why the connection ended
        self._keeper: asyncio.Task[None] | None = None
        self._out: deque[str] = deque()
        self._out_ready = asyncio.Event()
        self._close_due = asyncio.Event()

    # --- what the station wants -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to dial."""
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"pep {self.evse_id}")

    async def stop(self) -> None:
        """Disconnect; the power electronics go to standby by themselves."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self._pump.close()

    def execute(self, command: Command, cause: int) -> None:
        """Carry out a command; what follows at once has the same cause."""
        with self._on_behalf_of(cause):
            self._trace.hop(cause, LAYER, command)
            self.machine.execute(command, self._loop.time(), cause)

    def update(self, view: EvseView, cause: int) -> None:
        """The outlet's newest view."""
        with self._on_behalf_of(cause):
            self.machine.update(view, self._loop.time())

    def inject(self, name: str, active: bool = True) -> None:
        """There is nothing to inject: ValueError."""
        raise ValueError(f"no fault {name}: these power electronics are not simulated here")

    @contextlib.contextmanager
    def _on_behalf_of(self, cause: int) -> Iterator[None]:
        before, self._cause = self._cause, cause
        try:
            yield
            self._pump.poke()
        finally:
            self._cause = before

    # --- the machine's output ---------------------------------------------------------------------------

    def _write(self, frames: list[Outgoing]) -> None:
        for text, cause in frames:
            self._record("tx", text, cause or self._cause or self._trace.new_cause())
            self._out.append(text)
        if len(self._out) > MAX_WAITING:
            self._close_due.set()
        self._out_ready.set()

    def _deliver(self, event: StationEvent) -> None:
        self._on_event(event, self._cause or self._trace.new_cause())

    def _settled(self) -> None:
        for text, wrong in self.machine.notes.take():
            logger.log(logging.WARNING if wrong else logging.INFO, "EVSE %d: PECC: %s", self.evse_id, text)
        if self.machine.close_wanted:
            self._close_due.set()
        self._on_outputs(self._cause)

    def _record(self, direction: str, frame: str | bytes, cause: int) -> None:
        raw = frame.encode(errors="replace") if isinstance(frame, str) else frame
        self._trace.frame(
            layer=LAYER, direction=direction, raw=raw[:MAX_RECORDED], cause=cause, evse_id=self.evse_id
        )

    # --- the connection ---------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        """One attempt per reconnect interval, for ever."""
        while True:
            dialed_at = self._loop.time()
            try:
                connection, version = await self._dial()
            except (OSError, WebSocketException, ValueError, EOFError) as problem:
                self._gone(f"{self._url}: {_reason(problem)}")
            else:
                await self._serve(connection, version)
            await asyncio.sleep(max(0.0, dialed_at + self._config.reconnect_s - self._loop.time()))

    async def _dial(self) -> tuple[ClientConnection, PepVersion]:
        """The first connection the server agrees to; where it refuses a list, versions are offered singly."""
        fixed = self._config.version
        if fixed is not None:
            return await self._open((fixed,))
        try:
            return await self._open(OFFERED)
        except InvalidHandshake as refused:
            if not _is_about_versions(refused):
                raise
            for version in OFFERED:
                with contextlib.suppress(InvalidHandshake):
                    return await self._open((version,))
            raise refused

    async def _open(self, offered: tuple[PepVersion, ...]) -> tuple[ClientConnection, PepVersion]:
        connection = await connect(
            self._url,
            subprotocols=[Subprotocol(version.subprotocol) for version in offered],
            compression=None,
            open_timeout=self._config.handshake_s,
            ping_interval=None,  # the status tells whether the PECC lives; its own pings are answered
            close_timeout=CLOSE_S,
            max_size=MAX_MESSAGE_SIZE,
            max_queue=MAX_QUEUED,
            proxy=None,
        )
        chosen = version_of_subprotocol(connection.subprotocol)
        if chosen is None:
            if self._config.require_subprotocol:
                await connection.close()
                raise InvalidHandshake("the server chose no subprotocol")
            chosen = offered[0] if len(offered) == 1 else DEFAULT_VERSION
            logger.warning("EVSE %d: PECC chose no subprotocol, PEP %s is spoken", self.evse_id, chosen.text)
        return connection, chosen

    async def _serve(self, connection: ClientConnection, version: PepVersion) -> None:
        logger.info("EVSE %d: PECC at %s, PEP %s", self.evse_id, self._url, version.text)
        self._out.clear()
        self._out_ready.clear()
        self._close_due.clear()
        self._logged = self._closed = ""
        self.is_connected = True
        with self._on_behalf_of(self._trace.new_cause()):
            self.machine.connected(version, self._loop.time())
        work: tuple[Coroutine[Any, Any, Any], ...] = (
            self._read(connection),
            self._write_out(connection),
            self._close_due.wait(),
        )
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(tasks)
            self.is_connected = False
            self._gone(self._why_gone())
            await connection.close()

    def _why_gone(self) -> str:
        if self.machine.close_wanted:
            return self.machine.close_wanted
        if self._close_due.is_set():
            return "the PECC does not read"
        return f"{self._url} closed: {self._closed}" if self._closed else f"{self._url} closed"

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                self._received(await connection.recv())
                await asyncio.sleep(0)  # a flood leaves the loop to others between two frames
        except ConnectionClosed as closed:
            self._closed = str(closed)

    async def _write_out(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._out_ready.wait()
                self._out_ready.clear()
                while self._out:
                    await connection.send(self._out.popleft())

    def _received(self, frame: str | bytes) -> None:
        cause = self._trace.new_cause()
        self._record("rx", frame, cause)
        with self._on_behalf_of(cause):
            self.machine.receive(frame, self._loop.time())

    def _gone(self, reason: str) -> None:
        if self._keeper is None:  # we stopped
            return
        if reason != self._logged:
            logger.warning("EVSE %d: PECC gone: %s", self.evse_id, reason)
            self._logged = reason
        with self._on_behalf_of(self._trace.new_cause()):
            self.machine.disconnected(reason, self._loop.time())


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("PEP connection given up", exc_info=result)


def _is_about_versions(refused: InvalidHandshake) -> bool:
    """Whether another offer may help: a list was not understood, or something else was chosen."""
    if isinstance(refused, InvalidStatus):
        return refused.response.status_code in LIST_REFUSED
    return isinstance(refused, NegotiationError)


def _reason(problem: BaseException) -> str:
    if isinstance(problem, TimeoutError):
        return "no handshake in time"
    if isinstance(problem, InvalidURI):
        return "no address of power electronics"
    if isinstance(problem, OSError) and problem.errno is not None and problem.errno > 0:
        return os.strerror(problem.errno).lower()
    return str(problem) or type(problem).__name__
