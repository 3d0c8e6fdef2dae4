"""Application handshake: which of the EV's protocols is spoken (ISO 15118-2 8.2, common to DIN and -20)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from vsecc_host.v2g.exi.app_protocol import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

# namespace -> (our name, major version, minor version)
KNOWN = {
    "urn:din:70121:2012:MsgDef": ("din", 2, 0),
    "urn:iso:15118:2:2013:MsgDef": ("iso2", 2, 0),
}


class Choice(NamedTuple):
    """The answer, what was agreed on (None: nothing) and what was offered, for a person."""

    answer: SupportedAppProtocolRes
    protocol: str | None
    offered: str


def choose(message: object, supported: Collection[str]) -> Choice | None:
    """The first usable entry by the EV's priority, not list order; None if the message is no such request."""
    if not isinstance(message, SupportedAppProtocolReq):
        return None
    entries = sorted(message.app_protocol, key=_priority)
    offered = ", ".join(
        f"{x.protocol_namespace} {x.version_number_major}.{x.version_number_minor}" for x in entries
    )
    for entry in entries:
        name, major, minor = KNOWN.get(entry.protocol_namespace, ("", 0, 0))
        if name not in supported or entry.version_number_major != major:
            continue
        exact = entry.version_number_minor == minor
        code = (
            ResponseCode.OK_SuccessfulNegotiation
            if exact
            else ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
        )
        return Choice(SupportedAppProtocolRes(code, entry.schema_id), name, offered)
    return Choice(SupportedAppProtocolRes(ResponseCode.Failed_NoNegotiation), None, offered)


def _priority(entry: AppProtocol) -> int:
    return entry.priority
