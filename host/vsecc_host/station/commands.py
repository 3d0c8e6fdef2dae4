"""Commands the station heart gives; app.py routes each type to the one part that carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from vsecc_host.station.values import Cause, EvseView, PilotMode, PowerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Base of all commands; every command concerns one EVSE, counted from 1."""

    evse_id: int


# --- to the MCU --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPilot(Command):
    """Drive the pilot; `duty_permille` matters for PWM (50 = 5 %, digital communication)."""

    mode: PilotMode
    duty_permille: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGrant(Command):
    """Whether the MCU may close this port's safety relay; the link renews a grant until told otherwise."""

    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearPortFaults(Command):
    """Ask the MCU to release latched faults whose cause is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockConnector(Command):
    """Drive the connector lock."""

    locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPortLed(Command):
    """Port LED pattern of vsecc_link.messages.SET_LED."""

    pattern: int


# --- to the power electronics ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCableCheck(Command):
    """Run a cable check at this voltage."""

    voltage_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTarget(Command):
    """New target; the newest one wins, nobody waits for it."""

    voltage_v: float
    current_a: float
    soc_percent: int
    phase: PowerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerContactors(Command):
    """Close or open the outlet's contactors."""

    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReset(Command):
    """Back to standby; ends every session, good or bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSupervision(Command):
    """State of the safety relay, in hardware ANDed with the contactor drive (for the internal simulation)."""

    relay_closed: bool


# --- to the V2G service ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishView(Command):
    """The view changed; V2G answers from it, pages show it."""

    view: EvseView


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptV2g(Command):
    """Answer SDP and take a connection on this outlet (from X2 on), or refuse both and close what is open."""

    accepted: bool
    cause: Cause = Cause.NONE


# --- to people and back ends -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAuthorization(Command):
    """A car wants to charge; whoever authorises answers with AuthorizationDecided."""

    evcc_id: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSession(Command):
    """A phase of the session began or the session ended; feeds logs, transactions, summaries."""

    what: str  # "plugged", "phase", "ended", "unplugged"
    view: EvseView
