"""The car's end of a connection machine, for tests: messages in, messages out, exact times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from unit.host.v2g.given import NOW, REQUESTS, SESSION_ID, message, view

from vsecc_host.station.events import StationEvent, V2gSessionEnded
from vsecc_host.station.values import CableCheck, CpState, EvseView
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.config import V2gConfig
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi.app_protocol import AppProtocol, SupportedAppProtocolReq
from vsecc_host.v2g.machine import V2gConnection

OFFER = SupportedAppProtocolReq((AppProtocol("urn:din:70121:2012:MsgDef", 2, 0, 1, 1),))


def handshake(offer: SupportedAppProtocolReq = OFFER) -> bytes:
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.SAP, offer))


def request(body: Any, session_id: bytes = SESSION_ID) -> bytes:
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.DIN, message(body, session_id)))


PATH = (
    K.SESSION_SETUP,
    K.SERVICE_DISCOVERY,
    K.PAYMENT_SELECTION,
    K.AUTHORIZATION,
    K.CHARGE_PARAMETER_DISCOVERY,
    K.CABLE_CHECK,
    K.CABLE_CHECK,
    K.PRE_CHARGE,
    K.POWER_DELIVERY_ON,
    K.CURRENT_DEMAND,
    K.POWER_DELIVERY_OFF,
    K.WELDING_DETECTION,
    K.SESSION_STOP,
)


class Car:
    """Talks to a V2gConnection; `events` collects everything the machine told."""

    codec = Protocol.DIN
    marker = 0x9A  # second byte of every message
    offer = OFFER
    requests: ClassVar[Mapping[K, Any]] = REQUESTS
    path = PATH
    protocols: Collection[str] = ("din",)

    def __init__(
        self,
        seen: EvseView | None = None,
        protocols: Collection[str] | None = None,
        memory: SessionMemory | None = None,
        config: V2gConfig | None = None,
        now: float = NOW,
    ) -> None:
        self.now = now
        self.view = seen or view()
        self.events: list[StationEvent] = []
        self.frames: list[tuple[str, bytes]] = []
        self.link = V2gConnection(
            evse_id=1,
            view=self.view,
            now=now,
            protocols=self.protocols if protocols is None else protocols,
            memory=memory,
            config=config,
            session_ids=lambda: SESSION_ID,
            frame_seen=lambda direction, raw: self.frames.append((direction, raw)),
        )

    def take(self) -> list[Any]:
        """Bodies of the answers that came out."""
        events, data = self.link.take()
        self.events += events
        payloads = [raw[v2gtp.HEADER_SIZE :] for raw in v2gtp.split(data)]
        return [
            getattr(decode(self._codec(raw), raw), "body", None) or decode(Protocol.SAP, raw)
            for raw in payloads
        ]

    def _codec(self, payload: bytes) -> Protocol:
        return self.codec if payload[1] == self.marker else Protocol.SAP

    def pack(self, body: Any, session_id: bytes = SESSION_ID) -> bytes:
        """A request as it goes over the line."""
        return request(body, session_id)

    def send(self, body: Any, **changes: Any) -> list[Any]:
        """A request, now."""
        if changes:
            self.see(**changes)
        self.link.receive(self.pack(body), self.now)
        return self.take()

    def see(self, **changes: Any) -> None:
        """The outlet changes; the measurement is fresh unless `at` says otherwise."""
        self.view = view(**{"at": self.now, **changes})
        self.link.update(self.view, self.now)

    def shake_hands(self) -> list[Any]:
        self.link.receive(handshake(self.offer), self.now)
        return self.take()

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass; every deadline on the way fires at its own time."""
        until = self.now + seconds
        out: list[Any] = []
        while True:
            deadline = self.link.next_deadline()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.link.tick(self.now)
            out += self.take()
        self.now = until
        return out

    def go_to(self, kind: K) -> None:
        """A healthy session up to, not including, this request."""
        self.shake_hands()
        for step in self.path[: self.path.index(kind)]:
            after_stop = step in (K.WELDING_DETECTION, K.SESSION_STOP)
            self.send(
                self.requests[step],
                voltage_v=376.0,
                contactors_closed=True,
                cable_check=CableCheck.PASSED,
                cp_state=CpState.B if after_stop else CpState.C,
            )
        self.events.clear()

    @property
    def ends(self) -> list[V2gSessionEnded]:
        return [event for event in self.events if isinstance(event, V2gSessionEnded)]


def without_time(event: StationEvent) -> StationEvent:
    return replace(event, at=0.0)
