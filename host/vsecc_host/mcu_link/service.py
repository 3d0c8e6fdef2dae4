"""asyncio shell of the MCU link: opens the URL, opens it again when it breaks, feeds the machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator

from vsecc_host import transport
from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.machine import McuLinkMachine
from vsecc_host.runtime.pump import Pump
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import (
    DeviceFaultChanged,
    McuCrashReported,
    McuLinkLost,
    McuLinkUp,
    OutputOverload,
    StationEvent,
)
from vsecc_host.station.values import PilotMode

__all__ = ["McuLinkConfig", "McuLinkService"]

logger = logging.getLogger(__name__)

# What may wait for a peer that does not read; a whole window of the link is less. Beyond it frames are
# dropped: the link repeats what matters, and stale grants are worth nothing.
WRITE_LIMIT = 4096  # bytes
RECONNECT_FIRST_S = 0.1
RECONNECT_LONGEST_S = 2.0
LAYER = "mcu"

OnEvent = Callable[[StationEvent, int], None]


class McuLinkService:
    """Keeps the link to one MCU; `on_event` gets every station event with its cause. BadUrl for a bad URL."""

    def __init__(self, config: McuLinkConfig, *, trace: Trace, on_event: OnEvent) -> None:
        baud = transport.baud_of(transport.check_url(config.url))
        self.machine = McuLinkMachine(config, secrets.randbelow(0xFFFF) + 1, baud)
        self.dropped_bytes = 0
        self._url = config.url
        self._trace = trace
        self._on_event = on_event
        self._cause = 0
        self._pump: Pump | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._tried = asyncio.Event()
        self._back_off_s = RECONNECT_FIRST_S

    async def start(self) -> None:
        """Return after the first attempt to open the URL; later attempts follow on their own."""
        self._pump = Pump(self.machine, self._write, self._deliver)
        self._keeper = asyncio.create_task(self._keep_open(), name="mcu link")
        await self._tried.wait()

    async def stop(self) -> None:
        """Close; the MCU's grants expire by themselves."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._keeper = None
        if self._pump is not None:
            self._pump.close()
        if self._transport is not None:
            transport.abandon(self._transport)
            await self._closed.wait()

    # ---- commands ----

    def set_grant(self, evse_id: int, allowed: bool, cause: int = 0) -> None:
        """Whether the port's relay may close; lost with the link."""
        with self._on_behalf_of(cause):
            self.machine.set_grant(evse_id, allowed, self._now())

    def set_pilot(self, evse_id: int, mode: PilotMode, duty_permille: int = 0, cause: int = 0) -> None:
        """Drive the pilot of a port."""
        with self._on_behalf_of(cause):
            self._told(self.machine.set_pilot(evse_id, mode, duty_permille, self._now()), "pilot")

    def clear_faults(self, evse_id: int, cause: int = 0) -> None:
        """Release latched faults whose cause is gone."""
        with self._on_behalf_of(cause):
            self._told(self.machine.clear_faults(evse_id, self._now()), "clear faults")

    def set_outputs(self, mask: int, values: int, cause: int = 0) -> None:
        """Digital outputs."""
        with self._on_behalf_of(cause):
            self._told(self.machine.set_outputs(mask, values, self._now()), "outputs")

    def set_lock(self, evse_id: int, locked: bool, cause: int = 0) -> None:
        """Connector lock of a port."""
        with self._on_behalf_of(cause):
            self._told(self.machine.set_lock(evse_id, locked, self._now()), "lock")

    def set_led(self, led: int, pattern: int, cause: int = 0) -> None:
        """LED 0 = system, 1..3 = port."""
        with self._on_behalf_of(cause):
            self._told(self.machine.set_led(led, pattern, self._now()), "LED")

    def reset_mcu(self, cause: int = 0) -> None:
        """Restart the MCU."""
        with self._on_behalf_of(cause):
            self._told(self.machine.reset_mcu(self._now()), "reset")

    @contextlib.contextmanager
    def _on_behalf_of(self, cause: int) -> Iterator[None]:
        before, self._cause = self._cause, cause or self._trace.new_cause()
        try:
            yield
            if self._pump is not None and self._transport is not None:
                self._pump.poke()
        finally:
            self._cause = before

    @staticmethod
    def _told(sent: bool, what: str) -> None:
        if not sent:
            logger.debug("no session with the MCU: %s not sent", what)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # ---- the connection ----

    async def _keep_open(self) -> None:
        """Open, wait until it closes, wait a little longer each time, for ever."""
        while True:
            self._closed.clear()
            try:
                await transport.open_stream(self._url, lambda: _Wire(self))
            except OSError as error:
                self._gone(f"cannot open {self._url}: {error.strerror or error}")
            else:
                self._tried.set()
                await self._closed.wait()
            self._tried.set()
            await asyncio.sleep(self._back_off_s)
            self._back_off_s = min(2 * self._back_off_s, RECONNECT_LONGEST_S)

    def opened(self, stream: asyncio.Transport) -> None:
        """The stream stands (called by it)."""
        self._transport = stream
        with self._on_behalf_of(0):
            self.machine.connected(self._now())

    def received(self, data: bytes) -> None:
        """Bytes from the MCU (called by the stream)."""
        self._cause = cause = self._trace.new_cause()
        self._trace.frame(layer=LAYER, direction="rx", raw=data, cause=cause)
        try:
            if self._pump is not None:
                self._pump.feed(data)
        finally:
            self._cause = 0

    def closed(self, error: Exception | None) -> None:
        """The stream ended (called by it)."""
        self._transport = None
        self._closed.set()
        if self._keeper is None:  # we closed it
            return
        self._gone(f"{self._url} closed" + (f": {error}" if error else ""))

    def _gone(self, reason: str) -> None:
        self.machine.disconnected(reason, self._now())
        if self._pump is not None:
            self._pump.poke()
            self._pump.close()

    def _write(self, data: bytes) -> None:
        stream = self._transport
        if stream is None or stream.is_closing() or stream.get_write_buffer_size() > WRITE_LIMIT:
            self.dropped_bytes += len(data)
            return
        self._trace.frame(layer=LAYER, direction="tx", raw=data, cause=self._cause or self._trace.new_cause())
        stream.write(data)

    def _deliver(self, event: StationEvent) -> None:
        if isinstance(event, McuLinkUp):
            self._back_off_s = RECONNECT_FIRST_S
            logger.info("MCU up: image %s on %s", event.image_version, event.board)
        elif isinstance(event, McuLinkLost):
            logger.warning("MCU lost: %s", event.reason)
        elif isinstance(event, DeviceFaultChanged):
            logger.warning("MCU board: %s %s", event.fault, "is there" if event.present else "is gone")
        elif isinstance(event, OutputOverload):
            logger.warning("MCU board: overloaded outputs, mask %#06x", event.overloads)
        elif isinstance(event, McuCrashReported):
            logger.error(
                "MCU restarted after %.1f s (%s): %s", event.uptime_ms / 1000, event.reset_cause, event.text
            )
        self._on_event(event, self._cause or self._trace.new_cause())


class _Wire(asyncio.Protocol):
    """Hands what the transport reports to the service."""

    def __init__(self, service: McuLinkService) -> None:
        self._service = service

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._service.opened(transport)

    def data_received(self, data: bytes) -> None:
        self._service.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.closed(exc)
