"""The identity Autocharge knows a car by."""

from __future__ import annotations


def normalised_evccid(evccid: bytes) -> str:
    """Upper-case hex without separators: six bytes as a rule, other lengths as they came, empty for none."""
    return evccid.hex().upper()
