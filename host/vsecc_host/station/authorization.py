"""Who may charge when no back end is connected: free vend, or a driver's token. Pure."""

from __future__ import annotations

from vsecc_host.station.commands import RequestAuthorization
from vsecc_host.station.events import AuthorizationDecided

FREE_VEND = "free vend"


class LocalAuthorization:
    """Decides at once when authorisation is off, else remembers who waits until a token comes."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._waiting: set[int] = set()

    def configure(self, enabled: bool) -> None:
        """Counts from the next request on; who waits goes on waiting."""
        self._enabled = enabled

    @property
    def waiting(self) -> frozenset[int]:
        """EVSEs whose driver has to identify."""
        return frozenset(self._waiting)

    def request(self, command: RequestAuthorization, now: float) -> list[AuthorizationDecided]:
        """A car wants to charge (`AuthCtrlr/Enabled` false: everybody may)."""
        if not self._enabled:
            return [AuthorizationDecided(at=now, evse_id=command.evse_id, accepted=True, who=FREE_VEND)]
        self._waiting.add(command.evse_id)
        return []

    def token(self, value: str, evses: set[int], now: float) -> list[AuthorizationDecided]:
        """A driver presented an identification for these EVSEs; those that wait for one are accepted."""
        accepted = sorted(self._waiting & evses)
        self._waiting -= evses
        who = f"token {value}"
        return [AuthorizationDecided(at=now, evse_id=evse, accepted=True, who=who) for evse in accepted]

    def forget(self, evse_id: int) -> None:
        """The session of this EVSE ended."""
        self._waiting.discard(evse_id)
