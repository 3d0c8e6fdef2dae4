"""The answer to configuration as values: limits of the power electronics, those of discharging included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vsecc_host.station.values import DcLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class DischargeLimits:
    """Zero or negative; `min` and `max` speak of the magnitude. Kept: DIN and ISO 15118-2 never discharge."""

    min_current_a: float = 0.0
    max_current_a: float = 0.0
    min_power_w: float = 0.0
    max_power_w: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Who the power electronics are and what they can do."""

    firmware_version: str
    manufacturer: str
    limits: DcLimits
    min_power_w: float
    discharge: DischargeLimits | None  # None: said nothing
    float_values: bool

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Configuration:
        """From a checked payload; ValueError when a minimum lies above its maximum."""
        pairs = [(f"limit{what}Min", f"limit{what}Max") for what in ("Voltage", "Current", "Power")]
        pairs += [(f"limitDischarge{what}Max", f"limitDischarge{what}Min") for what in ("Current", "Power")]
        for low, high in pairs:
            if low in payload and high in payload and payload[low] > payload[high]:
                raise ValueError(f"{low} {payload[low]} is above {high} {payload[high]}")
        return cls(
            firmware_version=payload["firmwareVersion"],
            manufacturer=payload["manufacturer"],
            limits=DcLimits(
                min_voltage_v=float(payload["limitVoltageMin"]),
                max_voltage_v=float(payload["limitVoltageMax"]),
                min_current_a=float(payload["limitCurrentMin"]),
                max_current_a=float(payload["limitCurrentMax"]),
                max_power_w=float(payload["limitPowerMax"]),
            ),
            min_power_w=float(payload.get("limitPowerMin", 0.0)),
            discharge=_discharge(payload),
            float_values=payload.get("floatValues") is True,
        )


def _discharge(payload: Mapping[str, Any]) -> DischargeLimits | None:
    if not any(name.startswith("limitDischarge") for name in payload):
        return None
    return DischargeLimits(
        min_current_a=float(payload.get("limitDischargeCurrentMin", 0.0)),
        max_current_a=float(payload.get("limitDischargeCurrentMax", 0.0)),
        min_power_w=float(payload.get("limitDischargePowerMin", 0.0)),
        max_power_w=float(payload.get("limitDischargePowerMax", 0.0)),
    )
