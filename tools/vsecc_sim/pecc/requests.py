"""What a request means, whether it can be carried out, and what the configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vsecc_host.pep.messages import ChargingState, ContactorsStatus, ErrorCategory, Kind, Message
from vsecc_host.power.stage import PowerStage
from vsecc_host.station.values import DcLimits
from vsecc_sim.pecc.config import PeccConfig
from vsecc_sim.pecc.faults import ActiveFaults
from vsecc_sim.pecc.states import TABLE, Input, PeccState

Refusal = tuple[str, str]  # category and details

_REQUESTS: dict[str, Input] = {
    Kind.CONFIGURATION: Input.CONFIGURATION,
    Kind.CABLE_CHECK: Input.CHECK,
    Kind.RESET: Input.RESET,
}
_TARGETS: dict[str, Input] = {
    ChargingState.STANDBY: Input.TO_STANDBY,
    ChargingState.PRE_CHARGE: Input.TO_PRE_CHARGE,
    ChargingState.CHARGE: Input.TO_CHARGE,
    ChargingState.POST_CHARGE: Input.TO_POST_CHARGE,
}


def input_of(request: Message) -> Input:
    """The input of the state machine a request stands for."""
    if request.kind == Kind.TARGET_VALUES:
        return _TARGETS[request.payload["chargingState"]]
    if request.kind == Kind.CONTACTORS_STATUS:
        closed = request.payload["contactorsStatus"] == ContactorsStatus.CLOSED
        return Input.CLOSE if closed else Input.OPEN
    return _REQUESTS[request.kind]


class Gatekeeper:
    """Decides on well-formed requests (PEP-WS, chapter on errors); carries nothing out."""

    def __init__(self, config: PeccConfig, stage: PowerStage, faults: ActiveFaults) -> None:
        self._config = config
        self._stage = stage
        self._faults = faults

    def refusal(self, request: Message, state: PeccState, *, busy: bool, supervised: bool) -> Refusal | None:
        """Category and details of the error; None where the request is accepted."""
        forced = self._forced(request)
        if forced is not None:
            return forced
        if busy and self._config.manners.strict_pending:
            return ErrorCategory.GENERIC, "the request before is not answered yet"
        step = TABLE[state, input_of(request)]
        if step.error is not None:
            return None if self._lenient(request, state) else (step.error, step.details)
        if step.action == "close" and not supervised:
            return ErrorCategory.INTERNAL, "the supervision input is open"
        if request.kind == Kind.TARGET_VALUES:
            return self._of_target(request.payload)
        return None

    def _forced(self, request: Message) -> Refusal | None:
        """Refusals by fault; `valueError` is not a value of our enumeration."""
        if "value-error" in self._faults and request.kind == Kind.TARGET_VALUES:
            return "valueError", "as injected"
        for category in ErrorCategory:
            if f"reply-{category.value}" in self._faults:
                return category.value, "as injected"
        return None

    def _lenient(self, request: Message, state: PeccState) -> bool:
        """What this PECC accepts by option although nothing can follow from it."""
        if state is PeccState.TRANSITION:
            return not self._config.manners.transition_refuses and input_of(request) is not Input.CLOSE
        checking = request.kind == Kind.CABLE_CHECK and state is PeccState.STANDBY
        return checking and self._config.manners.accept_open_cable_check

    def _of_target(self, payload: Mapping[str, Any]) -> Refusal | None:
        voltage_v, limits = payload["targetVoltage"], self.limits()
        if voltage_v > limits.max_voltage_v:
            return ErrorCategory.VALUE, f"{voltage_v} V is above {limits.max_voltage_v:g} V"
        if 0 < voltage_v < limits.min_voltage_v:
            return ErrorCategory.VALUE, f"{voltage_v} V is below {limits.min_voltage_v:g} V"
        return None

    def limits(self) -> DcLimits:
        """What may be asked for now."""
        limits = self._stage.present_limits()
        if "voltage-limit" in self._faults:
            limits = replace(limits, max_voltage_v=self._faults.value("voltage-limit"))
        return limits

    def configuration(self) -> dict[str, Any]:
        """Payload of the answer to configuration."""
        limits, manners, power = self.limits(), self._config.manners, self._config.discharge
        payload: dict[str, Any] = {
            "firmwareVersion": manners.firmware_version,
            "manufacturer": manners.manufacturer,
            "limitVoltageMin": limits.min_voltage_v,
            "limitVoltageMax": limits.max_voltage_v,
            "limitCurrentMin": limits.min_current_a,
            "limitCurrentMax": limits.max_current_a,
            "limitPowerMax": limits.max_power_w,
            "floatValues": manners.float_values,
        }
        if power is not None:
            payload |= {
                "limitPowerMin": 0.0,
                "limitDischargeCurrentMin": power.min_current_a,
                "limitDischargeCurrentMax": power.max_current_a,
                "limitDischargePowerMin": power.min_power_w,
                "limitDischargePowerMax": power.max_power_w,
            }
        if "configuration-bad" in self._faults:
            del payload["limitVoltageMax"]
        return payload
