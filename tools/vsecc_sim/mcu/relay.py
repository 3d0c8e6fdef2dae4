"""A safety relay with its charge pump driver: contact delays, welding, refusal to close, mirror contact."""

from __future__ import annotations

from vsecc_sim.mcu.pio import StateMachine
from vsecc_sim.mcu.trace import Trace

# Small signal relay with its driver stage.
CLOSE_DELAY_US = 6_000
OPEN_DELAY_US = 3_000
# The capacitor of the pump holds the gate for 0.13 ms (docs/hardware.md), the FET's own time with it.
PUMP_HOLD_US = 150


class Relay:
    """Contact closed only while the drive pin toggles; times in us of the board's clock."""

    def __init__(self, number: int, trace: Trace) -> None:
        """Open and not driven."""
        self.number = number
        self.close_delay_us = CLOSE_DELAY_US
        self.open_delay_us = OPEN_DELAY_US
        self.no_close = False
        self.feedback_stuck: bool | None = None
        self.pump_stuck = False
        self.driven = False
        self.machine: StateMachine | None = None
        self._trace = trace
        self._welded = False
        self._contact = False
        self._contact_due_us: int | None = None
        self._pump_until_us: int | None = None

    @property
    def closed(self) -> bool:
        """True while the contact conducts."""
        return self._contact or self._welded

    @property
    def feedback(self) -> bool:
        """What the mirror contact tells: True for closed."""
        return self.closed if self.feedback_stuck is None else self.feedback_stuck

    def set_welded(self, welded: bool, at_us: int) -> None:
        """Welds the contact shut, or frees it."""
        before = self.closed
        self._welded = welded
        self._note(before, at_us)

    def pump(self, until_us: int, at_us: int) -> None:
        """The drive pin toggles from now until that time unless told again."""
        if self.pump_stuck:
            return
        self._pump_until_us = until_us
        if not self.driven:
            self._drive(True, at_us)

    def set_pump_stuck(self, stuck: bool, at_us: int) -> None:
        """The PIO machine behind the pin stands still, whatever it is fed; or goes on."""
        self.sync(at_us)
        self.pump_stuck = stuck
        if self.machine is not None:
            self.machine.set_active(not stuck, at_us)
        if stuck:
            self.drop(at_us)

    def drop(self, at_us: int) -> None:
        """The drive pin stands still from now on."""
        self._pump_until_us = None
        if self.driven:
            self._drive(False, at_us)

    def sync(self, to_us: int) -> None:
        """Runs the PIO machine behind the pin, where there is one, and takes over its pulses."""
        machine = self.machine
        if machine is None:
            return
        edges = machine.edge_count
        machine.run(to_us)
        if machine.edge_count != edges:
            self.pump(machine.last_edge_us + PUMP_HOLD_US, machine.last_edge_us if self.driven else to_us)

    def next_us(self) -> int | None:
        """When this part has something to do."""
        due, until = self._contact_due_us, self._pump_until_us
        if due is None or until is None:
            return until if due is None else due
        return min(due, until)

    def advance(self, now_us: int) -> None:
        """Does what is due."""
        if self._contact_due_us is not None and self._contact_due_us <= now_us:
            due, self._contact_due_us = self._contact_due_us, None
            before = self.closed
            self._contact = self.driven and not self.no_close
            self._note(before, due)
        if self._pump_until_us is not None and self._pump_until_us <= now_us:
            self.drop(self._pump_until_us)

    def _drive(self, on: bool, at_us: int) -> None:
        self.driven = on
        self._trace.add(at_us, f"relay{self.number}.drive", on)
        self._contact_due_us = at_us + (self.close_delay_us if on else self.open_delay_us)

    def _note(self, before: bool, at_us: int) -> None:
        if self.closed != before:
            self._trace.add(at_us, f"relay{self.number}.closed", self.closed)
