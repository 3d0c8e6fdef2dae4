"""Events the station heart listens to. `at` is monotonic seconds of when it happened, not of the telling."""

from __future__ import annotations

from dataclasses import dataclass

from vsecc_host.station.values import (
    Cause,
    CpState,
    DcLimits,
    EvParameters,
    Isolation,
    LockState,
    PilotMode,
    PowerSnapshot,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationEvent:
    """Base of all events."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseEvent(StationEvent):
    """An event of one EVSE, counted from 1 as in OCPP."""

    evse_id: int


# --- MCU link ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class McuLinkUp(StationEvent):
    """Hello accepted: same catalogue, image identity known."""

    image_sha256: str
    image_version: str
    board: str
    interpreter: str
    reset_cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class McuLinkLost(StationEvent):
    """No frame for 500 ms, transport closed, or the hello was refused (`refused`); `reason` for a person."""

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CpStateChanged(EvseEvent):
    """The MCU confirmed another Control Pilot state."""

    state: CpState
    previous: CpState
    high_mv: int
    low_mv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayChanged(EvseEvent):
    """The safety relay of this port opened or closed (contact feedback); `reason` is a name of OPEN_NAMES."""

    closed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFaultChanged(EvseEvent):
    """The MCU latched or released a fault of the port; `fault` is a name of FAULT_NAMES."""

    fault: str
    latched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class McuLogged(StationEvent):
    """A log line of the MCU program."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class McuMeasured(StationEvent):
    """Newest TELEMETRY and TEMPERATURES of the MCU, merged: catalogue field name -> value."""

    values: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChanged(EvseEvent):
    """The connector lock of this port is in another state."""

    state: LockState


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonHeld(StationEvent):
    """The factory-reset button has been held for 5 s (`pressed`), or was released after `held_ms`."""

    held_ms: int
    pressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOverload(StationEvent):
    """Other digital outputs are overloaded, bit 0 = OUT1; 0: none any more."""

    overloads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFaultChanged(StationEvent):
    """A fault of the MCU board that concerns no port came or went; a name of DEVICE_FAULT_NAMES."""

    fault: str
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class McuCrashReported(StationEvent):
    """What ended the MCU program before its present start: exception and frames, for a person."""

    uptime_ms: int
    reset_cause: str
    text: str


# --- matching -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotWanted(EvseEvent):
    """Matching invites the car (PWM) or wakes it up (ISO 15118-3 T_step_EF, T_step_X1)."""

    mode: PilotMode


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingFailed(EvseEvent):
    """No powerline link with the car; `final`: nothing more is tried until the cable was out."""

    final: bool
    detail: str  # why, for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged(EvseEvent):
    """The powerline link to the car is there (D-LINK_READY), or was lost."""

    linked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemTold(EvseEvent):
    """Whether the powerline modem works; without it no car can be reached."""

    usable: bool
    detail: str = ""


# --- V2G ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gSessionStarted(EvseEvent):
    """SessionSetup answered; `evcc_id` is the normalised EVCCID (upper-case hex, may be empty)."""

    protocol: str  # "din", "iso2"
    evcc_id: str
    session_id: str
    resumed: bool = False  # a paused session goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class EvParametersTold(EvseEvent):
    """ChargeParameterDiscovery or later told limits and state of charge of the EV."""

    parameters: EvParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class CableCheckRequested(EvseEvent):
    """First CableCheckReq; the EV is in state C or D or the machine waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreChargeRequested(EvseEvent):
    """A PreChargeReq with its target."""

    voltage_v: float
    current_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeStartRequested(EvseEvent):
    """PowerDeliveryReq start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeTargetRequested(EvseEvent):
    """A CurrentDemandReq with its target."""

    voltage_v: float
    current_a: float
    soc_percent: int
    max_voltage_v: float | None = None
    max_current_a: float | None = None
    max_power_w: float | None = None
    remaining_to_full_s: int | None = None  # None: the car did not say


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRenegotiationRequested(EvseEvent):
    """The current is gone and the EV tells new parameters; a cable check or a start follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeStopRequested(EvseEvent):
    """PowerDeliveryReq stop (also straight from pre-charge)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeldingDetectionRequested(EvseEvent):
    """A WeldingDetectionReq."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvErrorReported(EvseEvent):
    """The EV sent an error code other than NO_ERROR; `code` is the schema's name."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPlanExceedsOffer(EvseEvent):
    """The EV plans to take more power than it was offered; accepted, since what flows is cut anyway."""

    planned_w: float
    offered_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gSessionEnded(EvseEvent):
    """The V2G session is over; `orderly` when the EV sent SessionStopReq and was answered OK."""

    cause: Cause
    orderly: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gAvailability(EvseEvent):
    """Whether any car can be served here at all; `cause` NONE when one can. A running session goes on."""

    cause: Cause
    detail: str = ""


# --- power electronics -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLimitsTold(EvseEvent):
    """What the power electronics can deliver at this outlet."""

    limits: DcLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerMeasured(EvseEvent):
    """A measurement, every 200 ms or faster."""

    snapshot: PowerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CableCheckDone(EvseEvent):
    """Result of a cable check that was commanded for this session (never an older one)."""

    isolation: Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLost(EvseEvent):
    """The power electronics cannot be reached or refuse to work."""

    cause: Cause
    detail: str = ""


# --- people and back ends ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDecided(EvseEvent):
    """Somebody (OCPP, Autocharge, the control API, free vend) decided on this car."""

    accepted: bool
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(EvseEvent):
    """A person or a back end wants the session to end in good order."""

    who: str
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenegotiationRequested(EvseEvent):
    """A person or a back end wants the charging car to negotiate again (ISO 15118-2; DIN cars cannot)."""

    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged(EvseEvent):
    """A named owner sets its bound for this outlet, in W or A, or lifts it (both None)."""

    owner: str
    max_power_w: float | None = None
    max_current_a: float | None = None
