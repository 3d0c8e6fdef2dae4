"""Actions that end a session: current goes to zero before contactors open, permission goes last (S9)."""

from __future__ import annotations

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.energy import aim
from vsecc_host.station.faults import asks_car_first, explains, needs_replug, ramp_s
from vsecc_host.station.state import LOW_CURRENT_A, STUCK_S, EvseState
from vsecc_host.station.table import Input, Step
from vsecc_host.station.values import Authorization, CableCheck, Cause, Phase, PilotMode, PowerPhase, Stop

ERROR_PILOT_OFF_S = 2.0  # X1 within 2.5 s after an error shutdown, IEC 61851-23:2023 CC.3.4.2
V2G_END_WAIT_S = 6.0  # V2G answers FAILED and gives the car 5 s to close
EV_END_WAIT_S = 90.0  # backstop: V2G ends a silent car after 60 s
MAX_PAUSE_S = 60.0


def trip(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """S9: emergency stop. The first cause counts, unless all there was is a polite request to stop."""
    cause = step.cause if step.cause is not Cause.NONE else s.seen_cause
    follows = s.stop is Stop.NORMAL and cause is Cause.CP_LEFT_C  # how a car that was asked may stop
    if s.cause is Cause.NONE or (s.stop is Stop.NORMAL and not follows):
        s.set_cause(cause)
    _shut_down(s, now, cause)


def stop_hard(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The car did not follow a polite request to stop."""
    _shut_down(s, now, s.cause)


def _shut_down(s: EvseState, now: float, cause: Cause) -> None:
    s.stop = Stop.EMERGENCY
    if s.cable_check is CableCheck.ONGOING:
        s.cable_check = CableCheck.FAILED
    s.deadlines[Input.T_PILOT] = now + ERROR_PILOT_OFF_S
    s.deadlines[Input.T_END] = now + V2G_END_WAIT_S
    _ramp_down(s, now, ramp_s(cause))
    if s.phase is Phase.CHARGING and Input.T_RAMP in s.deadlines and asks_car_first(cause):
        s.stop, s.session.emergency_due = Stop.NORMAL, True


def ramp(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The car ends charging: current to zero, then open; welding detection may follow."""
    if s.cable_check is CableCheck.ONGOING:
        s.cable_check = CableCheck.FAILED
    s.deadlines[Input.T_END] = now + EV_END_WAIT_S
    _ramp_down(s, now, s.config.ramp_wait_s)


def renegotiate(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """New parameters: no current until the car starts again; the output stays on while it stays in C/D."""
    if s.session.powered:
        aim(s, 0.0, 0.0, PowerPhase.CHARGE)  # not POST_CHARGE: from there power electronics know no way back
    s.cable_check = CableCheck.IDLE
    s.session.renegotiate = False


def wish_terms(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Somebody wants new parameters: the car is told until it does so or its session ends."""
    s.session.renegotiate = True


def _ramp_down(s: EvseState, now: float, wait_s: float) -> None:
    zero(s)
    low = s.power.current_a < LOW_CURRENT_A and s.is_fresh(now)
    if not s.session.powered or wait_s <= 0 or low:
        open_output(s, now)
    else:
        s.deadlines[Input.T_RAMP] = now + wait_s


def zero(s: EvseState) -> None:
    """Current to zero when there may be any."""
    if s.session.powered:
        aim(s, 0.0, 0.0, PowerPhase.POST_CHARGE)


def open_(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Waiting is over or pointless: contactors open, permission goes."""
    if s.session.powered or s.session.granted:
        open_output(s, now)


def open_output(s: EvseState, now: float) -> None:
    """Contactors open, permission gone; in doubt said again."""
    if s.session.powered:
        s.session.powered = False
        s.deadlines.pop(Input.T_RAMP, None)
        s.deadlines[Input.T_STUCK] = now + STUCK_S
        s.out.append(c.PowerContactors(evse_id=s.evse_id, closed=False))
    if s.session.emergency_due:
        s.stop = Stop.EMERGENCY
    s.set_grant(False)


def stuck(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Contactors that should be open for a while: the outlet must not be used."""
    s.stuck = s.power.contactors_closed


def ask_stop(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Ask the car to stop; a bounded wait, then hard."""
    if s.stop is Stop.NORMAL:
        return
    s.stop = Stop.NORMAL
    s.set_cause(s.seen_cause)
    s.deadlines[Input.T_STOP] = now + s.config.stop_delay_s + s.config.stop_wait_s


def break_off(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """V2G is gone while energy may flow: output off first, then tidy up."""
    note_end(s, step, event, now)
    if s.cable_check is CableCheck.ONGOING:
        s.cable_check = CableCheck.FAILED
    _ramp_down(s, now, ramp_s(s.session.end_cause))


def note_end(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """V2G is over; the machine finishes when the output is off as well."""
    s.session.live = False
    if explains(s.session.end_cause, s.cause):
        s.cause, s.cause_detail = s.session.end_cause, s.session.end_detail


def give_up(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """V2G did not end by itself: close it."""
    s.session.live = False
    refuse_v2g(s, s.cause)


def conclude(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """V2G ended before energy was in play."""
    note_end(s, step, event, now)
    finish(s, step, event, now)


def finish(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Session over: standby, and a pause before the car may try again."""
    open_output(s, now)
    s.out.append(c.PowerReset(evse_id=s.evse_id))
    if s.cause is Cause.NONE:
        s.cause, s.cause_detail = _final_cause(s), s.session.ev_error or s.session.end_detail
    s.held = needs_replug(s.cause)
    s.fruitless = 0 if s.session.charged else s.fruitless + 1
    s.session.begun = s.session.live = False
    s.reports.append("ended")
    if s.cause is Cause.EV_PAUSED:  # the plug stays locked; X1 until the car toggles or a person asks
        s.deadlines[Input.T_PILOT] = now + s.config.pilot_retain_s
        return
    s.let_go(now)
    if s.session.orderly:
        s.deadlines[Input.T_PILOT] = now + s.config.pilot_retain_s
    else:
        pilot_off(s, step, event, now)
    if not s.held:
        pause = min(MAX_PAUSE_S, s.config.restart_pause_s * 2 ** max(0, s.fruitless - 1))
        s.deadlines[Input.T_RESTART] = now + s.config.pilot_retain_s + pause


def _final_cause(s: EvseState) -> Cause:
    if s.session.ev_error:
        return Cause.EV_ERROR
    if s.authorization is Authorization.REJECTED:
        return Cause.NOT_AUTHORIZED
    if s.session.end_cause is Cause.EV_FINISHED and not s.session.charged:
        return Cause.EV_STOPPED_EARLY
    return s.session.end_cause


def pilot_off(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """X1; a finished outlet also stops listening."""
    s.deadlines.pop(Input.T_PILOT, None)
    s.set_pilot(PilotMode.STEADY_POSITIVE, now)
    if not s.session.begun:
        refuse_v2g(s, s.cause)


def refuse(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """A session nobody invited."""
    refuse_v2g(s, s.cause)


def refuse_v2g(s: EvseState, cause: Cause) -> None:
    """No answer to SDP; V2G closes what is open."""
    s.out.append(c.AcceptV2g(evse_id=s.evse_id, accepted=False, cause=cause))
