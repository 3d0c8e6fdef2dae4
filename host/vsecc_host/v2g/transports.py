"""The sockets' side of the V2G service: the SDP datagrams and the one TCP connection that is served."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Protocol, cast

from vsecc_host.runtime.pump import Pump
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import Cause, EvseView
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.endpoint import Address
from vsecc_host.v2g.machine import V2gConnection
from vsecc_host.v2g.tls import TlsChannel

logger = logging.getLogger(__name__)

READ_SIZE = 4096  # bytes per turn of the loop: bounds how long one chatty client can hold it
WRITE_LIMIT = 16_384  # bytes a client may leave unread; answers are below 100 bytes, so this one never reads
TLS_HANDSHAKE = b"\x16\x03"  # first bytes of every TLS connection


class Host(Protocol):
    """What the transports need of the service."""

    evse_id: int
    trace: Trace

    def tls_channel(self) -> TlsChannel | None:
        """For a new TLS connection; None while our certificate cannot be used."""

    def discover(self, datagram: bytes, source: Address) -> bytes | None:
        """The answer to a datagram, None for silence."""

    def admit(self, car: CarLink, source: Address) -> V2gConnection | None:
        """The machine for a new connection; None when it must be closed."""

    def tell(self, event: StationEvent, cause: int) -> None:
        """Pass an event on."""

    def gone(self, car: CarLink) -> None:
        """The connection is closed."""


def _tune(connection: socket.socket) -> None:
    """Answers leave at once; the kernel holds no more of them than we would."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WRITE_LIMIT)


class Discovery(asyncio.DatagramProtocol):
    """The SDP socket."""

    def __init__(self, service: Host) -> None:
        self._service = service
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Answer to the source, every time; a full socket drops the answer and the EV asks again."""
        answer = self._service.discover(data, addr)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error for an earlier answer: the car left."""
        logger.debug("SDP: %s", exc)


class CarLink(asyncio.BufferedProtocol):
    """One TCP connection: bytes and timers to the machine, answers out first, then events, one cause id."""

    tls = False

    def __init__(self, service: Host) -> None:
        self._service = service
        self._buffer = bytearray(READ_SIZE)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._machine: V2gConnection | None = None
        self._pump: Pump | None = None
        self._cause = 0
        self._fresh = True  # nothing arrived yet

    @property
    def open(self) -> bool:
        """A session may still run here."""
        return self._machine is not None and self._machine.closing is None

    @property
    def state_name(self) -> str:
        """What the session waits for."""
        return self._machine.state_name if self._machine is not None else "refused"

    # --- asyncio ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admitted or closed at once."""
        self._transport = cast(asyncio.Transport, transport)
        self._machine = self._service.admit(self, transport.get_extra_info("peername"))
        if self._machine is None:
            self._transport.abort()
            return
        _tune(transport.get_extra_info("socket"))
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)
        self._cause = self._service.trace.new_cause()
        self._pump = Pump(self, self._write, self._deliver, settled=self._close_when_due)
        self._pump.poke()

    def get_buffer(self, sizehint: int) -> bytearray:
        """One fixed buffer: no allocation per read, at most READ_SIZE bytes per turn."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes arrived."""
        if self._pump is not None:
            self._arrived(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """The EV closed its half; so do we."""
        return False

    def pause_writing(self) -> None:
        """The client does not read its answers."""
        if self._machine is not None and self._pump is not None:
            self._machine.close_requested(
                Cause.EV_PROTOCOL_ERROR, self._loop.time(), detail="does not read its answers"
            )
            self._loop.call_soon(self._poke_and_abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self._machine is not None and self._pump is not None:
            self._machine.disconnected(self._loop.time(), detail=str(exc) if exc else "")
            self._pump.poke()
            self._pump.close()
        self._service.gone(self)

    # --- the service --------------------------------------------------------------------------------------

    def update(self, view: EvseView) -> None:
        """A waiting request may have its answer now; it keeps the cause of the request."""
        if self._machine is not None and self._pump is not None:
            self._machine.update(view, self._loop.time())
            self._pump.poke()

    def end(self, cause: Cause) -> None:
        """The station wants this connection gone."""
        if self._machine is not None and self._pump is not None:
            self._machine.close_requested(cause, self._loop.time())
            self._pump.poke()

    def abort(self) -> None:
        """Close without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def frame_seen(self, direction: str, raw: bytes) -> None:
        """Record a whole message as it crosses the border."""
        self._service.trace.frame(
            layer="v2gtp", direction=direction, raw=raw, cause=self._cause, evse_id=self._service.evse_id
        )
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s", "<" if direction == "rx" else ">", raw.hex())

    # --- the machine, under a cause id of its own for everything that enters ------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Bytes under a new cause id."""
        self._cause = self._service.trace.new_cause()
        if self._machine is not None:
            self._machine.receive(data, now)

    def tick(self, now: float) -> None:
        """A deadline under a new cause id."""
        self._cause = self._service.trace.new_cause()
        if self._machine is not None:
            self._machine.tick(now)

    def next_deadline(self) -> float | None:
        """As the machine."""
        return self._machine.next_deadline() if self._machine is not None else None

    def take(self) -> tuple[list[StationEvent], bytes]:
        """As the machine."""
        return self._machine.take() if self._machine is not None else ([], b"")

    def _arrived(self, data: bytes) -> None:
        if self._fresh and data.startswith(TLS_HANDSHAKE):
            self._give_up("a TLS client hello on the port for plain TCP")
        elif self._pump is not None:
            self._pump.feed(data)
        self._fresh = False

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for message in v2gtp.split(data):
            self._send(message)

    def _send(self, message: bytes) -> None:
        assert self._transport is not None
        self._transport.write(message)

    def _hang_up(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def _give_up(self, reason: str) -> None:
        """The car is not understood below the messages; what it was told already still leaves."""
        if self._machine is None or self._pump is None:
            return
        logger.info("EVSE %d: connection closed: %s", self._service.evse_id, reason)
        self._machine.close_requested(Cause.EV_PROTOCOL_ERROR, self._loop.time(), detail=reason)
        self._pump.poke()

    def _deliver(self, event: StationEvent) -> None:
        self._service.tell(event, self._cause)

    def _close_when_due(self) -> None:
        closing = self._machine.closing if self._machine is not None else None
        if closing is not None and closing <= self._loop.time() and self._transport is not None:
            self._hang_up()

    def _poke_and_abort(self) -> None:
        if self._pump is not None:
            self._pump.poke()
        self.abort()
