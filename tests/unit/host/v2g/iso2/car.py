"""The car's end of a connection that speaks ISO 15118-2."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from unit.host.v2g.car import PATH, Car
from unit.host.v2g.given import SESSION_ID
from unit.host.v2g.iso2.given import REQUESTS, message

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi.app_protocol import AppProtocol, SupportedAppProtocolReq


class Iso2Car(Car):
    """As the DIN car, in the newer language."""

    codec = Protocol.ISO2
    marker = 0x98
    offer = SupportedAppProtocolReq((AppProtocol("urn:iso:15118:2:2013:MsgDef", 2, 0, 7, 1),))
    requests: ClassVar[Mapping[K, Any]] = REQUESTS
    path = (*PATH[:2], K.SERVICE_DETAIL, *PATH[2:])
    protocols: Collection[str] = ("din", "iso2")

    def pack(self, body: Any, session_id: bytes = SESSION_ID) -> bytes:
        """A request as it goes over the line."""
        return v2gtp.pack(v2gtp.PayloadType.EXI, encode(self.codec, message(body, session_id)))
