"""Settings of one outlet's SLAC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacConfig:
    """`interface` is the modem's; every outlet has its own interface and so its own host MAC."""

    interface: str = ""
    slac_init_s: float = 40.0  # TT_EVSE_SLAC_init, 20..50 s: 5 % on until the first CM_SLAC_PARM.REQ
    wake_retries: int = 2  # C_sequ_retry: E/F tries if no SLAC came; 0 leaves the car asleep
    matching_runs: int = 5  # C_conn_max_match, at least 3: joins that may fail before the cable must come out
    attenuation_offset_db: int | tuple[int, ...] = 0  # the board's receive path, one value or one per group
    stand_in_attenuation: bool = False  # only with a modem that never measures and no neighbour in earshot
    validation: bool = True  # False: CM_VALIDATE is answered "failure", cars then go on without it
    reset_dead_modem: bool = True  # VS_RS_DEV once when the modem stops answering
