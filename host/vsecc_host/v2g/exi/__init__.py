"""EXI codec of the V2G messages (EXI 1.0, schema-informed, bit-packed): bytes to typed messages and back.

    message = decode(Protocol.DIN, data)
    data = encode(Protocol.DIN, V2gMessage(MessageHeader(session_id), CableCheckReq(status)))

Message classes: app_protocol, din70121, iso15118_2, iso15118_20_common, iso15118_20_dc, iso15118_20_ac.
Errors: ExiError, of which EncodeError is ours and DecodeError the peer's.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import DecodeError, EncodeError, ExiError

if TYPE_CHECKING:
    from .codec import Codec

__all__ = ["DecodeError", "EncodeError", "ExiError", "Protocol", "codec_for", "decode", "encode", "warm_up"]


class Protocol(Enum):
    """Schema sets. XMLDSIG is the grammar in which SignedInfo is signed (fragment only)."""

    SAP = "sap"
    DIN = "din"
    ISO2 = "iso2"
    ISO20_COMMON = "iso20-common"
    ISO20_DC = "iso20-dc"
    ISO20_AC = "iso20-ac"
    XMLDSIG = "xmldsig"


_TABLES = {
    Protocol.SAP: "app_protocol",
    Protocol.DIN: "din70121",
    Protocol.ISO2: "iso15118_2",
    Protocol.ISO20_COMMON: "iso15118_20_common",
    Protocol.ISO20_DC: "iso15118_20_dc",
    Protocol.ISO20_AC: "iso15118_20_ac",
    Protocol.XMLDSIG: "xmldsig",
}


@cache
def codec_for(protocol: Protocol) -> Codec:
    """The codec of a protocol; its tables are read when it is first asked for."""
    from .codec import Codec

    return Codec(import_module(f"{__name__}.tables.{_TABLES[protocol]}").GRAMMAR)


def encode(protocol: Protocol, message: object, fragment: bool = False) -> bytes:
    """The EXI document, or the fragment of a signed element; EncodeError."""
    return codec_for(protocol).encode(message, fragment)


def decode(protocol: Protocol, data: bytes, fragment: bool = False) -> Any:
    """The message class of the document or fragment; DecodeError with the offending bit."""
    return codec_for(protocol).decode(data, fragment)


def warm_up(protocol: Protocol) -> None:
    """Does now what the first use of every message would do: call it where nobody waits."""
    codec_for(protocol).compile_all()
