"""What a DC session remembers and what its handlers get and give; all of it immutable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import Cause, EvParameters, EvseView
from vsecc_host.v2g.dc.kinds import State
from vsecc_host.v2g.dc.values import Code, Level, Processing, StatusCode
from vsecc_host.v2g.dialogue import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class DcSession:
    """One session from SessionSetupReq on; times are monotonic seconds, None until they happened."""

    evse_id: int
    id: bytes
    joined: bool = False  # it goes on after a pause
    evcc_id: str = ""
    state: State = State.SESSION_SETUP
    started_at: float | None = None
    authorization_since: float | None = None
    parameters_since: float | None = None
    cable_check_since: float | None = None
    pre_charge_since: float | None = None
    stop_since: float | None = None  # the station asked for a normal stop
    pilot_seen: bool = False  # state C or D was there for the cable check
    pre_charge_target_v: float = 0.0
    voltage_reached: bool = False
    start_told: bool = False  # ChargeStartRequested was emitted
    charge_started: bool = False
    charge_stopped: bool = False
    told_power_w: float = 0.0  # PMax of the schedule the EV holds
    limits_off_since: float | None = None  # the power limit is far from it
    renegotiated_at: float | None = None
    ev_error: str = ""  # name of the newest code other than NO_ERROR
    ev: EvParameters | None = None


class Manners(NamedTuple):
    """What a protocol or a setting decides about a session; times in seconds."""

    protocol: str
    power_switch_s: float  # how long PowerDeliveryRes may wait
    ready_to_charge_s: float | None = None  # session setup to power delivery, None: no bound
    energy_mode: str = "DC_extended"  # offered to DIN cars
    renegotiate_share: float = 0.0  # change of the power limit that asks for renegotiation; 0: never
    refuse_profile: bool = False  # a charging profile above the offered schedule ends the session


class Situation(NamedTuple):
    """When and against which truth a request is answered; `first` is False when it is looked at again."""

    view: EvseView
    now: float
    asked_at: float
    first: bool
    manners: Manners


class Reply(NamedTuple):
    """What a handler decided; with `wait_until` the request waits for its answer, at most so long."""

    session: DcSession
    events: tuple[StationEvent, ...] = ()
    code: Code = Code.OK
    status: StatusCode = StatusCode.EVSE_Ready
    isolation: Level | None = None  # None: what the view says
    processing: Processing = Processing.FINISHED
    achieved: tuple[bool, bool, bool] = (False, False, False)  # limits of current, voltage, power
    moves: bool = True  # False: the EV repeats the same request (Ongoing)
    wait_until: float | None = None
    ending: Ending | None = None
    pauses: bool = False  # the session may be joined again


class Refusal(NamedTuple):
    """Why a request gets a FAILED answer, which ends the session."""

    code: Code
    cause: Cause
    detail: str
    status: StatusCode = StatusCode.EVSE_NotReady


Handler = Callable[[Any, DcSession, Situation], Reply | Refusal]


class Rule(NamedTuple):
    """One cell of a sequence table; `then` is the state after a positive, final answer."""

    handler: Handler
    then: State
