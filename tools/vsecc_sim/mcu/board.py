"""The board around the MCU: relays, pilot ports, host line, watchdog, terminals, on one integer-us clock.

Knows nothing about how the firmware is executed. Whoever executes it calls the outputs, reads the inputs and
lets time pass with `advance`; a watchdog or commanded reset shows in `reset_cause` until `boot` is called.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from vsecc_sim.mcu.line import UartLine
from vsecc_sim.mcu.port import PilotPort
from vsecc_sim.mcu.relay import Relay
from vsecc_sim.mcu.terminals import LockMotor, Terminals
from vsecc_sim.mcu.trace import Trace

PORTS = (1, 2)
RELAYS = (1, 2, 3)
# Indices of RESET_NAMES in the message catalogue.
CAUSE_POWER_ON, CAUSE_WATCHDOG, CAUSE_COMMANDED, CAUSE_FATAL, CAUSE_BROWN_OUT, CAUSE_UNKNOWN = range(6)
# Below the first the brown-out detector holds the chip in reset, below the second all power is gone.
BROWN_OUT_MV = 9_000
POWER_GONE_MV = 3_000
FEED_US = 20_000
WATCHDOG_US = 150_000


@dataclass(slots=True)
class BusFaults:
    """What is wrong with the SPI bus: dead chips by name, the line stuck at a level, flipped bits."""

    dead: set[str] = field(default_factory=set)
    stuck: int | None = None
    flip_bit: bool = False


class Board:
    """Everything that is soldered or plugged to the MCU."""

    def __init__(self, *, seed: int = 0, start_us: int = 0) -> None:
        """Powered, the MCU not yet started."""
        self.now_us = start_us
        self.trace = Trace()
        self.ports = {number: PilotPort(number, self.trace, seed=seed) for number in PORTS}
        self.relays = {number: Relay(number, self.trace) for number in RELAYS}
        self.uart = UartLine(seed=seed)
        self.terminals = Terminals()
        self.locks = {number: LockMotor(number, self.trace) for number in PORTS}
        self.bus_faults = BusFaults()
        self.source_dead = False  # of the temperature converter
        self.expanders_disturbed = False
        self.calibrated = True
        self.reset_cause: int | None = None
        self.boot_cause = CAUSE_POWER_ON
        self.boot_id = 0
        self.boots = 0
        self.hung = False
        self.stall_us = 0
        # What the program computes until both ports are decided; the emulated chip takes no time otherwise.
        self.cycle_cost_us = 0
        # Interrupts the program at its next idle: "exception" (a driver fails) or "console" (Ctrl-C).
        self.raises = ""
        self.restart = False
        self._random = random.Random(seed)
        self._watchdog_us: int | None = None
        self._watchdog_timeout_us = WATCHDOG_US
        self._parts: tuple[PilotPort | Relay, ...] = (*self.ports.values(), *self.relays.values())

    def boot(self) -> None:
        """The MCU starts; what it starts from is in `boot_cause`."""
        if self.reset_cause is not None:
            self.boot_cause, self.reset_cause = self.reset_cause, None
        self.boots += 1
        self.restart = False
        self.boot_id = self._random.randrange(1, 1 << 32)
        self.hung = False
        self.trace.add(self.now_us, "boot", self.boot_cause)

    def advance(self, to_us: int) -> None:
        """Lets time pass; everything due on the way happens at its own time."""
        to_us = max(to_us, self.now_us)
        for relay in self.relays.values():
            relay.sync(to_us)
        while True:
            due = [at for part in self._parts if (at := part.next_us()) is not None]
            if self._watchdog_us is not None:
                due.append(self._watchdog_us)
            if not due or min(due) > to_us:
                break
            self.now_us = max(self.now_us, min(due))
            for part in self._parts:
                part.advance(self.now_us)
            if self._watchdog_us is not None and self._watchdog_us <= self.now_us:
                self.reset(CAUSE_WATCHDOG)
        self.now_us = to_us
        self.uart.advance(to_us)

    def next_us(self) -> int | None:
        """When something happens by itself next; pulses and bytes under way apart."""
        due = [at for part in self._parts if (at := part.next_us()) is not None]
        if self._watchdog_us is not None:
            due.append(self._watchdog_us)
        return min(due, default=None)

    def reset(self, cause: int) -> None:
        """The chip restarts: pins fall to their reset levels, the watchdog is off, the pumps stop."""
        self.trace.add(self.now_us, "reset", cause)
        self.reset_cause = cause
        self._watchdog_us = None
        for port in self.ports.values():
            port.reset(self.now_us)
        for relay in self.relays.values():
            relay.machine = None
            relay.drop(self.now_us)
        for lock in self.locks.values():
            lock.drive(0, self.now_us)
        self.uart.mcu_reset()
        self.write_outputs(0)

    def soft_reset(self) -> None:
        """The interpreter restarts, not the chip: levels stay, PIO stands still, the watchdog counts on."""
        self.trace.add(self.now_us, "soft-reset", True)
        self.restart = True
        for relay in self.relays.values():
            relay.sync(self.now_us)
            relay.machine = None
            relay.drop(self.now_us)
        self.uart.mcu_reset()

    def watchdog_start(self, timeout_us: int) -> None:
        """Arms the watchdog."""
        self._watchdog_timeout_us = timeout_us
        self._watchdog_us = self.now_us + timeout_us

    def watchdog_feed(self, at_us: int | None = None) -> None:
        """Starts the time-out anew; the first call arms it."""
        self._watchdog_us = (self.now_us if at_us is None else at_us) + self._watchdog_timeout_us

    @property
    def watchdog_armed(self) -> bool:
        """True while the watchdog counts."""
        return self._watchdog_us is not None

    def write_outputs(self, values: int) -> None:
        """Sets the 16 outputs; bit 0 = output 1."""
        if values != self.terminals.digital_outputs:
            self.terminals.digital_outputs = values
            self.trace.add(self.now_us, "outputs", values)

    def write_led(self, index: int, pattern: int) -> None:
        """LED 0 (system) to 3; pattern as in the message catalogue."""
        if self.terminals.leds[index] != pattern:
            self.terminals.leds[index] = pattern
            self.trace.add(self.now_us, f"led{index}", pattern)

    @property
    def held_in_reset(self) -> bool:
        """True while the supply is too low for the chip."""
        return self.terminals.supply_mv < BROWN_OUT_MV

    def set_supply(self, supply_mv: int) -> None:
        """Supply voltage; too little holds the chip in reset. Power that was gone comes back as power-on."""
        self.terminals.supply_mv = supply_mv
        if self.held_in_reset:
            gone = supply_mv < POWER_GONE_MV or self.reset_cause == CAUSE_POWER_ON
            self.reset(CAUSE_POWER_ON if gone else CAUSE_BROWN_OUT)
