"""What the power electronics are told of the car: evConnectionState and chargingSession, from the view."""

from __future__ import annotations

from typing import Any

from vsecc_host.pep.messages import ChargeMode, EvConnectionState, Kind, Message, bounded, info
from vsecc_host.pep.times import SESSION_INFO_INTERVAL_S
from vsecc_host.station.values import CpState, EvseView, Phase

_STATES = {
    CpState.A: EvConnectionState.DISCONNECTED,
    CpState.B: EvConnectionState.CONNECTED,
    CpState.C: EvConnectionState.ENERGY_TRANSFER_ALLOWED,
    CpState.D: EvConnectionState.ENERGY_TRANSFER_ALLOWED,
}


class SessionInfo:
    """Compares the view with what was told; `connected` forgets, so that all is told again."""

    def __init__(self) -> None:
        self._told_state: dict[str, Any] | None = None
        self._told: dict[str, Any] = {}
        self._told_at: float | None = None
        self._view: EvseView | None = None

    def connected(self) -> None:
        """Another connection knows nothing."""
        self._told_state, self._told, self._told_at = None, {}, None

    def update(self, view: EvseView) -> None:
        """The newest view."""
        self._view = view

    def due(self, now: float) -> list[Message]:
        """What is to be told now."""
        if self._view is None:
            return []
        messages = []
        state = connection_of(self._view)
        if self._is_news(state):
            self._told_state = state
            messages.append(info(Kind.EV_CONNECTION_STATE, state))
            if state["evConnectionState"] is EvConnectionState.DISCONNECTED:
                self._told = {}  # both ends forget the car
        changed = self._changed()
        if changed and now >= self._earliest():
            self._told.update(changed)
            self._told_at = now
            messages.append(info(Kind.CHARGING_SESSION, changed))
        return messages

    def next_deadline(self) -> float | None:
        """When something held back for a moment may be told."""
        return self._earliest() if self._told_at is not None and self._changed() else None

    def _earliest(self) -> float:
        return 0.0 if self._told_at is None else self._told_at + SESSION_INFO_INTERVAL_S

    def _is_news(self, state: dict[str, Any]) -> bool:
        """Another state, or the name of a car that was told without or with another one."""
        told = self._told_state
        if told is None or told["evConnectionState"] is not state["evConnectionState"]:
            return True
        return "vehicleId" in state and state != told

    def _changed(self) -> dict[str, Any]:
        if self._view is None or not self._view.cp_state.plugged:
            return {}
        values = session_of(self._view)
        return {name: value for name, value in values.items() if self._told.get(name) != value}


def connection_of(view: EvseView) -> dict[str, Any]:
    """Payload of evConnectionState: the pilot's view, informational only."""
    state = _STATES.get(view.cp_state, EvConnectionState.ERROR)
    if view.cp_state is CpState.F and view.phase is not Phase.FAULTED:
        state = EvConnectionState.CONNECTED  # matching wakes the car with F
    payload: dict[str, Any] = {"evConnectionState": state}
    if state is EvConnectionState.CONNECTED and view.evcc_id:
        payload["vehicleId"] = vehicle_id(view.evcc_id)
    return payload


def vehicle_id(evcc_id: str) -> str:
    """Upper-case hex in pairs with colons."""
    return ":".join(evcc_id[at : at + 2] for at in range(0, len(evcc_id), 2)).upper()


def session_of(view: EvseView) -> dict[str, Any]:
    """Payload of chargingSession as far as it is known; the car's minima are 0 in DIN and ISO 15118-2."""
    values: dict[str, Any] = {}
    if view.profile_max_power_w is not None:
        values["chargingProfileMaxPowerLimitWatts"] = bounded(view.profile_max_power_w)
    if view.remaining_to_full_s is not None:
        values["timeToFullSocSeconds"] = bounded(view.remaining_to_full_s)
    if view.ev is None:
        return values
    values |= {"evMinVoltageVolts": 0, "evMinCurrentAmperes": 0, "evMinPowerWatts": 0}
    maxima = (
        ("evMaxVoltageVolts", view.ev.max_voltage_v),
        ("evMaxCurrentAmperes", view.ev.max_current_a),
        ("evMaxPowerWatts", view.ev.max_power_w),
    )
    values |= {name: bounded(value) for name, value in maxima if value is not None and value > 0}
    return {**values, "chargeMode": ChargeMode.SCHEDULED}
