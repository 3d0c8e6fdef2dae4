"""Actions from the first message of a car to flowing energy; the one place that gives permission is here."""

from __future__ import annotations

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.limits import PRE_CHARGE_MAX_A, cable_check_voltage, clamp_current
from vsecc_host.station.state import STALE_S, STUCK_S, EvSession, EvseState
from vsecc_host.station.table import Input, Step
from vsecc_host.station.values import Authorization, CableCheck, Cause, Phase, PowerPhase, Stop


def begin(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """A V2G session: ask who pays; an authorization given while the car waited still counts."""
    s.session = EvSession(live=True, begun=True)
    s.cause, s.cause_detail, s.stop = Cause.NONE, "", Stop.NONE
    s.cable_check = CableCheck.IDLE
    s.deadlines[Input.T_STALE] = max(now, s.power.at + STALE_S)
    if not isinstance(event, e.V2gSessionStarted):
        return
    s.session.evcc_id = event.evcc_id
    if not (event.resumed and s.authorization is Authorization.ACCEPTED):
        s.out.append(
            c.RequestAuthorization(evse_id=s.evse_id, evcc_id=event.evcc_id, protocol=event.protocol)
        )


def cable(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The cable check is due: it needs CP C or D, then the relay, then the contactors."""
    s.cable_check = CableCheck.ONGOING
    s.deadlines[Input.T_CABLE_CHECK] = now + s.config.cable_check_wait_s
    if s.session.powered:
        _start_over(s, now)
    elif s.cp.energy:
        grant(s, step, event, now)
    else:
        s.deadlines[Input.T_CP] = now + s.config.cp_wait_s


def grant(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The only place that gives permission: CP in C or D, session accepted, cable check asked."""
    if s.session.granted:
        return
    s.deadlines.pop(Input.T_CP, None)
    s.deadlines[Input.T_RELAY] = now + s.config.relay_wait_s
    s.set_grant(True)


def _start_over(s: EvseState, now: float) -> None:
    """After a renegotiation: power electronics check the cable only on a fresh start (PEP state machine)."""
    s.session.powered, s.session.restarting = False, True
    s.deadlines[Input.T_STUCK] = now + STUCK_S
    s.out.append(c.PowerContactors(evse_id=s.evse_id, closed=False))
    s.out.append(c.PowerReset(evse_id=s.evse_id))


def close(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The relay permits energy: contactors may close."""
    if not s.session.granted or s.session.powered:
        return
    s.deadlines.pop(Input.T_RELAY, None)
    s.deadlines.pop(Input.T_STUCK, None)  # contactors that did not open are found by T_CONTACTORS now
    s.deadlines[Input.T_CONTACTORS] = now + s.config.contactor_wait_s
    s.session.powered, s.session.restarting = True, False
    s.out.append(c.PowerContactors(evse_id=s.evse_id, closed=True))


def close_again(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Off for the restart after a renegotiation, and nothing else at the outlet: on again."""
    if s.session.restarting and s.relay_closed:
        close(s, step, event, now)


def check(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Contactors are closed, output dead: measure the isolation, IEC 61851-23 CC.4.1.2."""
    if not s.session.powered or s.session.checking or s.cable_check is not CableCheck.ONGOING:
        return
    s.deadlines.pop(Input.T_CONTACTORS, None)
    s.session.checking = True
    told = s.told.max_voltage_v if s.told is not None else 0.0
    ev_max = s.session.ev.max_voltage_v if s.session.ev is not None else 0.0
    voltage = cable_check_voltage(ev_max, min(told, s.config.cable_max_voltage_v))
    s.out.append(c.PowerCableCheck(evse_id=s.evse_id, voltage_v=voltage))


def passed(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The isolation is good enough."""
    s.cable_check = CableCheck.PASSED
    s.session.checking = False
    s.deadlines.pop(Input.T_CABLE_CHECK, None)


def aim_pre_charge(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Follow the pre-charge target with at most 2 A; cars ask for 0 A and mean "whatever it takes"."""
    if s.phase is not Phase.PRE_CHARGE:
        s.deadlines[Input.T_PRE_CHARGE] = now + s.config.pre_charge_wait_s
    limits = s.limits.offered  # a power bound of 0 W must not keep the car from getting ready
    current = min(s.session.current_a or PRE_CHARGE_MAX_A, PRE_CHARGE_MAX_A, limits.max_current_a)
    aim(s, min(s.session.voltage_v, limits.max_voltage_v), current, PowerPhase.PRE_CHARGE)


def start(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Energy may flow; the first target comes with the first request of the loop."""
    s.session.charged = True
    s.session.current_a = 0.0
    s.deadlines[Input.T_SILENCE] = now + s.config.target_silence_s


def aim_charge(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Follow the car within the limits; the newest target wins."""
    s.deadlines[Input.T_SILENCE] = now + s.config.target_silence_s
    aim(s, *_charge_target(s), PowerPhase.CHARGE)


def aim_again(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Limits changed: do not wait for the car when the present target is too high now."""
    wanted = (*_charge_target(s), PowerPhase.CHARGE)
    aimed = s.session.aimed
    if aimed is not None and aimed[2] is PowerPhase.CHARGE and wanted != aimed:
        aim(s, *wanted)


def ease(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The car has gone quiet in the loop: no current while it does not ask for any."""
    s.session.current_a = 0.0
    aim(s, *_charge_target(s), PowerPhase.CHARGE)


def _charge_target(s: EvseState) -> tuple[float, float]:
    limits = s.limits.enforced
    return min(s.session.voltage_v, limits.max_voltage_v), clamp_current(s.session.current_a, limits)


def aim(s: EvseState, voltage_v: float, current_a: float, phase: PowerPhase) -> None:
    """Tell the power electronics a new target."""
    s.session.aimed = (voltage_v, current_a, phase)
    s.out.append(
        c.PowerTarget(
            evse_id=s.evse_id,
            voltage_v=voltage_v,
            current_a=current_a,
            soc_percent=s.session.soc_percent,
            phase=phase,
        )
    )
