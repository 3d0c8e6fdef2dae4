"""What the simulated power electronics can do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerConfig:
    """Ratings and manners of one simulated power stage; the ramps are those of a brisk charger."""

    min_voltage_v: float = 50.0
    max_voltage_v: float = 1000.0
    min_current_a: float = 0.0
    max_current_a: float = 400.0
    max_power_w: float = 150_000.0
    voltage_ramp_v_per_s: float = 800.0
    current_rise_a_per_s: float = 400.0  # at least 100 A/s in normal operation, IEC 61851-23
    current_fall_a_per_s: float = 1000.0  # at least 200 A/s in an emergency
    isolation_time_s: float = 2.0
    contactor_delay_s: float = 0.1
    status_period_s: float = 0.2  # PEP_STATUS_UPDATE_INTERVAL
    step_s: float = 0.02  # while something moves
    ambient_c: float = 25.0
    derate_from_c: float = 80.0  # full power up to here, none at `derate_to_c`
    derate_to_c: float = 110.0
