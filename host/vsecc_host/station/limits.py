"""Limits of an outlet: many named owners, the tightest wins and can be seen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

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
LIMIT_GRACE_S = 5.0  # a car needs a moment to follow a cut of the limits
MEASURED_TOLERANCE = 1.05
MEASURED_TOLERANCE_V = 10.0  # accuracy of the measurement, IEC 61851-23
MEASURED_TOLERANCE_A = 2.0


class Bound(NamedTuple):
    """What one owner allows."""

    power_w: float = math.inf
    current_a: float = math.inf

    def watts_at(self, voltage_v: float) -> float:
        """The power this comes to at a voltage."""
        return self.power_w if self.current_a == math.inf else min(self.power_w, self.current_a * voltage_v)


@dataclass(frozen=True, slots=True)
class Limits:
    """`offered` is told to the car, never zero while power exists; `enforced` is what targets are cut to.

    `bounds_w` is why: every owner with the power it allows, tightest first.
    """

    offered: DcLimits
    enforced: DcLimits
    bounds_w: tuple[tuple[str, float], ...] = ()


class Verdict(Enum):
    """What may be wrong with a requested target."""

    VOLTAGE = "voltage cannot be supplied"
    CURRENT = "current above the told limit"
    POWER = "power above the told limit"


NOTHING = Limits(NO_LIMITS, NO_LIMITS)
_SILENT = EvParameters(max_voltage_v=0.0, max_current_a=0.0)  # a car that told nothing


def effective(
    told: DcLimits | None,
    ev: EvParameters | None,
    config: EvseConfig,
    named: Mapping[str, Bound],
    at_voltage_v: float = 0.0,
) -> Limits:
    """The minimum over power electronics, cable, car, named owners; `at_voltage_v` 0 while nothing flows."""
    if told is None:
        return NOTHING
    ev = ev or _SILENT
    max_voltage = min(told.max_voltage_v, config.cable_max_voltage_v, _positive(ev.max_voltage_v))
    bounds = {
        "power_electronics": Bound(told.max_power_w, told.max_current_a),
        "cable": Bound(current_a=config.cable_max_current_a),
        "station": Bound(config.max_power_w),
        "ev": Bound(_positive(ev.max_power_w), _positive(ev.max_current_a)),
        **named,
    }
    bounds_w = {owner: bound.watts_at(max_voltage) for owner, bound in bounds.items()}
    owner = min(bounds_w, key=bounds_w.__getitem__)
    power = max(0.0, bounds_w[owner])
    max_current = min(bound.current_a for bound in bounds.values())
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
    finite = [(name, watts) for name, watts in bounds_w.items() if math.isfinite(watts)]
    return Limits(_offer(enforced, told), enforced, tuple(sorted(finite, key=lambda bound: bound[1])))


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


class Superseded:
    """Offers of a moment ago, which a car may still be following.

    They are kept by time, not as one: a car that changes its own limits with every request must not keep an
    offer alive that was cut long ago.
    """

    _SLICE_S = 0.25  # offers of one slice expire together

    def __init__(self) -> None:
        self._slices: deque[tuple[float, DcLimits]] = deque()  # (begin, widest offer)

    def add(self, offer: DcLimits, now: float) -> None:
        """This offer was just replaced."""
        while self._slices and now >= self._slices[0][0] + LIMIT_GRACE_S:
            self._slices.popleft()
        if self._slices and now < self._slices[-1][0] + self._SLICE_S:
            begin, widest = self._slices.pop()
            self._slices.append((begin, looser(offer, widest)))
        else:
            self._slices.append((now, offer))

    def widen(self, offer: DcLimits, now: float) -> DcLimits:
        """The present offer, widened by those that are still excusable."""
        for begin, old in self._slices:
            if now < begin + LIMIT_GRACE_S:
                offer = looser(offer, old)
        return offer
