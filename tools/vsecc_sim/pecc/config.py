"""What a simulated charge point is made of; a scenario file sets every one of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from vsecc_host.pep.times import REQUEST_TIMEOUT_S, SECC_UNRESPONSIVE_S, STATUS_INTERVAL_S
from vsecc_host.power.config import PowerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Discharge:
    """Limits of PEP 1.8 for power from the car; zero or negative, Min and Max speak of the magnitude."""

    min_current_a: float = 0.0
    max_current_a: float = 0.0
    min_power_w: float = 0.0
    max_power_w: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeccManners:
    """How a charge point talks, as far as PEP leaves it open; times in s."""

    firmware_version: str = "sim-1.0"
    manufacturer: str = "vsecc"
    float_values: bool = True
    versions: tuple[str, ...] = ("1.8", "1.7", "1.6", "1.5", "1.4", "1.3", "1.2")
    status_period_s: float = STATUS_INTERVAL_S
    reply_delay_s: float = 0.005
    ping_period_s: float = 1.0  # 0: never
    silence_s: float = SECC_UNRESPONSIVE_S  # without a sign of life: standby
    request_timeout_s: float = REQUEST_TIMEOUT_S  # of its own requests
    transition_s: float = 0.3  # least length of the way to standby
    transition_refuses: bool = True  # inoperative meanwhile; false: served as in standby
    ramp_down_s: float = 0.5  # contactors wait so long for the current to fall
    trip_c: float = 120.0  # its own protection: inoperative above
    strict_pending: bool = False  # a second request before the reply: error generic
    accept_open_cable_check: bool = False  # a cableCheck with open contactors
    accept_early_charge: bool = False  # charge straight after the cable check
    noise_v: float = 0.2  # standard deviation of the measurements
    noise_a: float = 0.1
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PeccConfig:
    """One charge point; all have the same unless a program builds them one by one."""

    power: PowerConfig = field(default_factory=PowerConfig)
    manners: PeccManners = field(default_factory=PeccManners)
    discharge: Discharge | None = None
