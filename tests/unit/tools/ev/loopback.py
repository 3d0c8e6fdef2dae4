"""The paper charger behind real loopback sockets: SDP, TCP, a DC bus that moves on, and a pilot."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import IPv6Address
from types import TracebackType
from typing import Any, Self, cast

from unit.tools.ev.charger import PaperCharger

from vsecc_host.v2g import sdp
from vsecc_sim.plant.dc_bus import DcBus

BUS_STEP_S = 0.02


class Pilot:
    """Control pilot: 5 % from `on_after_s` on; keeps what the car did, with times."""

    def __init__(self, on_after_s: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._on_at = loop.time() + on_after_s
        self.forced: int | None = None
        self.states: list[str] = []

    def set_state(self, state: str) -> None:
        """The car's resistors."""
        if not self.states or self.states[-1] != state:
            self.states.append(state)

    def duty_permille(self) -> int:
        """What the car measures."""
        if self.forced is not None:
            return self.forced
        return 50 if self._loop.time() >= self._on_at else 1000


class LoopbackCharger:
    """Async context manager; one paper charger per TCP connection, `chargers` keeps them."""

    def __init__(
        self,
        bus: DcBus | None = None,
        *,
        answers_tls: bool = True,
        listens: bool = True,
        kind: type[PaperCharger] = PaperCharger,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.bus = bus
        self.chargers: list[PaperCharger] = []
        self.asked: list[tuple[float, sdp.Security]] = []
        self.received: list[tuple[float, int]] = []
        self.silent = False
        self._answers_tls = answers_tls
        self._listens = listens
        self._kind = kind
        self._tls = tls
        self._tls_server: asyncio.Server | None = None
        self._transports: set[asyncio.Transport] = set()

    @property
    def charger(self) -> PaperCharger:
        """The newest connection's charger."""
        return self.chargers[-1]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Tcp(self), "::1", 0)
        self.tcp_port = self._server.sockets[0].getsockname()[1]
        if not self._listens:
            self._server.close()
        if self._tls is not None:
            self._tls_server = await loop.create_server(lambda: _Tcp(self), "::1", 0, ssl=self._tls)
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("::1", 0))
        self.url = f"sdp://[::1]:{self._udp.get_extra_info('sockname')[1]}"
        self._task = loop.create_task(self._move())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._task.cancel()
        self._udp.close()
        self._server.close()
        if self._tls_server is not None:
            self._tls_server.close()
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)

    async def _move(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self.bus is not None and self.chargers:
                self.charger.step(loop.time())
            await asyncio.sleep(BUS_STEP_S)

    def connected(self, transport: asyncio.Transport) -> PaperCharger:
        """A car came."""
        self._transports.add(transport)
        charger = self.prepare(self._kind(self.bus))
        self.chargers.append(charger)
        return charger

    def prepare(self, charger: PaperCharger) -> PaperCharger:
        """To be replaced by tests that change answers."""
        return charger

    def discover(self, request: sdp.SdpRequest) -> bytes | None:
        """SDP answer: TLS where it is asked for and there is some."""
        self.asked.append((asyncio.get_running_loop().time(), request.security))
        if self.silent or (request.security is sdp.Security.TLS and not self._answers_tls):
            return None
        port, security = self.tcp_port, sdp.Security.NONE
        if self._tls_server is not None and request.security is sdp.Security.TLS:
            port, security = self._tls_server.sockets[0].getsockname()[1], sdp.Security.TLS
        return sdp.encode_response(sdp.SdpResponse(IPv6Address("::1").packed, port, security))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, owner: LoopbackCharger) -> None:
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A request."""
        request = sdp.decode_request(data)
        answer = self._owner.discover(request) if request is not None else None
        if answer is not None:
            self._transport.sendto(answer, addr)


class _Tcp(asyncio.Protocol):
    def __init__(self, owner: LoopbackCharger) -> None:
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A car."""
        self._transport = cast(asyncio.Transport, transport)
        self._charger = self._owner.connected(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer at once."""
        now = asyncio.get_running_loop().time()
        self._owner.received.append((now, len(data)))
        self._transport.write(self._charger.answer(data, now))
