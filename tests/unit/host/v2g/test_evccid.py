"""One spelling of a car's identity, whatever the protocol."""

from __future__ import annotations

import pytest

from vsecc_host.v2g.evccid import normalised_evccid


@pytest.mark.parametrize(
    ("evccid", "text"),
    [
        (b"\x00\xaa\xbb\x0c\xdd\xee", "00AABB0CDDEE"),
        (b"", ""),
        (b"\x01", "01"),
        (b"\0\0\x00\xaa\xbb\x0c\xdd\xee", "000000AABB0CDDEE"),  # eight bytes: DIN allows them
    ],
)
def test_spelling(evccid: bytes, text: str) -> None:
    assert normalised_evccid(evccid) == text
