"""Values of the simulated car, neutral to the V2G protocol: steps, answers, intents, events, ends."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple


class Step(StrEnum):
    """Request the car sends or waits with; one step may be repeated."""

    HANDSHAKE = "handshake"
    SESSION_SETUP = "session_setup"
    SERVICE_DISCOVERY = "service_discovery"
    SERVICE_DETAIL = "service_detail"  # not in DIN, one per extra service
    PAYMENT_SELECTION = "payment_selection"
    AUTHORIZATION = "authorization"
    CHARGE_PARAMETERS = "charge_parameters"
    CABLE_CHECK = "cable_check"
    PRE_CHARGE = "pre_charge"
    POWER_ON = "power_on"
    CURRENT_DEMAND = "current_demand"
    RENEGOTIATE = "renegotiate"  # not in DIN
    POWER_OFF = "power_off"
    WELDING_DETECTION = "welding_detection"
    SESSION_STOP = "session_stop"
    CLOSE = "close"  # nothing more to say: hang up


class Wrong(StrEnum):
    """What one request may say that no charger of ours accepts."""

    PAYMENT = "payment"  # by contract
    SERVICE = "service"  # another one instead of charging
    EXTRA_SERVICE = "extra_service"  # one nobody offered besides charging
    MODE = "mode"  # AC energy transfer
    PARAMETERS = "parameters"  # those of an AC car
    LIMITS = "limits"  # a car that bears 0 V and 0 A
    PAUSE = "pause"  # SessionStop that pauses what never flowed (ISO 15118-2)


class EvPhase(StrEnum):
    """Phase as a person would name it; the same words as the station uses."""

    CONNECTED = "connected"
    SETUP = "setup"
    CABLE_CHECK = "cable_check"
    PRE_CHARGE = "pre_charge"
    CHARGING = "charging"
    STOPPING = "stopping"
    FINISHED = "finished"


class EvEnd(StrEnum):
    """Why the car's session ended, seen from the car."""

    CHARGED = "charged"  # reached its target or is full, orderly
    STOPPED_BY_DRIVER = "stopped_by_driver"
    STOPPED_BY_EVSE = "stopped_by_evse"  # obeyed a notification, orderly
    PAUSED = "paused"  # orderly, to be resumed
    EMERGENCY_SHUTDOWN = "emergency_shutdown"  # the charger said so
    NO_CURRENT = "no_current"  # asked for current and did not get it
    NO_PILOT = "no_pilot"  # no 5 % duty cycle
    PILOT_LOST = "pilot_lost"  # duty cycle went away in the session
    NO_SDP_ANSWER = "no_sdp_answer"
    NO_CONNECTION = "no_connection"
    NO_TLS = "no_tls"  # the car insists on TLS and did not get it
    SETUP_TIMEOUT = "setup_timeout"  # 20 s from discovery to SessionSetupRes
    NO_COMMON_PROTOCOL = "no_common_protocol"
    SERVICE_REFUSED = "service_refused"  # payment or energy transfer the car needs is not offered
    AUTHORIZATION_TIMEOUT = "authorization_timeout"
    PARAMETERS_TIMEOUT = "parameters_timeout"
    CABLE_CHECK_GAVE_UP = "cable_check_gave_up"
    PRE_CHARGE_GAVE_UP = "pre_charge_gave_up"
    MESSAGE_TIMEOUT = "message_timeout"
    ANSWER_FAILED = "answer_failed"  # a FAILED response code
    PROTOCOL_ERROR = "protocol_error"  # bytes, message or session id that do not belong here
    CONNECTION_LOST = "connection_lost"  # TCP closed by the charger
    UNPLUGGED = "unplugged"
    MISBEHAVED = "misbehaved"  # the scenario told it to


class EvseState(Enum):
    """What the charger's status means to a car."""

    READY = "ready"
    NOT_READY = "not_ready"
    SHUTDOWN = "shutdown"  # asks to end in an orderly way
    EMERGENCY = "emergency"


class Schedule(NamedTuple):
    """A power schedule of the charger; `entries` are (start s, highest power W) from when it was told."""

    id: int
    entries: tuple[tuple[float, float], ...]


class Answer(NamedTuple):
    """A response, reduced to what a car decides by; None where the message has no such field."""

    name: str
    ok: bool
    code: str
    session_id: bytes | None = None  # None: the handshake has none
    finished: bool = True  # EVSEProcessing
    for_customer: bool = False  # not finished, because a person has to act
    state: EvseState | None = None
    isolation_valid: bool = False
    voltage_v: float | None = None
    current_a: float | None = None
    max_current_a: float | None = None
    max_power_w: float | None = None
    suitable: bool = True  # offered service, payment, limits fit this car
    services: tuple[int, ...] = ()  # extra ones, of which details may be asked
    schedules: tuple[Schedule, ...] = ()
    renegotiate: bool = False  # the charger wants new parameters and a new schedule
    joined: bool = False  # the old session goes on


class Intent(NamedTuple):
    """What the next request shall say; the dialect picks what its message and the profile have room for."""

    session_id: bytes
    soc_percent: float
    ready: bool
    error: str = "NO_ERROR"
    target_voltage_v: float = 0.0
    target_current_a: float = 0.0
    bulk_complete: bool = False
    complete: bool = False
    remaining_full_s: float = 0.0
    remaining_bulk_s: float = 0.0
    service_id: int = 0  # of ServiceDetail
    schedule_id: int = 1  # chosen one
    plan: tuple[tuple[float, float], ...] = ()  # power the car wants to take: (start s, W)
    pause: bool = False  # of SessionStop
    wrong: Wrong | None = None  # scenario


class View(NamedTuple):
    """What the car measures and wants at this moment."""

    inlet_voltage_v: float
    current_a: float
    battery_voltage_v: float  # open circuit
    soc_percent: float
    wanted_voltage_v: float
    wanted_current_a: float


class NotPossible(Exception):
    """What the car was told to do does not exist in its protocol or not at this moment."""


class BadAnswer(Exception):
    """Bytes of the charger that are not the answer they should be."""


# --- events of the machine, in the order they happened ---


class PhaseEntered(NamedTuple):
    """Progress for people and summaries."""

    phase: EvPhase
    at: float


class Answered(NamedTuple):
    """One exchange done; `response_s` from the request's last byte to the answer."""

    message: str
    response_s: float
    at: float


class Reported(NamedTuple):
    """Present values of the charger in PreChargeRes, CurrentDemandRes, WeldingDetectionRes."""

    voltage_v: float
    current_a: float | None
    at: float


class PilotWanted(NamedTuple):
    """S2: "B" open, "C" closed."""

    state: str


class ContactorWanted(NamedTuple):
    """EV disconnection device."""

    closed: bool


class Trickle(NamedTuple):
    """From now on write one byte every `interval_s` (scenario)."""

    interval_s: float


class StopReading(NamedTuple):
    """From now on leave the answers in the socket (scenario)."""


class Ended(NamedTuple):
    """Last event: hang up, by RST when `reset`."""

    end: EvEnd
    detail: str
    reset: bool
    at: float
    trouble: tuple[str, ...] = ()  # what else went wrong on the way out


Event = PhaseEntered | Answered | Reported | PilotWanted | ContactorWanted | Trickle | StopReading | Ended
