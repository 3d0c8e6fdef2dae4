"""What SLAC reports to the station and to whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vsecc_host.slac.attenuation import Attenuation
from vsecc_host.station.events import EvseEvent
from vsecc_host.station.values import PilotMode


class MatchState(StrEnum):
    """Matching state of ISO 15118-3."""

    UNMATCHED = "unmatched"
    MATCHING = "matching"
    MATCHED = "matched"


class SlacCause(StrEnum):
    """Why there is no link."""

    NO_SLAC = "no_slac"  # no CM_SLAC_PARM.REQ within TT_EVSE_SLAC_init
    SESSIONS_FAILED = "sessions_failed"  # every matching session timed out
    NOT_JOINED = "not_joined"  # no link within TT_match_join
    NOT_RESUMED = "not_resumed"  # no link within T_conn_resume
    MODEM_DEAD = "modem_dead"


class ModemState(StrEnum):
    """What the powerline modem of this outlet is good for."""

    STARTING = "starting"  # key being set
    READY = "ready"
    DEAD = "dead"  # silent, or refuses the key


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacMatched(EvseEvent):
    """CM_SLAC_MATCH.CNF sent: this car chose this outlet. MAC and run id as upper-case hex."""

    ev_mac: str
    run_id: str
    attenuation: Attenuation


@dataclass(frozen=True, slots=True, kw_only=True)
class DlinkReady(EvseEvent):
    """D-LINK_READY.indication; `proven` when the modem named the car's MAC as its neighbour's host."""

    link: bool
    ev_mac: str = ""
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacFailed(EvseEvent):
    """No link; `final`: nothing more is tried until the cable was out."""

    cause: SlacCause
    final: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotRequest(EvseEvent):
    """Matching needs this pilot: 5 %, X1 or state F; fields as in commands.SetPilot."""

    mode: PilotMode
    duty_permille: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchStateChanged(EvseEvent):
    """The port's matching state."""

    state: MatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemChanged(EvseEvent):
    """The modem became usable or unusable; `version` once it told it."""

    state: ModemState
    version: str = ""
    detail: str = ""
