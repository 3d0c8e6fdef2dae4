"""What a DIN session remembers and what its handlers get and give; all of it immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vsecc_host.station.events import StationEvent
from vsecc_host.station.values import Cause, EvParameters, EvseView
from vsecc_host.v2g.dialogue import Ending
from vsecc_host.v2g.din70121.states import State
from vsecc_host.v2g.exi import din70121 as m


@dataclass(frozen=True, slots=True, kw_only=True)
class DinSession:
    """One session from SessionSetupReq on; times are monotonic seconds, None until they happened."""

    evse_id: int
    id: bytes
    state: State = State.SESSION_SETUP
    started_at: float | None = None
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
    ev_error: int = 0
    ev: EvParameters | None = None


class Situation(NamedTuple):
    """When and against which truth a request is answered; `first` is False when it is looked at again."""

    view: EvseView
    now: float
    asked_at: float
    first: bool


class Reply(NamedTuple):
    """What a handler decided; without a body the request waits until `wait_until` at most."""

    body: object | None
    session: DinSession
    events: tuple[StationEvent, ...] = ()
    moves: bool = True  # False: the EV repeats the same request (Ongoing)
    wait_until: float | None = None
    ending: Ending | None = None


class Refusal(NamedTuple):
    """Why a request gets a FAILED answer, which ends the session."""

    code: m.ResponseCode
    cause: Cause
    detail: str
    status: m.DcEvseStatusCode = m.DcEvseStatusCode.EVSE_NotReady
