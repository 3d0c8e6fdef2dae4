"""Application handshake from the car's side: what it offers, what the charger chose. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi import app_protocol as sap
from vsecc_sim.ev.profiles import AppProtocol
from vsecc_sim.ev.values import BadAnswer


class Choice(NamedTuple):
    """The charger's answer; `namespace` is empty when it chose nothing we offered."""

    namespace: str
    code: str
    detail: str


def request(offered: Iterable[AppProtocol]) -> bytes:
    """EXI of supportedAppProtocolReq."""
    entries = []
    for entry in offered:
        major, minor = entry.version.split(".")
        entries.append(
            sap.AppProtocol(entry.namespace, int(major), int(minor), entry.schema_id, entry.priority)
        )
    return encode(Protocol.SAP, sap.SupportedAppProtocolReq(tuple(entries)))


def read(payload: bytes, offered: Iterable[AppProtocol]) -> Choice:
    """The choice; BadAnswer when the bytes are no supportedAppProtocolRes."""
    try:
        message = decode(Protocol.SAP, payload)
    except DecodeError as error:
        raise BadAnswer(f"not decodable: {error}") from error
    if not isinstance(message, sap.SupportedAppProtocolRes):
        raise BadAnswer("a request")
    code = sap.ResponseCode(message.response_code)
    chosen = ""
    if code is not sap.ResponseCode.Failed_NoNegotiation:
        chosen = next((x.namespace for x in offered if x.schema_id == message.schema_id), "")
    return Choice(chosen, code.name, f"{code.name}, schema id {message.schema_id}")
