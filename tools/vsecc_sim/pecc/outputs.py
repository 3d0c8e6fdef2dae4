"""What a charge point wants of its connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """One frame: text, or binary as a fault."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A WebSocket ping; the pong is a sign of life."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset TCP."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close in good order."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Stop reading from the socket."""


Output = Send | Ping | Abort | Close | Stall
