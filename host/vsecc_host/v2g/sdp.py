"""SECC Discovery Protocol: the car asks ff02::1 port 15118 where to connect (ISO 15118-2 7.10.1)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from vsecc_host.v2g import v2gtp

PORT = 15118
MULTICAST_GROUP = "ff02::1"

_TCP = 0x00  # transport; 0x10 (UDP) is reserved
_REQUEST_SIZE = 2
_RESPONSE_SIZE = 20


class Security(IntEnum):
    """Security byte of request and response."""

    TLS = 0x00
    NONE = 0x10


class SdpRequest(NamedTuple):
    """What the car asked for."""

    security: Security


class SdpResponse(NamedTuple):
    """Where to connect; `address` is the packed IPv6 address."""

    address: bytes
    port: int
    security: Security


def decode_request(datagram: bytes) -> SdpRequest | None:
    """The request in a datagram; None for anything else, which is not answered."""
    frame = v2gtp.parse_datagram(datagram)
    if (
        frame is None
        or frame.payload_type != v2gtp.PayloadType.SDP_REQUEST
        or len(frame.payload) != _REQUEST_SIZE
    ):
        return None
    security, transport = frame.payload
    if transport != _TCP or security not in (Security.TLS, Security.NONE):
        return None
    return SdpRequest(Security(security))


def encode_request(security: Security) -> bytes:
    """A request as a car sends it."""
    return v2gtp.pack(v2gtp.PayloadType.SDP_REQUEST, bytes((security, _TCP)))


def encode_response(response: SdpResponse) -> bytes:
    """A response datagram."""
    payload = response.address + response.port.to_bytes(2, "big") + bytes((response.security, _TCP))
    return v2gtp.pack(v2gtp.PayloadType.SDP_RESPONSE, payload)


def decode_response(datagram: bytes) -> SdpResponse | None:
    """The response in a datagram; None for anything else."""
    frame = v2gtp.parse_datagram(datagram)
    if (
        frame is None
        or frame.payload_type != v2gtp.PayloadType.SDP_RESPONSE
        or len(frame.payload) != _RESPONSE_SIZE
    ):
        return None
    payload = frame.payload
    if payload[19] != _TCP or payload[18] not in (Security.TLS, Security.NONE):
        return None
    return SdpResponse(payload[:16], int.from_bytes(payload[16:18], "big"), Security(payload[18]))


def answer_security(request: SdpRequest, *, required: bool, ready: bool) -> Security | None:
    """Our decision; None, silence, where TLS is required and not ready: no answer could lead to a session.

    A car that insists on TLS, or that cannot, stays away by itself.
    """
    if required:
        return Security.TLS if ready else None
    return Security.TLS if ready and request.security is Security.TLS else Security.NONE
