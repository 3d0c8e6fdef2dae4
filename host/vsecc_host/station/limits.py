"""Limits of an outlet: many named owners, the tightest wins and can be seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import DcLimits, EvParameters

NO_LIMITS = DcLimits(
    min_voltage_v=0.0, max_voltage_v=0.0, min_current_a=0.0, max_current_a=0.0, max_power_w=0.0
)

PRE_CHARGE_MAX_A = 2.0  # IEC 61851-23 pre-charge
LEAST_OFFER_A = 1.0  # cars end the session when 0 A is offered
VOLTAGE_STEP_V = 10.0  # the current limit follows the voltage in steps, so that the view does not flicker
REQUEST_TOLERANCE_A = 1.0  # cars round to whole amperes, and so do the wire formats
REQUEST_TOLERANCE_V = 1.0
MEASURED_TOLERANCE = 1.05
MEASURED_TOLERANCE_V = 10.0  # accuracy of the measurement, IEC 61851-23
MEASURED_TOLERANCE_A = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`offered` is told to the car, never zero while power exists; `enforced` is what targets are cut to."""

    offered: DcLimits
    enforced: DcLimits


class Verdict(Enum):
    """What may be wrong with a requested target."""

    VOLTAGE = "voltage cannot be supplied"
    CURRENT = "current above the told limit"
    POWER = "power above the told limit"


NOTHING = Limits(NO_LIMITS, NO_LIMITS)


def effective(
    told: DcLimits | None,
    ev: EvParameters | None,
    config: EvseConfig,
    named: Mapping[str, float],
    at_voltage_v: float = 0.0,
) -> Limits:
    """The minimum over power electronics, cable, car, named owners; `at_voltage_v` 0 while nothing flows."""
    if told is None:
        return NOTHING
    ev_voltage = _positive(ev.max_voltage_v if ev is not None else None)
    ev_current = _positive(ev.max_current_a if ev is not None else None)
    ev_power = _positive(ev.max_power_w if ev is not None else None)
    max_voltage = min(told.max_voltage_v, config.cable_max_voltage_v, ev_voltage)
    max_current = min(told.max_current_a, config.cable_max_current_a, ev_current)
    bounds = {
        "power_electronics": told.max_power_w,
        "cable": config.cable_max_current_a * max_voltage,
        "station": config.max_power_w,
        "ev": min(ev_power, ev_current * max_voltage),
        **named,
    }
    owner = min(bounds, key=lambda name: bounds[name])
    power = max(0.0, bounds[owner])
    if at_voltage_v > 0:
        steps = max(1, math.ceil(at_voltage_v / VOLTAGE_STEP_V))
        max_current = min(max_current, power / (steps * VOLTAGE_STEP_V))
    elif power <= 0:
        max_current = 0.0
    enforced = DcLimits(
        min_voltage_v=told.min_voltage_v,
        max_voltage_v=max_voltage,
        min_current_a=told.min_current_a,
        max_current_a=max_current,
        max_power_w=power,
        owner=owner,
    )
    return Limits(_offer(enforced, told), enforced)


def _positive(value: float | None) -> float:
    """A bound the car told, or no bound: cars leave it out or send 0."""
    return value if value is not None and value > 0 else math.inf


def _offer(enforced: DcLimits, told: DcLimits) -> DcLimits:
    least_a = min(max(LEAST_OFFER_A, told.min_current_a), told.max_current_a)
    least_w = min(least_a * enforced.max_voltage_v, told.max_power_w)
    if enforced.max_current_a >= least_a and enforced.max_power_w >= least_w:
        return enforced
    return replace(
        enforced,
        max_current_a=max(enforced.max_current_a, least_a),
        max_power_w=max(enforced.max_power_w, least_w),
    )


def cable_check_voltage(ev_max_v: float, evse_max_v: float) -> float:
    """Voltage of the cable check, IEC 61851-23:2023 CC.4.1.2."""
    if ev_max_v <= 0:
        return min(500.0, evse_max_v)
    if ev_max_v <= 500.0:
        return min(500.0, ev_max_v + 50.0, evse_max_v)
    return min(1.1 * ev_max_v, evse_max_v)


def voltage_suits(told: DcLimits | None, ev: EvParameters) -> bool:
    """False when the car's highest voltage lies below what the power electronics can go down to."""
    return told is None or ev.max_voltage_v <= 0 or ev.max_voltage_v >= told.min_voltage_v


def clamp_current(requested_a: float, limits: DcLimits) -> float:
    """Requested current cut to the limits; below the minimum it means 0 A (IEC 61851-23:2023 CC.5.5.7)."""
    current = min(max(0.0, requested_a), limits.max_current_a)
    return current if current >= limits.min_current_a else 0.0


def judge_request(
    voltage_v: float, current_a: float, present_v: float, limits: DcLimits, hardware_max_v: float
) -> frozenset[Verdict]:
    """What is wrong with a target; power counts at the present voltage, where energy really flows."""
    too_low = current_a > 0 and voltage_v < limits.min_voltage_v - REQUEST_TOLERANCE_V
    at_least_a = current_a - REQUEST_TOLERANCE_A
    findings = {
        Verdict.VOLTAGE: too_low or voltage_v > hardware_max_v + REQUEST_TOLERANCE_V,
        Verdict.CURRENT: at_least_a > limits.max_current_a,
        Verdict.POWER: at_least_a * min(voltage_v, present_v) > limits.max_power_w,
    }
    return frozenset(verdict for verdict, found in findings.items() if found)


def measured_over(voltage_v: float, current_a: float, limits: DcLimits) -> bool:
    """True when the output is beyond the negotiated limits by more than the accuracy of a measurement."""
    return (
        voltage_v > limits.max_voltage_v + MEASURED_TOLERANCE_V
        or current_a > limits.max_current_a * MEASURED_TOLERANCE + MEASURED_TOLERANCE_A
    )


def looser(one: DcLimits, other: DcLimits) -> DcLimits:
    """Component-wise the wider of two limits: a car needs a moment to follow a cut."""
    return replace(
        one,
        max_voltage_v=max(one.max_voltage_v, other.max_voltage_v),
        max_current_a=max(one.max_current_a, other.max_current_a),
        max_power_w=max(one.max_power_w, other.max_power_w),
    )
