"""What an outlet remembers of a paused session while no connection exists (ISO 15118-2 8.4.2)."""

from __future__ import annotations

from typing import NamedTuple


class PausedSession(NamedTuple):
    """A session the EV may join again; nobody else knows its id."""

    id: bytes
    evcc_id: str  # upper-case hex


class SessionMemory:
    """Room for one paused session, as long as the cable stays in."""

    def __init__(self) -> None:
        self._paused: PausedSession | None = None

    @property
    def paused(self) -> PausedSession | None:
        """The session that may be joined."""
        return self._paused

    def keep(self, session: PausedSession) -> None:
        """The EV paused."""
        self._paused = session

    def forget(self) -> None:
        """The cable is out, or another session began."""
        self._paused = None

    def join(self, session_id: bytes, evcc_id: str) -> bool:
        """True if this car continues the paused session; either way it is used up."""
        paused, self._paused = self._paused, None
        return paused == PausedSession(session_id, evcc_id)
