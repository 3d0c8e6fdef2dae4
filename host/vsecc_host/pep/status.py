"""info/status as values, and whether its word on a cable check is meant for the check that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vsecc_host.pep.messages import ContactorsStatus, IsolationStatus, OperationalStatus
from vsecc_host.pep.times import VALID_BELIEVED_S
from vsecc_host.station.values import Isolation, PowerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The newest status; `at` is when it arrived."""

    at: float
    measured_voltage_v: float
    measured_current_a: float
    driven_voltage_v: float
    driven_current_a: float
    temperature_c: float
    closed: bool
    isolation: IsolationStatus
    operative: bool

    @classmethod
    def of(cls, payload: Mapping[str, Any], at: float) -> Status:
        """From a checked payload."""
        return cls(
            at=at,
            measured_voltage_v=float(payload["measuredVoltage"]),
            measured_current_a=float(payload["measuredCurrent"]),
            driven_voltage_v=float(payload["drivenVoltage"]),
            driven_current_a=float(payload["drivenCurrent"]),
            temperature_c=float(payload["temperature"]),
            closed=payload["contactorsStatus"] == ContactorsStatus.CLOSED,
            isolation=IsolationStatus(payload["isolationStatus"]),
            operative=payload["operationalStatus"] == OperationalStatus.OPERATIVE,
        )

    @property
    def standby(self) -> bool:
        """Contactors open and ready: what a reset leads to."""
        return self.operative and not self.closed

    def snapshot(self, *, operative: bool, accept_no_imd: bool) -> PowerSnapshot:
        """What the station is told; `operative` may be stricter than the status."""
        return PowerSnapshot(
            at=self.at,
            voltage_v=self.measured_voltage_v,
            current_a=self.measured_current_a,
            contactors_closed=self.closed,
            isolation=isolation_of(self.isolation, accept_no_imd),
            operative=operative,
            temperature_c=self.temperature_c,
        )


def isolation_of(status: IsolationStatus, accept_no_imd: bool) -> Isolation:
    """The station's name for it; without a monitor nothing was measured, except the operator allows it."""
    if status is IsolationStatus.NO_IMD:
        return Isolation.VALID if accept_no_imd else Isolation.INVALID
    return Isolation(status.value)


class CableCheckWatch:
    """Waits for the result of one cable check; the status of an older one counts for nothing.

    A result is believed once the status changed after the request was sent, or when it stays the same for
    VALID_BELIEVED_S after the request was accepted: by then a PECC that clears it has done so.
    """

    def __init__(self, before: IsolationStatus | None) -> None:
        self._before = before
        self._changed = False
        self._accepted_at: float | None = None

    def accepted(self, now: float) -> None:
        """The request was answered."""
        self._accepted_at = now

    def result(self, status: Status) -> IsolationStatus | None:
        """The result in a status that came after the request; None while there is none to believe."""
        if status.isolation is not self._before:
            self._changed = True
        if status.isolation is IsolationStatus.INVALID:
            return None
        settled = self._accepted_at is not None and status.at >= self._accepted_at + VALID_BELIEVED_S
        return status.isolation if self._changed or settled else None
