"""A car's connection over TLS: the same connection, with a channel between the socket and the machine."""

from __future__ import annotations

import asyncio
import logging

from vsecc_host.v2g.tls import TlsChannel, TlsError
from vsecc_host.v2g.transports import CarLink, Host

logger = logging.getLogger(__name__)


class TlsCarLink(CarLink):
    """The machine's first deadline bounds the handshake; a second connection is refused before it begins."""

    tls = True

    def __init__(self, service: Host) -> None:
        super().__init__(service)
        self._channel: TlsChannel | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admitted or closed at once."""
        super().connection_made(transport)
        if self._machine is None:
            return
        self._channel = self._service.tls_channel()
        if self._channel is None:
            self._give_up("TLS: not possible now")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self.open and self._channel is not None and not self._channel.established:
            self._give_up("TLS: the car left during the handshake")
        super().connection_lost(exc)

    def _arrived(self, data: bytes) -> None:
        channel = self._channel
        if channel is None or self._pump is None or self._transport is None:
            return
        before = channel.established
        try:
            plain = channel.receive(data)
        except TlsError as error:
            self._flush()  # the alert
            self._give_up(f"TLS: {error}")
            return
        self._flush()
        if channel.established and not before:
            logger.info("EVSE %d: %s", self._service.evse_id, channel.summary)
        if plain:
            self._pump.feed(plain)
        if channel.closed:
            self._transport.close()

    def _send(self, message: bytes) -> None:
        if self._channel is not None and self._channel.established:
            self._channel.send(message)
            self._flush()

    def _hang_up(self) -> None:
        if self._channel is not None and self._channel.established:
            self._channel.close()
            self._flush()
        super()._hang_up()

    def _flush(self) -> None:
        data = self._channel.take() if self._channel is not None else b""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
