"""What an outlet is made of and how patient it is; built from the settings by the composition root."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseConfig:
    """Configuration of one outlet; every default is a value of the standards or of facts measured on cars."""

    evseid: str = "DE*VSE*E1"
    lock_connector: bool = False
    matches: bool = False  # over a powerline: matching says when the pilot invites
    cable_max_voltage_v: float = 1000.0
    cable_max_current_a: float = 500.0
    max_power_w: float = 500_000.0
    abort_on_invalid_current: bool = True
    abort_on_invalid_power: bool = True
    allow_isolation_warning: bool = False  # a cable check that ends with a warning counts as passed
    max_temperature_c: float = 100.0  # of the power electronics
    stop_delay_s: float = 0.0  # NotificationMaxDelay of a normal stop
    stop_wait_s: float = 10.0  # on top of the delay, then hard
    cp_wait_s: float = 1.5  # V2G_SECC_CPState_Detection_Timeout
    relay_wait_s: float = 1.0
    contactor_wait_s: float = 5.0
    cable_check_wait_s: float = 37.0  # V2G_SECC_CableCheck_Performance_Time is 38 s
    pre_charge_wait_s: float = 6.5  # the EV gives up after 7 s
    ramp_wait_s: float = 1.5  # PowerDeliveryRes is due within 1.5 s
    pilot_retain_s: float = 1.5  # V2G_SECC_CPOscillator_Retain_Time
    restart_pause_s: float = 5.0  # between two sessions of one plug-in; cars retry after 8..80 s
    target_silence_s: float = 3.0  # a charging car asks at least every 0.25 s
