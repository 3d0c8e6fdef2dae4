"""What an event means: notes its values in the state and names the inputs of the table it stands for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vsecc_host.station import events as e
from vsecc_host.station import values as v
from vsecc_host.station.commands import PowerSupervision
from vsecc_host.station.faults import cause_of_open_relay
from vsecc_host.station.limits import (
    VOLTAGE_STEP_V,
    Bound,
    Verdict,
    judge_request,
    measured_over,
    voltage_suits,
)
from vsecc_host.station.state import (
    COOLED_K,
    GONE_S,
    INOPERATIVE_S,
    LOW_CURRENT_A,
    STALE_S,
    TOUCH_SAFE_V,
    EvseState,
)
from vsecc_host.station.table import ENERGY_PHASES, SESSION_PHASES, Input

OVER_LIMITS_S = 0.4  # IEC 61851-23:2023 table 104: longer is an error shutdown
PRE_CHARGE_BAND_V = 20.0  # pre-charge counts as done within this distance

Inputs = tuple[Input, ...]


def observe(s: EvseState, event: e.StationEvent, now: float) -> Inputs:
    """Inputs this event stands for, in order; unknown events of other parts mean nothing here."""
    reader = _READERS.get(type(event))
    return reader(s, event, now) if reader is not None else ()


def _mcu_up(s: EvseState, event: e.McuLinkUp, now: float) -> Inputs:
    s.mcu_up, s.mcu_refused = True, False
    s.cp, s.relay_closed, s.port_faults = v.CpState.UNKNOWN, False, ()
    return (Input.MCU_UP,)


def _mcu_lost(s: EvseState, event: e.McuLinkLost, now: float) -> Inputs:
    s.mcu_up, s.mcu_refused = False, event.refused
    s.cp, s.relay_closed = v.CpState.UNKNOWN, False  # the grant expires, the relay opens by itself (S3)
    s.out.append(PowerSupervision(evse_id=s.evse_id, relay_closed=False))
    s.seen_detail = event.reason
    s.seen_cause = v.Cause.MCU_REFUSED if event.refused else v.Cause.MCU_LINK_LOST
    return (Input.MCU_LOST,)


def _cp(s: EvseState, event: e.CpStateChanged, now: float) -> Inputs:
    before, s.cp = s.cp, event.state
    if event.state is v.CpState.A:
        return (Input.CP_A,)
    if event.state is v.CpState.B:
        return (Input.CP_LEFT if before.energy else Input.CP_B,)
    if event.state is v.CpState.F and now < s.f_driven_until:
        return (Input.CP_DRIVEN_F,)
    return (Input.CP_CD if event.state.energy else Input.CP_BAD,)


def _relay(s: EvseState, event: e.RelayChanged, now: float) -> Inputs:
    changed, s.relay_closed = s.relay_closed is not event.closed, event.closed
    s.out.append(PowerSupervision(evse_id=s.evse_id, relay_closed=event.closed))
    if event.closed:
        return (Input.RELAY_CLOSED,)
    s.seen_cause, s.seen_detail = cause_of_open_relay(event.reason), event.reason
    return (Input.RELAY_OPENED,) if changed else ()


def _port_fault(s: EvseState, event: e.PortFaultChanged, now: float) -> Inputs:
    s.seen_detail = event.fault
    others = tuple(name for name in s.port_faults if name != event.fault)
    s.port_faults = tuple(sorted((*others, event.fault))) if event.latched else others
    return (Input.FAULT_LATCHED if event.latched else Input.FAULT_RELEASED,)


def _parameters(s: EvseState, event: e.EvParametersTold, now: float) -> Inputs:
    if s.phase not in SESSION_PHASES:
        return (Input.PARAMETERS,)
    s.session.ev = event.parameters
    s.session.soc_percent = event.parameters.soc_percent or s.session.soc_percent
    s.refresh_limits(now)
    suits = voltage_suits(s.told, event.parameters)
    return (Input.PARAMETERS,) if suits else (Input.PARAMETERS, Input.VOLTAGE_BAD)


def _cable_check_asked(s: EvseState, event: e.CableCheckRequested, now: float) -> Inputs:
    if s.authorization is not v.Authorization.ACCEPTED:
        return (Input.NOT_ALLOWED,)
    return (Input.CABLE_CHECK,) if s.phase in (v.Phase.SETUP, v.Phase.CABLE_CHECK) else (Input.OUT_OF_ORDER,)


def _pre_charge_asked(s: EvseState, event: e.PreChargeRequested, now: float) -> Inputs:
    if s.phase in ENERGY_PHASES and s.cable_check is not v.CableCheck.PASSED:
        return (Input.OUT_OF_ORDER,)
    s.session.voltage_v, s.session.current_a = event.voltage_v, event.current_a
    wrong = judge_request(event.voltage_v, 1.0, 0.0, s.limits.enforced, _hardware_max_v(s))
    return (Input.VOLTAGE_BAD,) if Verdict.VOLTAGE in wrong else (Input.PRE_CHARGE,)


def _start_asked(s: EvseState, event: e.ChargeStartRequested, now: float) -> Inputs:
    if s.phase is v.Phase.SETUP:  # after a renegotiation the output may still be on
        return (Input.GO_ON if s.session.powered else Input.OUT_OF_ORDER,)
    return (Input.OUT_OF_ORDER,) if s.phase is v.Phase.CABLE_CHECK else (Input.START,)


def _target_asked(s: EvseState, event: e.ChargeTargetRequested, now: float) -> Inputs:
    if s.phase is not v.Phase.CHARGING:
        return (Input.TARGET,)
    session = s.session
    session.voltage_v, session.current_a = event.voltage_v, event.current_a
    session.soc_percent = event.soc_percent
    session.remaining_to_full_s = event.remaining_to_full_s
    if (event.max_voltage_v, event.max_current_a, event.max_power_w) != (None, None, None):
        _follow_ev_limits(s, event, now)
    wrong = judge_request(
        event.voltage_v, event.current_a, s.power.voltage_v, s.tolerated_limits(now), _hardware_max_v(s)
    )
    if Verdict.VOLTAGE in wrong:
        return (Input.VOLTAGE_BAD,)
    aborts = (Verdict.CURRENT in wrong and s.config.abort_on_invalid_current) or (
        Verdict.POWER in wrong and s.config.abort_on_invalid_power
    )
    return (Input.REQUEST_BAD,) if aborts else (Input.TARGET,)


def _follow_ev_limits(s: EvseState, event: e.ChargeTargetRequested, now: float) -> None:
    known = s.session.ev or v.EvParameters(max_voltage_v=0.0, max_current_a=0.0)
    values = v.EvParameters(
        max_voltage_v=known.max_voltage_v if event.max_voltage_v is None else event.max_voltage_v,
        max_current_a=known.max_current_a if event.max_current_a is None else event.max_current_a,
        max_power_w=known.max_power_w if event.max_power_w is None else event.max_power_w,
        soc_percent=event.soc_percent,
        energy_capacity_wh=known.energy_capacity_wh,
        energy_request_wh=known.energy_request_wh,
        full_soc_percent=known.full_soc_percent,
        bulk_soc_percent=known.bulk_soc_percent,
    )
    if values != s.session.ev:
        s.session.ev = values
        s.refresh_limits(now)


def _hardware_max_v(s: EvseState) -> float:
    told = s.told.max_voltage_v if s.told is not None else 0.0
    return min(told, s.config.cable_max_voltage_v)


def _ev_error(s: EvseState, event: e.EvErrorReported, now: float) -> Inputs:
    s.session.ev_error = event.code
    return (Input.EV_ERROR,)


def _ended(s: EvseState, event: e.V2gSessionEnded, now: float) -> Inputs:
    s.session.orderly, s.session.end_cause, s.session.end_detail = event.orderly, event.cause, event.detail
    return (Input.ENDED,)


def _matching_failed(s: EvseState, event: e.MatchingFailed, now: float) -> Inputs:
    s.seen_cause, s.seen_detail = v.Cause.MATCHING_FAILED, event.detail
    return (Input.MATCHING_OVER if event.final else Input.MATCHING_FAILED,)


def _link(s: EvseState, event: e.LinkChanged, now: float) -> Inputs:
    s.seen_cause = v.Cause.LINK_LOST
    return (Input.LINKED if event.linked else Input.MATCHING_FAILED,)


def _modem(s: EvseState, event: e.ModemTold, now: float) -> Inputs:
    s.modem_dead, s.seen_detail = not event.usable, event.detail
    return (Input.MODEM,)


def _availability(s: EvseState, event: e.V2gAvailability, now: float) -> Inputs:
    if s.cause is event.cause is not v.Cause.NONE:
        s.cause_detail = event.detail
    s.unserved, s.unserved_detail = event.cause, event.detail
    return ()  # a blocker, looked at when the event is done


def _power_limits(s: EvseState, event: e.PowerLimitsTold, now: float) -> Inputs:
    s.told = event.limits
    s.refresh_limits(now)
    return (Input.POWER_LIMITS,)


def _cable_check_done(s: EvseState, event: e.CableCheckDone, now: float) -> Inputs:
    if not s.session.checking:
        return ()  # a result of an older check counts for nothing
    good = event.isolation is v.Isolation.VALID or (
        event.isolation is v.Isolation.WARNING and s.config.allow_isolation_warning
    )
    return (Input.ISOLATION_OK if good else Input.ISOLATION_BAD,)


def _power_lost(s: EvseState, event: e.PowerLost, now: float) -> Inputs:
    s.seen_cause, s.seen_detail = event.cause, event.detail
    if event.cause is not v.Cause.POWER_REFUSED:  # a refused command is over at once, the others last
        s.power_lost = event.cause
    return (Input.POWER_LOST,)


def _authorization(s: EvseState, event: e.AuthorizationDecided, now: float) -> Inputs:
    s.seen_cause, s.seen_detail = v.Cause.NOT_AUTHORIZED, event.who
    if s.phase in SESSION_PHASES or s.phase is v.Phase.CONNECTED:
        s.authorization = v.Authorization.ACCEPTED if event.accepted else v.Authorization.REJECTED
    return (Input.ACCEPT if event.accepted else Input.REJECT,)


def _stop(s: EvseState, event: e.StopRequested, now: float) -> Inputs:
    s.seen_detail = event.who
    s.seen_cause = v.Cause.STATION_STOPPED if event.who == "station" else v.Cause.STOP_REQUESTED
    if event.emergency:
        s.seen_cause = v.Cause.EMERGENCY_INPUT
    return (Input.EMERGENCY if event.emergency else Input.STOP,)


def _limit(s: EvseState, event: e.LimitChanged, now: float) -> Inputs:
    if event.max_power_w is event.max_current_a is None:
        s.named.pop(event.owner, None)
    else:
        s.named[event.owner] = Bound(
            math.inf if event.max_power_w is None else event.max_power_w,
            math.inf if event.max_current_a is None else event.max_current_a,
        )
    s.refresh_limits(now)
    return (Input.LIMIT,)


def _measured(s: EvseState, event: e.PowerMeasured, now: float) -> Inputs:
    new, before = event.snapshot, s.power
    if s.power_seen and new.at < before.at:
        return ()  # overtaken by a newer one
    s.power, s.power_seen = new, True
    s.meter.measure(new)
    s.deadlines[Input.T_STALE], s.deadlines[Input.T_DEAD] = new.at + STALE_S, new.at + GONE_S
    seen = [Input.MEASURED]
    if new.contactors_closed and not before.contactors_closed:
        seen.append(Input.CONTACTORS_CLOSED)
    elif before.contactors_closed and not new.contactors_closed and not _opening_is_meant(s):
        seen.append(Input.CONTACTORS_OPENED)  # while closing is awaited: an opening of before, seen late
    if not new.contactors_closed and not s.session.powered:
        s.stuck = False
        s.deadlines.pop(Input.T_STUCK, None)
    _note_operative(s, new, now, seen)
    s.hot = new.temperature_c > s.config.max_temperature_c - (COOLED_K if s.hot else 0.0)
    if s.hot:
        seen.append(Input.TOO_HOT)
    if s.phase in (v.Phase.PRE_CHARGE, v.Phase.CHARGING) or (s.phase is v.Phase.SETUP and s.session.powered):
        _check_output(s, new, before, now, seen)
    elif s.phase is v.Phase.CABLE_CHECK and new.operative and new.voltage_v < TOUCH_SAFE_V:
        seen.append(Input.OUTPUT_DEAD if new.contactors_closed else Input.OUTPUT_FREE)
    elif s.phase is v.Phase.STOPPING and s.session.powered and new.current_a < LOW_CURRENT_A:
        seen.append(Input.CURRENT_LOW)
    s.unlock_when_safe(now)
    return tuple(seen)


def _opening_is_meant(s: EvseState) -> bool:
    """While closing is awaited it is an opening of before, seen late."""
    return Input.T_CONTACTORS in s.deadlines or s.session.restarting


def _note_operative(s: EvseState, new: v.PowerSnapshot, now: float, seen: list[Input]) -> None:
    if new.operative:
        s.inoperative_since = None
        s.power_lost = v.Cause.NONE
        s.deadlines.pop(Input.T_INOPERATIVE, None)
        return
    if s.power_lost is v.Cause.POWER_STALE:
        s.power_lost = v.Cause.POWER_INOPERATIVE  # they speak again, and say that they cannot
    if s.inoperative_since is None:
        s.inoperative_since = now
        s.deadlines[Input.T_INOPERATIVE] = now + INOPERATIVE_S
    if not s.session.restarting:  # on the way to standby power electronics may be inoperative
        seen.append(Input.INOPERATIVE)


def _check_output(
    s: EvseState, new: v.PowerSnapshot, before: v.PowerSnapshot, now: float, seen: list[Input]
) -> None:
    if s.phase is v.Phase.CHARGING and _voltage_step(new.voltage_v) != _voltage_step(before.voltage_v):
        s.refresh_limits(now)
    if new.isolation is v.Isolation.FAULT:
        seen.append(Input.ISOLATION_LOST)
    if not measured_over(new.voltage_v, new.current_a, s.tolerated_limits(now)):
        s.deadlines.pop(Input.T_OVER, None)
    elif Input.T_OVER not in s.deadlines:
        s.deadlines[Input.T_OVER] = now + OVER_LIMITS_S
    if abs(new.voltage_v - s.session.voltage_v) <= PRE_CHARGE_BAND_V:
        s.deadlines.pop(Input.T_PRE_CHARGE, None)


def _voltage_step(voltage_v: float) -> int:
    return math.ceil(voltage_v / VOLTAGE_STEP_V)


def _as(seen: Input) -> Callable[[EvseState, Any, float], Inputs]:
    return lambda s, event, now: (seen,)


_READERS: dict[type[e.StationEvent], Callable[[EvseState, Any, float], Inputs]] = {
    e.McuLinkUp: _mcu_up,
    e.McuLinkLost: _mcu_lost,
    e.CpStateChanged: _cp,
    e.RelayChanged: _relay,
    e.PortFaultChanged: _port_fault,
    e.PilotWanted: _as(Input.PILOT_WANTED),
    e.MatchingFailed: _matching_failed,
    e.LinkChanged: _link,
    e.ModemTold: _modem,
    e.V2gSessionStarted: _as(Input.SESSION),
    e.EvParametersTold: _parameters,
    e.CableCheckRequested: _cable_check_asked,
    e.PreChargeRequested: _pre_charge_asked,
    e.ChargeStartRequested: _start_asked,
    e.ChargeTargetRequested: _target_asked,
    e.ChargeRenegotiationRequested: _as(Input.RENEGOTIATE),
    e.ChargeStopRequested: _as(Input.EV_STOP),
    e.WeldingDetectionRequested: _as(Input.WELDING),
    e.EvErrorReported: _ev_error,
    e.V2gSessionEnded: _ended,
    e.V2gAvailability: _availability,
    e.PowerLimitsTold: _power_limits,
    e.PowerMeasured: _measured,
    e.CableCheckDone: _cable_check_done,
    e.PowerLost: _power_lost,
    e.AuthorizationDecided: _authorization,
    e.StopRequested: _stop,
    e.RenegotiationRequested: _as(Input.NEW_TERMS),
    e.LimitChanged: _limit,
}
