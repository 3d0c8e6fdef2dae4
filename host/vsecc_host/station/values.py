"""Values the parts of the station exchange: immutable, with units in their names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

STATION_TOTAL = "station_total"  # owner of the limit that is an outlet's share of the whole station's power


class CpState(IntEnum):
    """Control Pilot state confirmed by the MCU, IEC 61851-1 Annex A; values as in vsecc_link.messages."""

    UNKNOWN = 0
    A = 1
    B = 2
    C = 3
    D = 4
    E = 5
    F = 6

    @property
    def plugged(self) -> bool:
        """A car is connected and the pilot is sound."""
        return self in (CpState.B, CpState.C, CpState.D)

    @property
    def energy(self) -> bool:
        """The car allows energy transfer."""
        return self in (CpState.C, CpState.D)


class LockState(IntEnum):
    """Connector lock as its feedback tells; values as in vsecc_link.messages."""

    UNKNOWN = 0
    UNLOCKED = 1
    LOCKED = 2
    MOVING = 3
    FAULT = 4


class PilotMode(IntEnum):
    """What the pilot generator drives; values as in vsecc_link.messages."""

    STEADY_POSITIVE = 0  # X1
    PWM = 1  # X2
    STEADY_NEGATIVE = 2  # state F


class Isolation(Enum):
    """Result of the isolation monitor."""

    INVALID = "invalid"  # not measured
    VALID = "valid"
    WARNING = "warning"
    FAULT = "fault"


class Authorization(Enum):
    """Whether the station lets this car charge."""

    ONGOING = "ongoing"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Stop(Enum):
    """How the station wants the running V2G session to end."""

    NONE = "none"
    NORMAL = "normal"  # notify the EV and let it ramp down
    EMERGENCY = "emergency"  # the output is already going off


class CableCheck(Enum):
    """Progress of the cable check, IEC 61851-23 CC.4.1.2."""

    IDLE = "idle"
    ONGOING = "ongoing"
    PASSED = "passed"
    FAILED = "failed"


class PowerPhase(Enum):
    """Phase told to the power electronics; names of the PEP field chargingState."""

    STANDBY = "standby"
    PRE_CHARGE = "preCharge"
    CHARGE = "charge"
    POST_CHARGE = "postCharge"


class Phase(StrEnum):
    """Phase of an EVSE as a person would name it; also the phase names of summaries and progress lines."""

    IDLE = "idle"
    CONNECTED = "connected"  # plugged, PWM on, no V2G session yet
    SETUP = "setup"  # V2G session, up to charge parameters
    CABLE_CHECK = "cable_check"
    PRE_CHARGE = "pre_charge"
    CHARGING = "charging"
    STOPPING = "stopping"
    FINISHED = "finished"  # session over, cable still in
    FAULTED = "faulted"


class Cause(StrEnum):
    """Why an EVSE does not charge or why its session ended; a value, so that every front end can show it."""

    NONE = "none"
    EV_FINISHED = "ev_finished"  # orderly end asked for by the EV
    EV_PAUSED = "ev_paused"  # orderly, the same session may go on later
    EV_STOPPED_EARLY = "ev_stopped_early"  # the EV gave up before energy flowed
    EV_ERROR = "ev_error"  # the EV reported an error code
    EV_DISCONNECTED = "ev_disconnected"  # TCP gone without SessionStop
    EV_TIMEOUT = "ev_timeout"  # no request in time
    EV_PROTOCOL_ERROR = "ev_protocol_error"
    UNPLUGGED = "unplugged"
    CP_LEFT_C = "cp_left_c"
    CP_NOT_C = "cp_not_c"  # state C did not come for the cable check
    NOT_AUTHORIZED = "not_authorized"
    STOP_REQUESTED = "stop_requested"  # a person, the control API or the back end
    MCU_LINK_LOST = "mcu_link_lost"
    MCU_REFUSED = "mcu_refused"  # image or catalogue not accepted
    PORT_FAULT = "port_fault"  # latched by the MCU, see EvseView.port_faults
    RELAY_NOT_CLOSED = "relay_not_closed"
    POWER_STALE = "power_stale"
    POWER_INOPERATIVE = "power_inoperative"
    POWER_REFUSED = "power_refused"  # target, cable check or contactor command rejected
    ISOLATION_FAULT = "isolation_fault"
    LIMITS_EXCEEDED = "limits_exceeded"
    OVER_TEMPERATURE = "over_temperature"
    EMERGENCY_INPUT = "emergency_input"
    PRE_CHARGE_TIMEOUT = "pre_charge_timeout"
    CABLE_CHECK_TIMEOUT = "cable_check_timeout"
    VOLTAGE_NOT_SUPPORTED = "voltage_not_supported"
    STATION_STOPPED = "station_stopped"
    MATCHING_FAILED = "matching_failed"  # no powerline link came about
    LINK_LOST = "link_lost"  # the powerline link went
    MODEM_DEAD = "modem_dead"  # silent, or refuses its key
    NO_INTERFACE = "no_interface"  # the modem's, towards cars
    NO_CERTIFICATE = "no_certificate"  # TLS is required and ours cannot be used, see EvseView.cause_detail


@dataclass(frozen=True, slots=True, kw_only=True)
class DcLimits:
    """What may be drawn at one outlet; `owner` names who set the tightest power bound."""

    min_voltage_v: float
    max_voltage_v: float
    min_current_a: float
    max_current_a: float
    max_power_w: float
    owner: str = "power_electronics"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSnapshot:
    """Newest measurement of the power electronics at the outlet; `at` is when it was taken (monotonic s)."""

    at: float
    voltage_v: float
    current_a: float
    contactors_closed: bool
    isolation: Isolation
    operative: bool
    temperature_c: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvParameters:
    """What the EV told of itself; None where it stayed silent."""

    max_voltage_v: float
    max_current_a: float
    max_power_w: float | None = None
    soc_percent: int | None = None
    energy_capacity_wh: float | None = None
    energy_request_wh: float | None = None
    full_soc_percent: int | None = None
    bulk_soc_percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseView:
    """The latest truth about one EVSE, all a V2G machine needs to answer at once; replaced, never changed."""

    evse_id: int
    evseid: str
    phase: Phase
    cp_state: CpState
    relay_closed: bool
    authorization: Authorization
    limits: DcLimits
    power: PowerSnapshot
    cable_check: CableCheck
    stop: Stop
    stop_delay_s: float
    cause: Cause  # why it does not charge or why the last session ended
    port_faults: tuple[str, ...] = ()
    cause_detail: str = ""  # who or what exactly, for a person: a fault's name, an EV error code
    meter_wh: float = 0.0  # register of the outlet, since the program started
    renegotiate: bool = False  # somebody wants the car to negotiate again (ISO 15118-2)
    evcc_id: str = ""  # upper-case hex; empty until a V2G session told it
    ev: EvParameters | None = None  # newest word of the car of this session
    soc_percent: int | None = None
    remaining_to_full_s: int | None = None
    profile_max_power_w: float | None = None  # tightest bound of a named owner: back end, default profile
    bounds_w: tuple[tuple[str, float], ...] = ()  # every owner of a limit and what it allows, tightest first
