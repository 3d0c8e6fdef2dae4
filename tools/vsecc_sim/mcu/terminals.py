"""What can be wired to the board beside pilots and relays: switches, sensors, loads, locks."""

from __future__ import annotations

from dataclasses import dataclass, field

from vsecc_sim.mcu.trace import Trace

SUPPLY_MV = 24_000
OUTPUTS = 16
INPUTS = 8
SENSORS = 9
LED_NAMES = ("off", "green flashing", "green", "red flashing", "red")
# IEC 61131-2 type 1 and 3 with these limits: between them an input keeps its state.
INPUT_OFF_MV = 4_400
INPUT_ON_MV = 6_000
# A PT1000 at 20 degrees by the device's formula, degrees = 0.29 x ohm - 295.
ROOM_OHM = 1086.2
CC1_OPEN_MV = 12_000
REFERENCE_MV = 2_500

LOCKED_OHM = 11_000.0
UNLOCKED_OHM = 1_000.0
LOCK_TRAVEL_US = 300_000


def ohm_of(degrees: float) -> float:
    """Resistance that the device shows as this temperature."""
    return (degrees + 295) / 0.29


class LockMotor:
    """A connector lock: a bolt that travels while its motor is driven, and a switch with resistors."""

    def __init__(self, port: int, trace: Trace) -> None:
        """Unlocked."""
        self.port = port
        self.jammed = False
        self.overloaded = False
        self.feedback_broken = False
        self.feedback_ohm: float | None = None  # what a broken feedback shows, None: open
        self.direction = 0
        self._trace = trace
        self._position = 0.0  # 0 unlocked, 1 locked
        self._at_us = 0

    @property
    def locked(self) -> bool:
        """True once the bolt is in the plug."""
        return self._position >= 0.9

    def drive(self, direction: int, at_us: int) -> None:
        """1 towards locked, -1 towards unlocked, 0 off."""
        self.advance(at_us)
        if direction != self.direction:
            self.direction = direction
            self._trace.add(at_us, f"lock{self.port}.drive", direction)

    def advance(self, at_us: int) -> None:
        """Lets the bolt travel; an overloaded bridge and a jammed bolt do not move."""
        span_us = max(0, at_us - self._at_us)
        self._at_us = max(self._at_us, at_us)
        if not self.direction or self.jammed or self.overloaded:
            return
        before = self.locked
        self._position = min(1.0, max(0.0, self._position + self.direction * span_us / LOCK_TRAVEL_US))
        if self.locked != before:
            self._trace.add(at_us, f"lock{self.port}", self.locked)

    def ohm(self, at_us: int) -> float | None:
        """What the feedback pin sees to ground; None: open."""
        self.advance(at_us)
        if self.feedback_broken:
            return self.feedback_ohm
        return LOCKED_OHM if self.locked else UNLOCKED_OHM


@dataclass(slots=True)
class Terminals:
    """Slow inputs and outputs; bit 0 is the first of each. Changed by whoever plays the world outside."""

    digital_inputs: int = 0
    # CC1 supervision off, which CCS needs on both outlets; PP supervision on.
    dip_switches: int = 0b1100
    digital_outputs: int = 0
    overloaded: int = 0  # outputs whose load is too much for them
    supply_mv: int = SUPPLY_MV
    reference_mv: int = REFERENCE_MV
    analog_mv: list[int] = field(default_factory=lambda: [0, 0])
    cc1_mv: list[int] = field(default_factory=lambda: [CC1_OPEN_MV, CC1_OPEN_MV])  # AC, DC
    sensors_ohm: list[float | None] = field(default_factory=lambda: [ROOM_OHM] * SENSORS)  # None: open
    leds: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    button: bool = False

    def set_input_mv(self, index: int, millivolts: float) -> None:
        """Voltage at a digital input, counted from 0; between the limits it keeps its state."""
        if millivolts >= INPUT_ON_MV:
            self.digital_inputs |= 1 << index
        elif millivolts <= INPUT_OFF_MV:
            self.digital_inputs &= ~(1 << index)

    @property
    def hot_outputs(self) -> int:
        """Outputs whose driver limits its current: overloaded and switched on."""
        return self.overloaded & self.digital_outputs
