"""How matching follows the station and the V2G session of one outlet: D-LINK primitives of ISO 15118-3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vsecc_host.slac.events import DlinkReady, ModemChanged, ModemState, PilotRequest, SlacCause, SlacFailed
from vsecc_host.slac.table import PortState
from vsecc_host.station.commands import AcceptV2g, Command, SetPilot
from vsecc_host.station.events import (
    CpStateChanged,
    EvseEvent,
    LinkChanged,
    MatchingFailed,
    ModemTold,
    PilotWanted,
    StationEvent,
    V2gSessionEnded,
)
from vsecc_host.station.values import Cause, CpState, PilotMode

PWM_OFF_PERMILLE = 0


class Matching(Protocol):
    """What is asked of SLAC, see slac.service.SlacService."""

    @property
    def state(self) -> PortState:
        """State of the port."""

    def cp_changed(self, state: CpState, duty_permille: int, cause: int) -> None:
        """Confirmed pilot state and duty driven."""

    def begin(self, cause: int) -> None:
        """Matching is wanted."""

    def rest(self, cause: int) -> None:
        """Matching is not wanted any more."""

    def terminate(self, cause: int) -> None:
        """D-LINK_TERMINATE."""

    def error(self, cause: int) -> None:
        """D-LINK_ERROR."""

    def pause(self, cause: int) -> None:
        """D-LINK_PAUSE: the key is kept."""


class Powerline:
    """Translates one outlet's commands and events; `hang_up(cause)` ends a running V2G session."""

    def __init__(self, matching: Matching, hang_up: Callable[[Cause], None]) -> None:
        self._matching = matching
        self._hang_up = hang_up
        self._cp = CpState.UNKNOWN
        self._duty_permille = PWM_OFF_PERMILLE

    def command(self, command: Command, cause: int) -> None:
        """A command of the station heart was carried out."""
        if isinstance(command, SetPilot):
            duty = command.duty_permille if command.mode is PilotMode.PWM else PWM_OFF_PERMILLE
            if duty != self._duty_permille:
                self._duty_permille = duty
                self._matching.cp_changed(self._cp, duty, cause)
        elif isinstance(command, AcceptV2g):
            if command.accepted:
                self._matching.begin(cause)
            else:
                self._matching.rest(cause)

    def station_event(self, event: StationEvent, cause: int) -> None:
        """An event on its way to the station heart; matching hears of the plug first."""
        if isinstance(event, CpStateChanged):
            self._cp = event.state
            self._matching.cp_changed(event.state, self._duty_permille, cause)
        elif isinstance(event, V2gSessionEnded):
            if event.cause is Cause.EV_PAUSED:
                self._matching.pause(cause)
            elif event.orderly:
                self._matching.terminate(cause)
            else:
                self._matching.error(cause)

    def slac_event(self, event: EvseEvent, cause: int) -> list[StationEvent]:
        """What SLAC reported, as the station heart understands it."""
        if isinstance(event, PilotRequest):
            return [PilotWanted(at=event.at, evse_id=event.evse_id, mode=event.mode)]
        if isinstance(event, DlinkReady):
            return self._link(event, cause)
        if isinstance(event, ModemChanged):
            usable = event.state is not ModemState.DEAD
            return [ModemTold(at=event.at, evse_id=event.evse_id, usable=usable, detail=event.detail)]
        if isinstance(event, SlacFailed) and event.cause is not SlacCause.MODEM_DEAD:
            return [
                MatchingFailed(at=event.at, evse_id=event.evse_id, final=event.final, detail=event.detail)
            ]
        return []

    def _link(self, event: DlinkReady, cause: int) -> list[StationEvent]:
        """A loss ends the session and takes the error routine; a network we left ourselves is no loss."""
        if not event.link:
            if self._matching.state is not PortState.LOST:
                return []
            self._hang_up(Cause.LINK_LOST)
            self._matching.error(cause)
        return [LinkChanged(at=event.at, evse_id=event.evse_id, linked=event.link)]
