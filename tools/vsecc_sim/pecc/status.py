"""The status a charge point tells: its physics as measured, with ripple, faults and rounding."""

from __future__ import annotations

from typing import Any

from vsecc_host.pep.messages import ContactorsStatus, IsolationStatus, OperationalStatus
from vsecc_host.power.stage import PowerStage
from vsecc_sim.pecc.config import PeccManners
from vsecc_sim.pecc.faults import ActiveFaults
from vsecc_sim.pecc.states import PeccState
from vsecc_sim.plant.pilot import unit_noise


class Instruments:
    """Reads a power stage; the same seed reads the same."""

    def __init__(self, stage: PowerStage, manners: PeccManners, faults: ActiveFaults, channel: int) -> None:
        self._stage = stage
        self._manners = manners
        self._faults = faults
        self._seed = manners.seed * 31 + channel * 7
        self.was_valid = False  # an isolation test once ended well

    def status(self, state: PeccState, now: float) -> dict[str, Any]:
        """Payload of a status."""
        stage, manners = self._stage, self._manners
        surplus = self._faults.value("too-much") if "too-much" in self._faults else 1.0
        return {
            "measuredVoltage": self._measured(stage.voltage_v, manners.noise_v, now, 0) * surplus,
            "measuredCurrent": self._measured(stage.current_a, manners.noise_a, now, 1) * surplus,
            "drivenVoltage": round(stage.drive_v, 2),
            "drivenCurrent": round(min(stage.drive_a, stage.current_a), 2),
            "temperature": round(stage.temperature_c, 1),
            "contactorsStatus": ContactorsStatus.CLOSED if stage.closed else ContactorsStatus.OPEN,
            "isolationStatus": self._isolation(),
            "operationalStatus": self._operational(state),
        }

    def _measured(self, value: float, noise: float, now: float, channel: int) -> float:
        """With ripple; nothing where nothing is."""
        if value < noise * 3:
            return round(max(0.0, value), 2)
        return round(max(0.0, value + noise * unit_noise(self._seed + channel, int(now * 1000))), 2)

    def _isolation(self) -> str:
        if "no-imd" in self._faults:
            return IsolationStatus.NO_IMD
        if "stale-valid" in self._faults and self.was_valid:
            return IsolationStatus.VALID
        return self._stage.isolation.value

    def _operational(self, state: PeccState) -> str:
        refusing = state is PeccState.TRANSITION and self._manners.transition_refuses
        broken = refusing or state is PeccState.INOPERATIVE
        return OperationalStatus.INOPERATIVE if broken else OperationalStatus.OPERATIVE
