"""The way back to standby after a reset: until it is seen the outlet counts as not operative."""

from __future__ import annotations

from vsecc_host.pep.status import Status
from vsecc_host.pep.times import RESET_AGAIN_S


class StandbyWatch:
    """A transition phase may report `inoperative` for a while; the station says when it lasts too long.

    The reset is repeated only where it can help: it was refused, or contactors stay closed although it was
    accepted. An accepted reset with open contactors is left alone, its transition may take its time.
    """

    def __init__(self) -> None:
        self.awaited = False
        self._again_at: float | None = None
        self._closed = False
        self._is_accepted = False

    def wanted(self) -> None:
        """A reset was asked for."""
        self.awaited, self._is_accepted, self._again_at = True, False, None

    def accepted(self, now: float) -> None:
        """The reset was answered."""
        self._is_accepted, self._again_at = True, now + RESET_AGAIN_S

    def refused(self, now: float) -> None:
        """The reset was refused, or never answered."""
        self._again_at = now + RESET_AGAIN_S

    def seen(self, status: Status) -> None:
        """The newest status."""
        self._closed = status.closed
        if status.standby:
            self.awaited, self._again_at = False, None

    def next_deadline(self) -> float | None:
        """When `again` is worth asking."""
        return self._again_at

    def again(self, now: float) -> bool:
        """Whether the reset has to be asked once more."""
        if self._again_at is None or now < self._again_at:
            return False
        self._again_at = None if self._is_accepted and not self._closed else now + RESET_AGAIN_S
        needed = self._closed or not self._is_accepted
        self._is_accepted = self._is_accepted and not needed
        return needed
