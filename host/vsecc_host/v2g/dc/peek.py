"""What kind of request a message is that does not decode, read from its plain header."""

from __future__ import annotations

from collections.abc import Mapping

from vsecc_host.v2g.dc.kinds import Kind

_MAX_SESSION_ID = 8  # bytes
_READ_SIZE = 24  # bytes, enough for header and body code


def peek_kind(payload: bytes, document_start: int, body_codes: Mapping[int, Kind]) -> Kind | None:
    """None if the header is damaged too; `document_start`: EXI header and root, the last bit is open."""
    if len(payload) < 5 or int.from_bytes(payload[:2], "big") >> 1 != document_start >> 1:
        return None
    bits = int.from_bytes(payload[:_READ_SIZE].ljust(_READ_SIZE, b"\0"), "big")

    def read(offset: int, width: int) -> int:
        return bits >> (_READ_SIZE * 8 - offset - width) & ((1 << width) - 1)

    length = read(18, 8)  # after SE(Header), SE(SessionID), CH
    after_id = 26 + 8 * length
    plain_header = read(15, 3) == 0 and length <= _MAX_SESSION_ID and read(after_id, 4) == 0b0100
    if not plain_header or after_id + 10 > 8 * len(payload):
        return None
    return body_codes.get(read(after_id + 4, 6))
