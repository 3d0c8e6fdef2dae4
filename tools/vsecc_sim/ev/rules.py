"""What the simulated car does after an answer: one rule per step, in the order of a session. Pure.

Neutral to the protocol: a dialect has turned the response into an `Answer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.values import (
    Answer,
    ContactorWanted,
    EvEnd,
    Event,
    EvPhase,
    EvseState,
    PilotWanted,
    Step,
)

SMALL_A = 1.0  # below this nothing flows (IEC 61851-23: contactors open below 1 A)
ASKED_A = 2.0  # a target from here on must bring current
WIND_DOWN_S = 3.0  # wait for the current to end, then switch off anyway

PHASE = {
    Step.HANDSHAKE: EvPhase.SETUP,
    Step.CABLE_CHECK: EvPhase.CABLE_CHECK,
    Step.PRE_CHARGE: EvPhase.PRE_CHARGE,
    Step.POWER_ON: EvPhase.CHARGING,
    Step.POWER_OFF: EvPhase.STOPPING,
    Step.SESSION_STOP: EvPhase.STOPPING,
}

ORDERLY = (EvEnd.CHARGED, EvEnd.STOPPED_BY_DRIVER, EvEnd.STOPPED_BY_EVSE)

_SETUP = (
    Step.SESSION_SETUP,
    Step.SERVICE_DISCOVERY,
    Step.PAYMENT_SELECTION,
    Step.AUTHORIZATION,
    Step.CHARGE_PARAMETERS,
)
_BEFORE_POWER = (Step.CABLE_CHECK, Step.PRE_CHARGE)
_POWER = (Step.POWER_ON, Step.CURRENT_DEMAND)


class Verdict(NamedTuple):
    """Next step, what to do in the plant, how long to think (None: by the profile, under `habit` if set)."""

    step: Step
    events: tuple[Event, ...] = ()
    wait_s: float | None = None
    habit: str | None = None


def judge(memory: Memory, step: Step, answer: Answer, now: float) -> Verdict:
    """Decide from a response that belongs to `step`."""
    if not answer.ok:
        return fail(memory, EvEnd.ANSWER_FAILED, f"{answer.name} {answer.code}")
    if step is Step.SESSION_SETUP:
        memory.session_id = answer.session_id or b""
    elif answer.session_id is not None and answer.session_id != memory.session_id:
        return fail(memory, EvEnd.PROTOCOL_ERROR, f"{answer.name} with session id {answer.session_id.hex()}")
    if memory.end is None and answer.state is EvseState.EMERGENCY:
        verdict = leave(memory, step, EvEnd.EMERGENCY_SHUTDOWN, answer.name)
        return verdict._replace(events=(ContactorWanted(False), *verdict.events), wait_s=0.0)
    if memory.end in (None, EvEnd.CHARGED) and answer.state is EvseState.SHUTDOWN and step in _WAYS_OUT:
        return leave(memory, step, EvEnd.STOPPED_BY_EVSE, answer.name)._replace(habit="stop")
    if memory.end is None and memory.wish is not None and step in (*_SETUP, *_BEFORE_POWER):
        return leave(memory, step, memory.wish, "")
    return _RULES[step](memory, answer, now)


def fail(memory: Memory, end: EvEnd, detail: str) -> Verdict:
    """Nothing more to say; an end that stands already is kept."""
    if memory.end is None:
        memory.end, memory.detail = end, detail
    else:
        memory.trouble.append(f"{end}: {detail}")
    return Verdict(Step.CLOSE, wait_s=0.0)


def leave(memory: Memory, step: Step, end: EvEnd, detail: str) -> Verdict:
    """Go the orderly way out from `step`."""
    memory.end, memory.detail = end, detail
    way = _WAYS_OUT[step] if step not in _BEFORE_POWER else Step(memory.profile.checks.give_up)
    memory.weldings_left = 0
    if step in _POWER:
        ending = memory.profile.ending
        memory.weldings_left = ending.weldings if end in ORDERLY else ending.weldings_after_fault
    events: tuple[Event, ...] = (PilotWanted("B"),) if way is Step.SESSION_STOP else ()
    return Verdict(way, events)


def _handshake(memory: Memory, answer: Answer, now: float) -> Verdict:
    return Verdict(Step.SESSION_SETUP)


def _session_setup(memory: Memory, answer: Answer, now: float) -> Verdict:
    if not 1 <= len(memory.session_id) <= 8 or not any(memory.session_id):
        return fail(memory, EvEnd.PROTOCOL_ERROR, f"session id {memory.session_id.hex()!r} given")
    return Verdict(Step.SERVICE_DISCOVERY)


def _service_discovery(memory: Memory, answer: Answer, now: float) -> Verdict:
    if not answer.suitable:
        return leave(memory, Step.SERVICE_DISCOVERY, EvEnd.SERVICE_REFUSED, "no DC or no external payment")
    return Verdict(Step.PAYMENT_SELECTION)


def _payment_selection(memory: Memory, answer: Answer, now: float) -> Verdict:
    return Verdict(Step.AUTHORIZATION)


def _authorization(memory: Memory, answer: Answer, now: float) -> Verdict:
    return _ongoing(memory, Step.AUTHORIZATION, answer, now) or Verdict(Step.CHARGE_PARAMETERS)


def _charge_parameters(memory: Memory, answer: Answer, now: float) -> Verdict:
    if answer.max_current_a is not None:
        memory.max_current_a = answer.max_current_a
    # State C must stand when the cable check starts: the car locks and closes S2 before it asks.
    pilot = (PilotWanted("C"),)
    return _ongoing(memory, Step.CHARGE_PARAMETERS, answer, now) or Verdict(Step.CABLE_CHECK, pilot)


def _cable_check(memory: Memory, answer: Answer, now: float) -> Verdict:
    waiting = _ongoing(memory, Step.CABLE_CHECK, answer, now)
    if waiting is not None:
        return waiting
    checks = memory.profile.checks
    if checks.needs_ready and not (answer.state is EvseState.READY and answer.isolation_valid):
        verdict = leave(
            memory, Step.CABLE_CHECK, EvEnd.CABLE_CHECK_GAVE_UP, "finished, but not ready or not valid"
        )
        return verdict._replace(wait_s=checks.not_ready_wait_s)
    return Verdict(Step.PRE_CHARGE)


def _pre_charge(memory: Memory, answer: Answer, now: float) -> Verdict:
    checks = memory.profile.checks
    voltage_v = answer.voltage_v if checks.trust == "reported" else memory.view.inlet_voltage_v
    difference_v = abs((voltage_v or 0.0) - memory.view.battery_voltage_v)
    memory.fitting_rounds = memory.fitting_rounds + 1 if difference_v <= checks.pre_charge_tolerance_v else 0
    if memory.fitting_rounds >= checks.pre_charge_rounds:
        return Verdict(Step.POWER_ON, (ContactorWanted(True),))
    if memory.waited_s(Step.PRE_CHARGE, now) >= memory.profile.patience.pre_charge_s:
        return leave(memory, Step.PRE_CHARGE, EvEnd.PRE_CHARGE_GAVE_UP, f"{difference_v:.1f} V off")
    return Verdict(Step.PRE_CHARGE)


def _power_on(memory: Memory, answer: Answer, now: float) -> Verdict:
    return Verdict(Step.CURRENT_DEMAND)


def _current_demand(memory: Memory, answer: Answer, now: float) -> Verdict:
    if answer.max_current_a is not None:
        memory.max_current_a = answer.max_current_a
    if memory.winding_down_since is not None:
        waited_s = now - memory.winding_down_since
        done = memory.view.current_a <= SMALL_A or waited_s >= WIND_DOWN_S
        return Verdict(Step.POWER_OFF if done else Step.CURRENT_DEMAND)
    if _lacks_current(memory, now):
        return leave(
            memory, Step.CURRENT_DEMAND, EvEnd.NO_CURRENT, f"{memory.asked_current_a:.1f} A asked for"
        )
    end = memory.wish or (EvEnd.CHARGED if _charged(memory) else None)
    if end is None:
        return Verdict(Step.CURRENT_DEMAND)
    verdict = leave(memory, Step.CURRENT_DEMAND, end, "")
    if not memory.profile.ending.ramp_down:
        return verdict
    memory.winding_down_since = now
    return Verdict(Step.CURRENT_DEMAND)


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


def _power_off(memory: Memory, answer: Answer, now: float) -> Verdict:
    step = Step.WELDING_DETECTION if memory.weldings_left else Step.SESSION_STOP
    return Verdict(step, (ContactorWanted(False), PilotWanted("B")))


def _welding_detection(memory: Memory, answer: Answer, now: float) -> Verdict:
    memory.weldings_left -= 1
    return Verdict(Step.WELDING_DETECTION if memory.weldings_left > 0 else Step.SESSION_STOP)


def _session_stop(memory: Memory, answer: Answer, now: float) -> Verdict:
    return Verdict(Step.CLOSE, wait_s=memory.profile.ending.close_s)


_ONGOING_ENDS = {
    Step.AUTHORIZATION: EvEnd.AUTHORIZATION_TIMEOUT,
    Step.CHARGE_PARAMETERS: EvEnd.PARAMETERS_TIMEOUT,
    Step.CABLE_CHECK: EvEnd.CABLE_CHECK_GAVE_UP,
}


def _ongoing(memory: Memory, step: Step, answer: Answer, now: float) -> Verdict | None:
    """Ask again while the charger is not finished, leave when patience is over; None when finished."""
    if answer.finished:
        return None
    patience = memory.profile.patience
    limits_s = {
        Step.AUTHORIZATION: patience.authorization_s,
        Step.CHARGE_PARAMETERS: patience.parameters_s,
        Step.CABLE_CHECK: patience.cable_check_s,
    }
    if memory.waited_s(step, now) >= limits_s[step]:
        return leave(memory, step, _ONGOING_ENDS[step], f"ongoing for {limits_s[step]:.0f} s")
    return Verdict(step)


_WAYS_OUT = {
    **dict.fromkeys(_SETUP, Step.SESSION_STOP),
    **dict.fromkeys(_BEFORE_POWER, Step.SESSION_STOP),  # or as the profile says
    **dict.fromkeys(_POWER, Step.POWER_OFF),
}

_RULES: dict[Step, Callable[[Memory, Answer, float], Verdict]] = {
    Step.HANDSHAKE: _handshake,
    Step.SESSION_SETUP: _session_setup,
    Step.SERVICE_DISCOVERY: _service_discovery,
    Step.PAYMENT_SELECTION: _payment_selection,
    Step.AUTHORIZATION: _authorization,
    Step.CHARGE_PARAMETERS: _charge_parameters,
    Step.CABLE_CHECK: _cable_check,
    Step.PRE_CHARGE: _pre_charge,
    Step.POWER_ON: _power_on,
    Step.CURRENT_DEMAND: _current_demand,
    Step.POWER_OFF: _power_off,
    Step.WELDING_DETECTION: _welding_detection,
    Step.SESSION_STOP: _session_stop,
}
