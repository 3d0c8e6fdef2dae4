"""asyncio shell of one outlet's SLAC: a raw socket on the modem's interface, opened again when that goes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import secrets
from collections.abc import Callable, Iterator

from vsecc_host.runtime.pump import Pump
from vsecc_host.runtime.trace import Trace
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import ModemChanged, ModemState, SlacFailed
from vsecc_host.slac.machine import SlacMachine
from vsecc_host.slac.raw_socket import FrameSocket, RawSocket
from vsecc_host.slac.table import PortState
from vsecc_host.station.events import EvseEvent, StationEvent
from vsecc_host.station.values import CpState

__all__ = ["SlacConfig", "SlacService"]

logger = logging.getLogger(__name__)

LAYER = "slac"
_POLLS = frozenset(
    map(codec.mmtype_of, (m.NwInfoReq, m.NwInfoCnf, m.LinkStatusReq, m.LinkStatusCnf))
)  # five times a second, all day: they would push everything else out of the trace
FRAMES_PER_TURN = 32  # then other work of the loop comes first
REOPEN_FIRST_S = 0.1
REOPEN_LONGEST_S = 2.0
LOOK_S = 1.0  # has the interface got another address

_GONE = frozenset((errno.ENXIO, errno.ENODEV, errno.ENETDOWN, errno.EBADF))

OnEvent = Callable[[StationEvent, int], None]
OpenSocket = Callable[[str], FrameSocket]


def open_homeplug(interface: str) -> RawSocket:
    """A socket for HomePlug management frames."""
    return RawSocket(interface, codec.ETHERTYPE)


class SlacService:
    """Matches the cars of one outlet; `on_event` gets every event with its cause id."""

    def __init__(
        self,
        *,
        evse_id: int,
        config: SlacConfig,
        trace: Trace,
        on_event: OnEvent,
        open_socket: OpenSocket = open_homeplug,
    ) -> None:
        self.evse_id = evse_id
        self.config = config
        self.machine = SlacMachine(evse_id=evse_id, config=config, randomness=secrets.token_bytes)
        self.dropped_frames = 0
        self._trace = trace
        self._on_event = on_event
        self._open_socket = open_socket
        self._cause = 0
        self._socket: FrameSocket | None = None
        self._pump: Pump | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._polled: dict[int, bytes] = {}  # the last poll and answer recorded, by message type
        self._tried = asyncio.Event()
        self._broken = asyncio.Event()
        self._refused: set[int] = set()  # errors of sending already logged, since the interface was opened

    @property
    def state(self) -> PortState:
        """State of the port."""
        return self.machine.state

    async def start(self) -> None:
        """Return after the first attempt to open the interface; later attempts follow on their own."""
        self._pump = Pump(self, self._write_nothing, self._deliver)
        self._keeper = asyncio.create_task(self._keep_open(), name=f"slac {self.evse_id}")
        await self._tried.wait()

    async def stop(self) -> None:
        """Close; the modem keeps its last key until the next start sets another."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._keeper = None
        if self._pump is not None:
            self._pump.close()
        self._close_socket()

    # --- requests of the layer above ----------------------------------------------------------------------

    def cp_changed(self, state: CpState, duty_permille: int, cause: int = 0) -> None:
        """Confirmed pilot state and the duty cycle driven; 0 while steady."""
        with self._on_behalf_of(cause):
            self.machine.cp_changed(state, duty_permille, self._now())

    def begin(self, cause: int = 0) -> None:
        """Matching is wanted (or, out of a pause, the EV shall wake up)."""
        with self._on_behalf_of(cause):
            self.machine.start(self._now())

    def rest(self, cause: int = 0) -> None:
        """Matching is not wanted any more."""
        with self._on_behalf_of(cause):
            self.machine.rest(self._now())

    def terminate(self, cause: int = 0) -> None:
        """D-LINK_TERMINATE.request."""
        with self._on_behalf_of(cause):
            self.machine.terminate(self._now())

    def error(self, cause: int = 0) -> None:
        """D-LINK_ERROR.request."""
        with self._on_behalf_of(cause):
            self.machine.error(self._now())

    def pause(self, cause: int = 0) -> None:
        """D-LINK_PAUSE.request."""
        with self._on_behalf_of(cause):
            self.machine.pause(self._now())

    def counters(self) -> dict[str, int]:
        """Frames that were dropped or ignored since the start, by reason."""
        return {"dropped": self.dropped_frames, **self.machine.ignored}

    # --- the machine, under a cause id of its own for everything that enters; frames out before events ----

    def receive(self, data: bytes, now: float) -> None:
        """A frame under a new cause id."""
        self._cause = self._trace.new_cause()
        self._record("rx", data)
        self.machine.receive(data, now)

    def tick(self, now: float) -> None:
        """A deadline under a new cause id."""
        self._cause = self._trace.new_cause()
        self.machine.tick(now)

    def next_deadline(self) -> float | None:
        """As the machine."""
        return self.machine.next_deadline()

    def take(self) -> tuple[list[EvseEvent], bytes]:
        """Events; the frames are sent at once, one by one."""
        events, frames = self.machine.take()
        for raw in frames:
            self._send(raw)
        return events, b""

    # --- the socket ---------------------------------------------------------------------------------------

    async def _keep_open(self) -> None:
        """Open, wait until it breaks, wait a little longer each time, for ever."""
        back_off_s = REOPEN_FIRST_S
        while True:
            self._broken.clear()
            try:
                self._opened(self._open_socket(self.config.interface))
            except OSError as error:
                self._gone(f"{self.config.interface}: {error.strerror or error}")
            else:
                self._tried.set()
                opened_at = self._now()
                await self._until_broken()
                if self._now() - opened_at > REOPEN_LONGEST_S:
                    back_off_s = REOPEN_FIRST_S
            self._tried.set()
            await asyncio.sleep(back_off_s)
            back_off_s = min(2 * back_off_s, REOPEN_LONGEST_S)

    async def _until_broken(self) -> None:
        """Every answer names our address: with another one the interface is a new one."""
        mac = self._socket.mac if self._socket is not None else b""
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._broken.wait(), LOOK_S)
            if self._socket is not None and self._socket.mac != mac:
                self._gone(f"{self.config.interface}: its address changed")

    def _opened(self, opened: FrameSocket) -> None:
        self._socket = opened
        self._refused.clear()
        asyncio.get_running_loop().add_reader(opened.fileno(), self._readable)
        logger.info(
            "EVSE %d: SLAC on %s as %s", self.evse_id, self.config.interface, codec.mac_text(opened.mac)
        )
        with self._on_behalf_of(0):
            self.machine.connected(opened.mac, self._now())

    def _readable(self) -> None:
        for _ in range(FRAMES_PER_TURN):
            if self._socket is None or self._pump is None:
                return
            try:
                raw = self._socket.receive()
            except OSError as error:
                self._gone(f"{self.config.interface}: {error.strerror or error}")
                return
            if raw is None:
                break
            self._pump.feed(raw)
        self._cause = 0

    def _send(self, raw: bytes) -> None:
        self._record("tx", raw)
        if self._socket is None:
            self.dropped_frames += 1
            return
        try:
            sent = self._socket.send(raw)
        except OSError as error:
            sent = False
            if error.errno not in _GONE:
                self._complain(error, len(raw))
            else:  # not at once: the machine is being emptied; the reader's error or the keeper comes next
                asyncio.get_running_loop().call_soon(self._gone, f"{self.config.interface}: {error.strerror}")
        self.dropped_frames += not sent

    def _complain(self, error: OSError, size: int) -> None:
        """One line for each kind of error: a small MTU would fill the log with every report."""
        if error.errno not in self._refused:
            self._refused.add(error.errno or 0)
            logger.warning(
                "EVSE %d: %s: frame of %d bytes not sent: %s",
                self.evse_id,
                self.config.interface,
                size,
                error.strerror or error,
            )

    def _gone(self, reason: str) -> None:
        self._close_socket()
        with self._on_behalf_of(0):
            self.machine.disconnected(reason, self._now())
        self._broken.set()

    def _close_socket(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    # --- inside -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _on_behalf_of(self, cause: int) -> Iterator[None]:
        before, self._cause = self._cause, cause or self._trace.new_cause()
        try:
            yield
            if self._pump is not None:
                self._pump.poke()
        finally:
            self._cause = before

    def _record(self, direction: str, raw: bytes) -> None:
        """A network key is nobody's business, not even a trace's; an unchanged poll is no news."""
        mmtype = codec.mmtype_in(raw)
        if mmtype in _POLLS:
            if self._polled.get(mmtype) == raw:
                return
            self._polled[mmtype] = raw
        shown = codec.redacted(raw)
        cause = self._cause or self._trace.new_cause()
        self._trace.frame(layer=LAYER, direction=direction, raw=shown, cause=cause, evse_id=self.evse_id)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("EVSE %d: %s %s", self.evse_id, "<" if direction == "rx" else ">", shown.hex())

    def _deliver(self, event: EvseEvent) -> None:
        if isinstance(event, SlacFailed):
            logger.warning("EVSE %d: no link: %s %s", self.evse_id, event.cause, event.detail)
        elif isinstance(event, ModemChanged):
            level = logging.WARNING if event.state is ModemState.DEAD else logging.INFO
            words = filter(None, (event.state, event.version, event.detail))
            logger.log(level, "EVSE %d: modem %s", self.evse_id, " ".join(words))
        self._on_event(event, self._cause or self._trace.new_cause())

    @staticmethod
    def _write_nothing(data: bytes) -> None:
        """Frames leave in `take`."""

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
