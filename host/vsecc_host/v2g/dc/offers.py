"""What is offered to cars in both protocols."""

from __future__ import annotations

from dataclasses import replace

from vsecc_host.station.values import DcLimits

PEAK_RIPPLE_A = 1.0  # of the current; informative, cars do not act on it
SCHEDULE_S = 86_400  # one day, the entry every charger on the road sends
_NEVER_ZERO = 1.0  # A, V or W: some cars leave at once when they are offered nothing, even while Ongoing


def never_zero(limits: DcLimits) -> DcLimits:
    """The limits as charge parameters tell them."""
    return replace(
        limits,
        max_current_a=max(limits.max_current_a, _NEVER_ZERO),
        max_voltage_v=max(limits.max_voltage_v, _NEVER_ZERO),
        max_power_w=max(limits.max_power_w, _NEVER_ZERO),
    )
