"""Every EXI document that real cars and chargers sent in the recorded sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.host.v2g.exi.given import SHARED

from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi.json_notation import to_json

_V2GTP_HEADER = 8
FILES = sorted((SHARED / "captures").glob("*.json"))


def documents(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The V2GTP frames with their payload."""
    for frame in json.loads(path.read_text())["frames"]:
        if frame["kind"] == "v2gtp":
            yield frame, bytes.fromhex(frame["hex"])[_V2GTP_HEADER:]


@pytest.mark.skipif(not FILES, reason=f"no recorded sessions at {SHARED}")
def test_recorded_documents_come_out_unchanged() -> None:
    count = damaged = padded = 0
    for path in FILES:
        for frame, data in documents(path):
            if frame["decoded"] is None:
                damaged += 1
                with pytest.raises(DecodeError):
                    decode(Protocol.DIN, data)
                continue
            is_handshake = "V2G_Message" not in frame["decoded"]
            protocol = Protocol.SAP if is_handshake else Protocol.DIN
            message = decode(protocol, data)
            assert to_json(protocol, message) == frame["decoded"], (path.name, frame["t"])
            encoded = encode(protocol, message)
            assert encoded == data[: len(encoded)], (path.name, frame["t"])
            # Some stacks send one byte more than the document has.
            assert data[len(encoded) :] in (b"", b"\0"), (path.name, frame["t"])
            padded += len(data) > len(encoded)
            count += 1
    assert count > 8000
    assert padded < 100
    assert damaged == 2
