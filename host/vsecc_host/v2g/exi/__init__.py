"""EXI codec of the V2G messages (EXI 1.0, schema-informed, bit-packed): bytes to typed messages and back.

    message = decode(Protocol.DIN, data)
    data = encode(Protocol.DIN, V2gMessage(MessageHeader(session_id), CableCheckReq(status)))

Message classes: app_protocol, din70121, iso15118_2, iso15118_20_common, iso15118_20_dc, iso15118_20_ac.
Errors: ExiError, of which EncodeError is ours and DecodeError the peer's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .errors import DecodeError, EncodeError, ExiError

if TYPE_CHECKING:
    from .codec import Codec

__all__ = [
    "TABLES",
    "DecodeError",
    "EncodeError",
    "ExiError",
    "Protocol",
    "codec_for",
    "decode",
    "encode",
    "source_mark",
    "warm_up",
]


class Protocol(Enum):
    """Schema sets. XMLDSIG is the grammar in which SignedInfo is signed (fragment only)."""

    SAP = "sap"
    DIN = "din"
    ISO2 = "iso2"
    ISO20_COMMON = "iso20-common"
    ISO20_DC = "iso20-dc"
    ISO20_AC = "iso20-ac"
    XMLDSIG = "xmldsig"


# Name of the module of message classes and of tables.
TABLES = {
    Protocol.SAP: "app_protocol",
    Protocol.DIN: "din70121",
    Protocol.ISO2: "iso15118_2",
    Protocol.ISO20_COMMON: "iso15118_20_common",
    Protocol.ISO20_DC: "iso15118_20_dc",
    Protocol.ISO20_AC: "iso15118_20_ac",
    Protocol.XMLDSIG: "xmldsig",
}


_codecs: dict[str, Codec] = {}


def codec_for(protocol: Protocol) -> Codec:
    """The codec of a protocol; its tables are read when it is first asked for."""
    # By value: the hash of an enumeration member is computed in Python each time.
    codec = _codecs.get(protocol._value_)
    if codec is None:
        from .codec import Codec

        grammar = import_module(f"{__name__}.tables.{TABLES[protocol]}").GRAMMAR
        codec = _codecs[protocol._value_] = Codec(grammar, _compiled(protocol))
    return codec


def _compiled(protocol: Protocol) -> dict[str, Callable[..., Any]]:
    """Functions of the optional compiled build, none where it is missing or made from another source."""
    try:
        module = import_module(f"vsecc_exi_{TABLES[protocol]}")
    except ImportError:
        return {}
    functions: dict[str, Callable[..., Any]] = module.FUNCTIONS
    return functions if source_mark(protocol) == module.MARK else {}


def source_mark(protocol: Protocol) -> int:
    """Checksum of what the functions of a protocol are made from."""
    folder = Path(__file__).parent
    mark = 0
    for name in (f"tables/{TABLES[protocol]}.py", "decoder.py", "encoder.py", "grammar.py"):
        mark = crc32((folder / name).read_bytes(), mark)
    return mark


def encode(protocol: Protocol, message: object, fragment: bool = False) -> bytes:
    """The EXI document, or the fragment of a signed element; EncodeError."""
    return codec_for(protocol).encode(message, fragment)


def decode(protocol: Protocol, data: bytes, fragment: bool = False) -> Any:
    """The message class of the document or fragment; DecodeError with the offending bit."""
    return codec_for(protocol).decode(data, fragment)


def warm_up(protocol: Protocol) -> None:
    """Does now what the first use of every message would do: call it where nobody waits."""
    codec_for(protocol).compile_all()
