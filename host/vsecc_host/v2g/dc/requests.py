"""What the handlers read from requests: fields that both schemas name alike."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from vsecc_host.v2g.physical import amount


class Physical(Protocol):
    """PhysicalValue; its unit may be missing and is never needed."""

    @property
    def multiplier(self) -> int: ...
    @property
    def value(self) -> int: ...


class EvStatus(Protocol):
    """DC_EVStatus."""

    @property
    def ev_error_code(self) -> IntEnum: ...
    @property
    def ev_ress_soc(self) -> int: ...


class ChargeParameters(Protocol):
    """DC_EVChargeParameter."""

    @property
    def dc_ev_status(self) -> EvStatus: ...
    @property
    def ev_maximum_current_limit(self) -> Physical: ...
    @property
    def ev_maximum_voltage_limit(self) -> Physical: ...
    @property
    def ev_maximum_power_limit(self) -> Physical | None: ...
    @property
    def ev_energy_capacity(self) -> Physical | None: ...
    @property
    def ev_energy_request(self) -> Physical | None: ...
    @property
    def full_soc(self) -> int | None: ...
    @property
    def bulk_soc(self) -> int | None: ...


class Setup(Protocol):
    """SessionSetupReq."""

    @property
    def evccid(self) -> bytes: ...


class PreCharge(Protocol):
    """PreChargeReq."""

    @property
    def ev_target_voltage(self) -> Physical: ...
    @property
    def ev_target_current(self) -> Physical: ...


class Demand(PreCharge, Protocol):
    """CurrentDemandReq."""

    @property
    def dc_ev_status(self) -> EvStatus: ...
    @property
    def ev_maximum_voltage_limit(self) -> Physical | None: ...
    @property
    def ev_maximum_current_limit(self) -> Physical | None: ...
    @property
    def ev_maximum_power_limit(self) -> Physical | None: ...
    @property
    def remaining_time_to_full_soc(self) -> Physical | None: ...


def number(value: Physical) -> float:
    """The number of a physical value."""
    return amount(value.multiplier, value.value)


def maybe_number(value: Physical | None) -> float | None:
    """The number of an optional physical value."""
    return None if value is None else number(value)


def ev_status(body: object) -> EvStatus | None:
    """DC_EVStatus of a request, wherever it keeps it; None where it has none."""
    for holder in ("ev_power_delivery_parameter", "ev_charge_parameter"):
        body = getattr(body, holder, body)
    status: EvStatus | None = getattr(body, "dc_ev_status", None)
    return status
