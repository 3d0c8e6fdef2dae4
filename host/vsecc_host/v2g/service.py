"""asyncio shell of one outlet's V2G side: SDP, the TCP listener and the one connection that is served."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace

from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import (
    EvPlanExceedsOffer,
    StationEvent,
    V2gAvailability,
    V2gSessionEnded,
    V2gSessionStarted,
)
from vsecc_host.station.values import Cause, CpState, EvseView
from vsecc_host.v2g import sdp
from vsecc_host.v2g.config import TlsPolicy, V2gConfig
from vsecc_host.v2g.dc.memory import PausedSession, SessionMemory
from vsecc_host.v2g.endpoint import Address, Endpoint, interface_of, open_endpoint, sdp_address
from vsecc_host.v2g.exi import Protocol, warm_up
from vsecc_host.v2g.machine import FIRST_MESSAGE_S, V2gConnection
from vsecc_host.v2g.tls import SETUP_S, TlsChannel
from vsecc_host.v2g.tls_gate import TlsGate
from vsecc_host.v2g.tls_link import TlsCarLink
from vsecc_host.v2g.transports import CarLink, Discovery

__all__ = ["V2gConfig", "V2gService"]

logger = logging.getLogger(__name__)

WATCH_S = 1.0  # between looks at the interface; duplicate address detection alone takes about 2 s

OnEvent = Callable[[StationEvent, int], None]


def new_session_id() -> bytes:
    """Eight random bytes, never all zero (DIN 70121 8.4.1: zero means no session)."""
    while True:
        session_id = secrets.token_bytes(8)
        if any(session_id):
            return session_id


def _warm_up() -> None:
    """Builds the codecs (60 ms) in a thread, before a car waits and without holding the loop."""
    warm_up(Protocol.SAP)
    warm_up(Protocol.DIN)
    warm_up(Protocol.ISO2)


class V2gService:
    """Serves the cars of one outlet, one at a time."""

    def __init__(
        self, *, evse_id: int, trace: Trace, on_event: OnEvent, config: V2gConfig, endpoint: str | None = None
    ) -> None:
        self.evse_id = evse_id
        self.trace = trace
        self.on_event = on_event
        self.config = config
        self.view: EvseView | None = None
        self._url = endpoint if endpoint is not None else config.endpoint
        self._endpoint: Endpoint | None = None
        self._servers: list[asyncio.Server] = []
        self._discovery: asyncio.DatagramTransport | None = None
        self._accepted = False
        self._started = False  # a session runs
        self._memory = SessionMemory()
        self._car: CarLink | None = None
        self._links: set[CarLink] = set()  # admitted and not closed yet
        self._interface = ""
        self._tls = TlsGate(evse_id, config)
        self._told = (Cause.NONE, "")  # why no car can be served, as the station knows it
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, then answer discovery; EndpointError for a wrong URL, an absent interface is waited for."""
        self._interface = interface_of(self._url)
        await asyncio.get_running_loop().run_in_executor(None, self._prepare)
        try:
            await self._open()
        except OSError as error:
            if not self._interface:
                raise
            logger.warning("EVSE %d: V2G waits for its interface: %s", self.evse_id, error)
        self._tell_availability()
        if self._interface or self._tls.open:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def _prepare(self) -> None:
        """In a thread: reading certificates the first time takes as long as building the codecs."""
        _warm_up()
        self._tls.ready()

    async def stop(self) -> None:
        """End what runs and close every socket."""
        self._accepted = False
        if self._watcher is not None:
            self._watcher.cancel()
        self._close(Cause.STATION_STOPPED)
        await asyncio.sleep(0)  # lets the transports run their closing callbacks

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        with ExitStack() as opened:
            endpoint = open_endpoint(self._interface, tls=self._tls.open)
            opened.callback(endpoint.close)
            servers = [await loop.create_server(lambda: CarLink(self), sock=endpoint.listener)]
            opened.callback(servers[0].close)
            if endpoint.tls_listener is not None:
                servers.append(await loop.create_server(lambda: TlsCarLink(self), sock=endpoint.tls_listener))
                opened.callback(servers[1].close)
            self._discovery, _ = await loop.create_datagram_endpoint(
                lambda: Discovery(self), sock=endpoint.discovery
            )
            opened.pop_all()
        self._endpoint, self._servers = endpoint, servers
        logger.info(
            "EVSE %d: V2G on %s, port %d, TLS port %s",
            self.evse_id,
            self._url,
            endpoint.port,
            endpoint.tls_port,
        )

    def _close(self, cause: Cause) -> None:
        if self._car is not None:
            self._car.end(cause)
        if self._discovery is not None:
            self._discovery.close()
        for server in self._servers:
            server.close()
        for car in list(self._links):
            car.abort()
        self._endpoint = None

    async def _watch(self) -> None:
        """Interface and certificate may go and come back while nobody is plugged in."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._interface:
                await self._look_at_interface()
            if self._tls.open:
                self._tls.ready()
            self._tell_availability()

    async def _look_at_interface(self) -> None:
        """A modem that resets takes its interface along: listen again as soon as it is back."""
        if self._endpoint is not None and not self._endpoint.present():
            logger.warning("EVSE %d: interface %s is gone", self.evse_id, self._interface)
            self._close(Cause.EV_DISCONNECTED)
        if self._endpoint is None:
            with suppress(OSError):
                await self._open()

    def _tell_availability(self) -> None:
        cause, detail = self._obstacle()
        if (cause, detail) == self._told:
            return
        self._told = cause, detail
        at = asyncio.get_running_loop().time()
        event = V2gAvailability(at=at, evse_id=self.evse_id, cause=cause, detail=detail)
        self.on_event(event, self.trace.new_cause())

    def _obstacle(self) -> tuple[Cause, str]:
        if self._endpoint is None:
            return Cause.NO_INTERFACE, self._interface
        problem = self._tls.obstacle
        return (Cause.NO_CERTIFICATE, problem) if problem else (Cause.NONE, "")

    @property
    def sdp_address(self) -> tuple[str, int]:
        """Where a car's SDP request goes: the multicast group, or a loopback address when simulated."""
        if self._interface:
            return sdp_address(self._interface)
        if self._endpoint is None:
            raise RuntimeError("the V2G service is not started")
        return self._endpoint.sdp_address

    @property
    def tcp_port(self) -> int | None:
        """The port for plain TCP; None while the interface is absent."""
        return self._endpoint.port if self._endpoint is not None else None

    @property
    def tls_port(self) -> int | None:
        """The port for TLS; None while the interface is absent, and without TLS."""
        return self._endpoint.tls_port if self._endpoint is not None else None

    @property
    def state_name(self) -> str:
        """For displays: what is missing ("no ..."), "closed", "listening" or the state of the session."""
        if self._car is not None:
            return self._car.state_name
        if self._endpoint is None:
            return "no interface"
        if self._tls.obstacle:
            return "no certificate"
        return "listening" if self._accepted else "closed"

    @property
    def paused(self) -> PausedSession | None:
        """The session the car may join again."""
        return self._memory.paused

    def update(self, view: EvseView) -> None:
        """The truth about the outlet changed."""
        self.view = view
        if view.cp_state in (CpState.A, CpState.UNKNOWN):  # another car may come
            self._memory.forget()
        if self._car is not None:
            self._car.update(view)

    def accept(self, accepted: bool, cause: Cause = Cause.NONE) -> None:
        """Answer SDP and take a connection, or refuse both and end what runs with `cause`.

        One session uses an acceptance up: afterwards a car finds silence until the station is ready again.
        """
        self._accepted = accepted
        if not accepted and self._car is not None:
            self._car.end(cause)

    def configure(self, config: V2gConfig) -> None:
        """What is offered to the next car; endpoint and TLS stay."""
        self.config = replace(config, endpoint=self.config.endpoint, tls=self.config.tls)
        self._tls.protocols = self.config.offered(tls=True)

    def hang_up(self, cause: Cause) -> None:
        """End what runs, whoever is accepted next."""
        if self._car is not None:
            self._car.end(cause)

    # --- called by the transports -------------------------------------------------------------------------

    def discover(self, datagram: bytes, source: Address) -> bytes | None:
        """The answer to a datagram, None for silence."""
        endpoint = self._endpoint
        if endpoint is None or not self._accepted or not endpoint.accepts(source):
            return None
        request = sdp.decode_request(datagram)
        if request is None:
            return None
        security = self._tls.answer(request)
        if security is None:
            return None
        port = endpoint.tls_port if security is sdp.Security.TLS else endpoint.port
        assert port is not None, "TLS is answered only where its port is open"
        cause = self.trace.new_cause()
        answer = sdp.encode_response(sdp.SdpResponse(endpoint.address, port, security))
        self.trace.frame(layer="sdp", direction="rx", raw=datagram, cause=cause, evse_id=self.evse_id)
        self.trace.frame(layer="sdp", direction="tx", raw=answer, cause=cause, evse_id=self.evse_id)
        logger.debug("EVSE %d: SDP %s from %s, answered port %d", self.evse_id, request, source, port)
        return answer

    def admit(self, car: CarLink, source: Address) -> V2gConnection | None:
        """The machine for a new connection; None when it must be closed."""
        if (
            self.view is None
            or not self._accepted
            or self._endpoint is None
            or not self._endpoint.accepts(source)
        ):
            return None
        if not car.tls and self.config.tls.policy is TlsPolicy.REQUIRE:
            logger.info("EVSE %d: connection without TLS from %s refused", self.evse_id, source)
            return None
        if self._car is not None:
            if self._car.open:
                logger.info("EVSE %d: second connection from %s refused", self.evse_id, source)
                return None
            self._car.abort()  # its session is over, it only waited for the EV to close
        self._car = car
        self._links.add(car)
        return V2gConnection(
            evse_id=self.evse_id,
            view=self.view,
            now=asyncio.get_running_loop().time(),
            protocols=self.config.offered(tls=car.tls),
            session_ids=new_session_id,
            config=self.config,
            memory=self._memory,
            frame_seen=car.frame_seen,
            first_message_s=SETUP_S if car.tls else FIRST_MESSAGE_S,
        )

    def reload_certificate(self) -> None:
        """Read certificate and key again; changed files are noticed without it."""
        self._tls.reload()

    def tls_channel(self) -> TlsChannel | None:
        """For a new TLS connection; None while our certificate cannot be used."""
        return self._tls.channel()

    def tell(self, event: StationEvent, cause: int) -> None:
        """Pass an event on; the station may accept again while it hears of an end."""
        if isinstance(event, V2gSessionStarted):
            self._started = True
        elif isinstance(event, V2gSessionEnded) and self._started:
            self._started = self._accepted = False
        elif isinstance(event, EvPlanExceedsOffer):
            logger.info(
                "EVSE %d: the car plans %.0f W, it was offered %.0f W",
                self.evse_id,
                event.planned_w,
                event.offered_w,
            )
        self.on_event(event, cause)

    def gone(self, car: CarLink) -> None:
        """The connection is closed."""
        self._links.discard(car)
        if self._car is car:
            self._car = None
