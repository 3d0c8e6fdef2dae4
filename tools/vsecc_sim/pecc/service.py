"""asyncio shell of the PECC simulator: a WebSocket server, one URL per charge point."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from vsecc_host.pep.versions import DEFAULT_VERSION, version_of_subprotocol
from vsecc_sim.pecc.link import OnNews, PepConnection, PointLink
from vsecc_sim.pecc.point import ChargePoint

MAX_FRAME_BYTES = 1 << 20  # the codec answers anything above its own limit; beyond this the library closes
OLD_CLIENT_S = 1.0  # a client that is asked whether it lives before another may take its place
NONSENSE_SUBPROTOCOL = Subprotocol("pep99.0")
# Flooding and refusing clients would fill the log; what matters is told as news.
_library = logging.getLogger("vsecc_sim.pecc.websockets")
_library.setLevel(logging.CRITICAL)


class PeccServer:
    """`start`, then `url(1)`, `url(2)`; `links[n]` takes faults, limits and the supervision input."""

    def __init__(
        self,
        points: Sequence[ChargePoint],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        prefix: str = "/chargepoint",
        on_news: OnNews | None = None,
    ) -> None:
        self.links = {point.number: PointLink(point, on_news) for point in points}
        self.port = port
        self._host = host
        self._prefix = prefix
        self._server: Server | None = None
        self._paths = {f"{prefix}{number}": link for number, link in self.links.items()}

    def url(self, number: int) -> str:
        """Where a charge point is reached."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self.port}{self._prefix}{number}"

    async def start(self) -> None:
        """Power on and listen; port 0 takes a free one. OSError where it cannot."""
        self._server = await serve(
            self._talk,
            self._host,
            self.port,
            process_request=self._admit,
            select_subprotocol=self._choose,
            create_connection=PepConnection,
            compression=None,
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            close_timeout=1.0,
            open_timeout=60.0,  # slow handshakes are a fault we offer
            server_header=None,
            logger=_library,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        for link in self.links.values():
            link.start()

    async def stop(self) -> None:
        """Hang up and power off."""
        if self._server is not None:
            self._server.close()
            for link in self.links.values():
                link.drop()
            await self._server.wait_closed()
        for link in self.links.values():
            link.stop()

    # --- handshake -----------------------------------------------------------------------------------------

    def _link_of(self, request: Request | None) -> PointLink | None:
        return None if request is None else self._paths.get(urlsplit(request.path).path)

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        link = self._link_of(request)
        if link is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, f"there are {', '.join(self._paths)}\n")
        now = asyncio.get_running_loop().time()
        faults = link.point.faults
        link.point.conduct.attempted(
            now,
            offered=_offered(request),
            taken=link.connection is not None and "half-open" not in faults,
            disturbed=now < link.disturbed_until,
        )
        link.follow()
        if "refused" in faults:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "refused by fault\n")
        if "slow-handshake" in faults:
            await asyncio.sleep(faults.value("slow-handshake"))
        if link.connection is not None and await self._lives(link.connection):
            return connection.respond(http.HTTPStatus.CONFLICT, "this charge point has a client\n")
        link.drop()
        return None

    @staticmethod
    async def _lives(connection: PepConnection) -> bool:
        """An old client keeps its place as long as it answers."""
        try:
            await asyncio.wait_for(await connection.ping(), OLD_CLIENT_S)
        except (ConnectionClosed, TimeoutError):
            return False
        return True

    def _choose(self, connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        link = self._link_of(connection.request)
        if link is None:
            return None
        if "wrong-subprotocol" in link.point.faults:
            return NONSENSE_SUBPROTOCOL
        if "no-subprotocol" in link.point.faults or not offered:
            return None
        for name in offered:  # in the order of the client's preference
            version = version_of_subprotocol(name)
            if version is not None and version.text in link.point.config.manners.versions:
                return name
        raise NegotiationError(f"none of {', '.join(offered)}")

    async def _talk(self, connection: ServerConnection) -> None:
        link = self._link_of(connection.request)
        if link is None or not isinstance(connection, PepConnection):
            return
        name: Any = connection.subprotocol
        version = version_of_subprotocol(name)
        if version is None and connection.request is not None:  # none chosen: the oldest offered fits all
            offers = [version_of_subprotocol(offer) for offer in _offered(connection.request)]
            version = min((offer for offer in offers if offer is not None), default=DEFAULT_VERSION)
        await link.serve(connection, version or DEFAULT_VERSION)


def _offered(request: Request) -> list[str]:
    values = request.headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for value in values for name in value.split(",") if name.strip()]
