"""What the simulated car does after an answer: one rule per step, in the order of a session. Pure.

Neutral to the protocol: a dialect has turned the response into an `Answer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vsecc_sim.ev import values as v
from vsecc_sim.ev.memory import Memory

SMALL_A = 1.0  # below this nothing flows (IEC 61851-23: contactors open below 1 A)
ASKED_A = 2.0  # a target from here on must bring current
WIND_DOWN_S = 3.0  # wait for the current to end, then switch off anyway

PHASE = {
    v.Step.HANDSHAKE: v.EvPhase.SETUP,
    v.Step.CABLE_CHECK: v.EvPhase.CABLE_CHECK,
    v.Step.PRE_CHARGE: v.EvPhase.PRE_CHARGE,
    v.Step.POWER_ON: v.EvPhase.CHARGING,
    v.Step.POWER_OFF: v.EvPhase.STOPPING,
    v.Step.SESSION_STOP: v.EvPhase.STOPPING,
}

ORDERLY = (v.EvEnd.CHARGED, v.EvEnd.STOPPED_BY_DRIVER, v.EvEnd.STOPPED_BY_EVSE, v.EvEnd.PAUSED)

_SETUP = (
    v.Step.SESSION_SETUP,
    v.Step.SERVICE_DISCOVERY,
    v.Step.SERVICE_DETAIL,
    v.Step.PAYMENT_SELECTION,
    v.Step.AUTHORIZATION,
    v.Step.RENEGOTIATE,
    v.Step.CHARGE_PARAMETERS,
)
_BEFORE_POWER = (v.Step.CABLE_CHECK, v.Step.PRE_CHARGE)
_POWER = (v.Step.POWER_ON, v.Step.CURRENT_DEMAND)


class Verdict(NamedTuple):
    """Next step, what to do in the plant, how long to think (None: by the profile, under `habit` if set)."""

    step: v.Step
    events: tuple[v.Event, ...] = ()
    wait_s: float | None = None
    habit: str | None = None


def judge(memory: Memory, step: v.Step, answer: v.Answer, now: float) -> Verdict:
    """Decide from a response that belongs to `step`."""
    if not answer.ok:
        return fail(memory, v.EvEnd.ANSWER_FAILED, f"{answer.name} {answer.code}")
    if step is v.Step.SESSION_SETUP:
        memory.session_id = answer.session_id or b""
    elif answer.session_id is not None and answer.session_id != memory.session_id:
        return fail(
            memory, v.EvEnd.PROTOCOL_ERROR, f"{answer.name} with session id {answer.session_id.hex()}"
        )
    if memory.end is None and answer.state is v.EvseState.EMERGENCY:
        verdict = leave(memory, step, v.EvEnd.EMERGENCY_SHUTDOWN, answer.name)
        return verdict._replace(events=(v.ContactorWanted(False), *verdict.events), wait_s=0.0)
    if memory.end in (None, v.EvEnd.CHARGED) and answer.state is v.EvseState.SHUTDOWN and step in _WAYS_OUT:
        return leave(memory, step, v.EvEnd.STOPPED_BY_EVSE, answer.name)._replace(habit="stop")
    wish = memory.wish if memory.wish is not v.EvEnd.PAUSED else None  # a pause waits until energy flows
    if memory.end is None and wish is not None and step in (*_SETUP, *_BEFORE_POWER):
        return leave(memory, step, wish, "")
    return _RULES[step](memory, answer, now)


def fail(memory: Memory, end: v.EvEnd, detail: str) -> Verdict:
    """Nothing more to say; an end that stands already is kept."""
    if memory.end is None:
        memory.end, memory.detail = end, detail
    else:
        memory.trouble.append(f"{end}: {detail}")
    return Verdict(v.Step.CLOSE, wait_s=0.0)


def leave(memory: Memory, step: v.Step, end: v.EvEnd, detail: str) -> Verdict:
    """Go the orderly way out from `step`."""
    memory.end, memory.detail = end, detail
    way = _WAYS_OUT[step] if step not in _BEFORE_POWER else v.Step(memory.profile.checks.give_up)
    memory.weldings_left = 0
    if step in _POWER:
        ending = memory.profile.ending
        memory.weldings_left = ending.weldings if end in ORDERLY else ending.weldings_after_fault
    events: tuple[v.Event, ...] = (v.PilotWanted("B"),) if way is v.Step.SESSION_STOP else ()
    return Verdict(way, events)


def _handshake(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    return Verdict(v.Step.SESSION_SETUP)


def _session_setup(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    if not 1 <= len(memory.session_id) <= 8 or not any(memory.session_id):
        return fail(memory, v.EvEnd.PROTOCOL_ERROR, f"session id {memory.session_id.hex()!r} given")
    if answer.joined and memory.session_id != memory.old_session_id:
        return fail(memory, v.EvEnd.PROTOCOL_ERROR, f"{answer.code}, but it is no session of ours")
    return Verdict(v.Step.SERVICE_DISCOVERY)


def _service_discovery(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    if not answer.suitable:
        return leave(
            memory, v.Step.SERVICE_DISCOVERY, v.EvEnd.SERVICE_REFUSED, "no DC or no external payment"
        )
    if memory.profile.messages.service_detail:
        memory.services = list(answer.services)
    return Verdict(v.Step.SERVICE_DETAIL if memory.services else v.Step.PAYMENT_SELECTION)


def _service_detail(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    memory.services = memory.services[1:]
    return Verdict(v.Step.SERVICE_DETAIL if memory.services else v.Step.PAYMENT_SELECTION)


def _payment_selection(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    return Verdict(v.Step.AUTHORIZATION)


def _authorization(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    if answer.for_customer:
        return _for_customer(memory, now)
    return _ongoing(memory, v.Step.AUTHORIZATION, answer, now) or Verdict(v.Step.CHARGE_PARAMETERS)


def _for_customer(memory: Memory, now: float) -> Verdict:
    """Somebody has to show a card; that time does not count as the charger's."""
    if memory.customer_since is None:
        memory.customer_since = now
    memory.customer_until = now
    patience_s = memory.profile.patience.customer_s
    if now - memory.customer_since >= patience_s:
        return leave(
            memory, v.Step.AUTHORIZATION, v.EvEnd.AUTHORIZATION_TIMEOUT, f"nobody for {patience_s:.0f} s"
        )
    return Verdict(v.Step.AUTHORIZATION)


