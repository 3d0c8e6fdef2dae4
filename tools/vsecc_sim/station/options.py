"""What a simulated station is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# A demo battery is small, so that a session from 20 to 80 % takes seconds at fast-charging power.
DEMO_CAPACITY_WH = 400.0
DEMO_SOC_PERCENT = 20.0
DEMO_TARGET_SOC_PERCENT = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOptions:
    """Options of `vsecc sim station` and `vsecc demo`; `plc` is one endpoint URL per outlet."""

    evses: int = 2
    seed: int = 1
    interpreter: str = "auto"
    state_dir: Path | None = None
    factory: Path | None = None
    config: Path | None = None
    plc: tuple[str, ...] = ()
    demo_battery: bool = False
    virtual_time: bool = False
