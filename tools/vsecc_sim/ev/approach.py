"""From the first discovery request to an open line: SDP, TCP, TLS, and what a car falls back to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from vsecc_sim.ev import sdp_client
from vsecc_sim.ev import values as v
from vsecc_sim.ev.line import Line
from vsecc_sim.ev.profiles import Discovery

_CONNECT_TIMEOUT_S = 5.0
_TLS_HANDSHAKE_S = 5.0
_TLS_SHUTDOWN_S = 1.0  # for the other end's close_notify


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How one car gets to one charger; `tls` is None when it can do nothing behind TLS."""

    target: sdp_client.Target
    habit: Discovery
    tls: ssl.SSLContext | None

    async def line(self, new_line: Callable[[bool], Line]) -> Line | v.Ended:
        """An open line, made by `new_line(behind TLS)`, or why there is none."""
        loop = asyncio.get_running_loop()
        why = (v.EvEnd.NO_SDP_ANSWER, f"nobody at {self.target.host}")
        async with aclosing(sdp_client.offers(self.target, self.habit)) as offers:
            async for offer in offers:
                refused = self._refuses(offer)
                if refused:
                    why = (v.EvEnd.NO_TLS, refused)
                    continue
                await asyncio.sleep(self.habit.connect_s)
                try:
                    sock = await asyncio.wait_for(sdp_client.connect(offer.address), _CONNECT_TIMEOUT_S)
                except OSError as error:
                    return v.Ended(v.EvEnd.NO_CONNECTION, str(error) or "timed out", False, loop.time())
                try:
                    return await self._open(new_line, sock, offer.tls)
                except OSError as error:
                    why = (v.EvEnd.NO_TLS, str(error) or type(error).__name__)
        return v.Ended(*why, False, loop.time())

    def _refuses(self, offer: sdp_client.Offer) -> str:
        """Why this car makes nothing of an offer; empty when it does."""
        if offer.tls and self.tls is None:
            return "the charger offers nothing but TLS"
        if not offer.tls and self.habit.tls == "insist":
            return "the charger offers no TLS"
        return ""

    async def _open(self, new_line: Callable[[bool], Line], sock: sdp_client.Socket, tls: bool) -> Line:
        loop = asyncio.get_running_loop()
        if not tls:
            return (await loop.create_connection(lambda: new_line(False), sock=sock))[1]
        _, line = await loop.create_connection(
            lambda: new_line(True),
            sock=sock,
            ssl=self.tls,
            server_hostname="",
            ssl_handshake_timeout=_TLS_HANDSHAKE_S,
            ssl_shutdown_timeout=_TLS_SHUTDOWN_S,
        )
        return line