def _charge_parameters(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    _take_limits(memory, answer)
    waiting = _ongoing(memory, v.Step.CHARGE_PARAMETERS, answer, now)
    if waiting is not None:
        return waiting
    if answer.schedules:
        memory.schedule, memory.schedule_since = answer.schedules[0], now
    if memory.sent.get(v.Step.RENEGOTIATE) and memory.profile.checks.renegotiation == "short":
        return Verdict(v.Step.POWER_ON)
    # State C must stand when the cable check starts: the car locks and closes S2 before it asks.
    return Verdict(v.Step.CABLE_CHECK, (v.PilotWanted("C"),))


def _take_limits(memory: Memory, answer: v.Answer) -> None:
    if answer.max_current_a is not None:
        memory.max_current_a = answer.max_current_a
    if answer.max_power_w is not None:
        memory.max_power_w = answer.max_power_w


def _cable_check(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    waiting = _ongoing(memory, v.Step.CABLE_CHECK, answer, now)
    if waiting is not None:
        return waiting
    checks = memory.profile.checks
    if checks.needs_ready and not (answer.state is v.EvseState.READY and answer.isolation_valid):
        verdict = leave(
            memory, v.Step.CABLE_CHECK, v.EvEnd.CABLE_CHECK_GAVE_UP, "finished, but not ready or not valid"
        )
        return verdict._replace(wait_s=checks.not_ready_wait_s)
    return Verdict(v.Step.PRE_CHARGE)


def _pre_charge(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    checks = memory.profile.checks
    voltage_v = answer.voltage_v if checks.trust == "reported" else memory.view.inlet_voltage_v
    difference_v = abs((voltage_v or 0.0) - memory.view.battery_voltage_v)
    memory.fitting_rounds = memory.fitting_rounds + 1 if difference_v <= checks.pre_charge_tolerance_v else 0
    if memory.fitting_rounds >= checks.pre_charge_rounds:
        return Verdict(v.Step.POWER_ON, (v.ContactorWanted(True),))
    if memory.waited_s(v.Step.PRE_CHARGE, now) >= memory.profile.patience.pre_charge_s:
        return leave(memory, v.Step.PRE_CHARGE, v.EvEnd.PRE_CHARGE_GAVE_UP, f"{difference_v:.1f} V off")
    return Verdict(v.Step.PRE_CHARGE)


def _power_on(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    return Verdict(v.Step.CURRENT_DEMAND)


def _current_demand(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    _take_limits(memory, answer)
    if memory.winding_down_since is not None:
        return _winding_down(memory, now)
    if _lacks_current(memory, now):
        return leave(
            memory, v.Step.CURRENT_DEMAND, v.EvEnd.NO_CURRENT, f"{memory.asked_current_a:.1f} A asked for"
        )
    end = memory.wish or (v.EvEnd.CHARGED if _charged(memory) else None)
    if end is not None:
        verdict = leave(memory, v.Step.CURRENT_DEMAND, end, "")
    elif answer.renegotiate or memory.new_parameters:
        verdict = Verdict(v.Step.RENEGOTIATE)
    else:
        return Verdict(v.Step.CURRENT_DEMAND)
    if not memory.profile.ending.ramp_down:
        return verdict
    memory.winding_down_since, memory.leads_to = now, verdict.step
    return Verdict(v.Step.CURRENT_DEMAND)


def _winding_down(memory: Memory, now: float) -> Verdict:
    """The target is 0 A; go on as soon as nothing flows."""
    if memory.end is None and memory.wish is not None:  # a wish to end comes before new parameters
        leave(memory, v.Step.CURRENT_DEMAND, memory.wish, "")
        memory.leads_to = v.Step.POWER_OFF
    waited_s = now - (now if memory.winding_down_since is None else memory.winding_down_since)
    done = memory.view.current_a <= SMALL_A or waited_s >= WIND_DOWN_S
    return Verdict(memory.leads_to if done else v.Step.CURRENT_DEMAND)


def _charged(memory: Memory) -> bool:
    view = memory.view
    return (
        view.soc_percent >= memory.target_soc_percent
        or view.wanted_current_a < memory.profile.charging.end_current_a
    )


def _lacks_current(memory: Memory, now: float) -> bool:
    """The target has brought nothing for longer than the car bears."""
    if memory.asked_current_a < ASKED_A or memory.view.current_a >= SMALL_A:
        memory.no_current_since = None
        return False
    if memory.no_current_since is None:
        memory.no_current_since = now
    return now - memory.no_current_since >= memory.profile.patience.no_current_s


def _renegotiate(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    memory.start_afresh()
    full = memory.profile.checks.renegotiation == "full"
    # Before a cable check the battery must be off the cable; the pilot stays in C.
    return Verdict(v.Step.CHARGE_PARAMETERS, (v.ContactorWanted(False),) if full else ())


def _power_off(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    step = v.Step.WELDING_DETECTION if memory.weldings_left else v.Step.SESSION_STOP
    return Verdict(step, (v.ContactorWanted(False), v.PilotWanted("B")))


def _welding_detection(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    memory.weldings_left -= 1
    return Verdict(v.Step.WELDING_DETECTION if memory.weldings_left > 0 else v.Step.SESSION_STOP)


def _session_stop(memory: Memory, answer: v.Answer, now: float) -> Verdict:
    return Verdict(v.Step.CLOSE, wait_s=memory.profile.ending.close_s)


_ONGOING_ENDS = {
    v.Step.AUTHORIZATION: v.EvEnd.AUTHORIZATION_TIMEOUT,
    v.Step.CHARGE_PARAMETERS: v.EvEnd.PARAMETERS_TIMEOUT,
    v.Step.CABLE_CHECK: v.EvEnd.CABLE_CHECK_GAVE_UP,
}


def _ongoing(memory: Memory, step: v.Step, answer: v.Answer, now: float) -> Verdict | None:
    """Ask again while the charger is not finished, leave when patience is over; None when finished."""
    if answer.finished:
        return None
    patience = memory.profile.patience
    waited_s = memory.waited_s(step, now)
    if step is v.Step.AUTHORIZATION and memory.customer_until is not None:
        waited_s = now - memory.customer_until
    limits_s = {
        v.Step.AUTHORIZATION: patience.authorization_s,
        v.Step.CHARGE_PARAMETERS: patience.parameters_s,
        v.Step.CABLE_CHECK: patience.cable_check_s,
    }
    if waited_s >= limits_s[step]:
        return leave(memory, step, _ONGOING_ENDS[step], f"ongoing for {limits_s[step]:.0f} s")
    return Verdict(step)


_WAYS_OUT = {
    **dict.fromkeys(_SETUP, v.Step.SESSION_STOP),
    **dict.fromkeys(_BEFORE_POWER, v.Step.SESSION_STOP),  # or as the profile says
    **dict.fromkeys(_POWER, v.Step.POWER_OFF),
}

_RULES: dict[v.Step, Callable[[Memory, v.Answer, float], Verdict]] = {
    v.Step.HANDSHAKE: _handshake,
    v.Step.SESSION_SETUP: _session_setup,
    v.Step.SERVICE_DISCOVERY: _service_discovery,
    v.Step.SERVICE_DETAIL: _service_detail,
    v.Step.PAYMENT_SELECTION: _payment_selection,
    v.Step.AUTHORIZATION: _authorization,
    v.Step.CHARGE_PARAMETERS: _charge_parameters,
    v.Step.CABLE_CHECK: _cable_check,
    v.Step.PRE_CHARGE: _pre_charge,
    v.Step.POWER_ON: _power_on,
    v.Step.CURRENT_DEMAND: _current_demand,
    v.Step.RENEGOTIATE: _renegotiate,
    v.Step.POWER_OFF: _power_off,
    v.Step.WELDING_DETECTION: _welding_detection,
    v.Step.SESSION_STOP: _session_stop,
}
