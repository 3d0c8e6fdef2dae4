"""What the host knows of one port: from reports at once, from the cyclic status what reports missed."""

from __future__ import annotations

from collections.abc import Callable

from vsecc_host.mcu_link.messages import CpStateMessage, FaultMessage, McuStatus, RelayMessage, name_in
from vsecc_host.station.events import CpStateChanged, EvseEvent, PortFaultChanged, RelayChanged
from vsecc_host.station.values import CpState
from vsecc_link.messages import FAULT_NAMES

# A status may overtake a report that is being repeated, and only the report knows the reason: wait this many.
STATUS_CONFIRMS = 3
FAULT_BITS = 16  # width of the mask in STATUS

ToHostTime = Callable[[int], float]


class PortState:
    """Turns facts into events, each change once; ports, relays and EVSEs share their numbers."""

    def __init__(self, evse_id: int) -> None:
        self.evse_id = evse_id
        self._cp = CpState.UNKNOWN
        self._relay: bool | None = None
        self._faults = 0  # kept over a lost link: what was released meanwhile is reported
        self._repaired_at: dict[str, float] = {}
        self._doubts: dict[str, int] = {}

    def link_up(self) -> None:
        """A new session: everything is reported anew."""
        self._cp = CpState.UNKNOWN
        self._relay = None
        self._repaired_at.clear()
        self._doubts.clear()

    def on_cp(self, message: CpStateMessage, to_host_time: ToHostTime) -> list[EvseEvent]:
        """A pilot report."""
        at = to_host_time(message.ticks_us)
        if self._outdated("cp", at):
            return []
        return self._set_cp(message.state, message.high_mv, message.low_mv, at)

    def on_relay(self, message: RelayMessage, to_host_time: ToHostTime) -> list[EvseEvent]:
        """A relay report."""
        at = to_host_time(message.ticks_us)
        if self._outdated("relay", at):
            return []
        return self._set_relay(message.closed, message.reason, at)

    def on_fault(self, message: FaultMessage, to_host_time: ToHostTime) -> list[EvseEvent]:
        """A fault report."""
        at = to_host_time(message.ticks_us)
        if self._outdated(f"fault{message.fault}", at):
            return []
        return self._set_fault(message.fault, message.latched, at)

    def on_status(self, status: McuStatus, to_host_time: ToHostTime) -> list[EvseEvent]:
        """The cyclic snapshot: what differs from the reports for three in a row is taken from here."""
        port = status.ports[self.evse_id - 1]
        closed = bool(status.relays_closed >> (self.evse_id - 1) & 1)
        at = to_host_time(status.ticks_us)
        events: list[EvseEvent] = []
        if self._confirmed("cp", port.cp_state != self._cp, at):
            events += self._set_cp(port.cp_state, port.high_mv, port.low_mv, at)
        if self._confirmed("relay", closed != self._relay, at):
            events += self._set_relay(closed, "as the status says", at)
        if not self._faults and not port.faults:
            return events
        for bit in range(FAULT_BITS):
            latched = bool(port.faults >> bit & 1)
            if self._confirmed(f"fault{bit}", latched != bool(self._faults >> bit & 1), at):
                events += self._set_fault(bit, latched, at)
        return events

    def _confirmed(self, what: str, differs: bool, at: float) -> bool:
        if not differs:
            self._doubts.pop(what, None)
            return False
        self._doubts[what] = self._doubts.get(what, 0) + 1
        if self._doubts[what] < STATUS_CONFIRMS:
            return False
        del self._doubts[what]
        self._repaired_at[what] = at
        return True

    def _outdated(self, what: str, at: float) -> bool:
        """A repeated report may arrive after the status told something newer."""
        return at < self._repaired_at.get(what, 0.0)

    def _set_cp(self, state: CpState, high_mv: int, low_mv: int, at: float) -> list[EvseEvent]:
        previous, self._cp = self._cp, state
        if state == previous:
            return []
        return [
            CpStateChanged(
                at=at, evse_id=self.evse_id, state=state, previous=previous, high_mv=high_mv, low_mv=low_mv
            )
        ]

    def _set_relay(self, closed: bool, reason: str, at: float) -> list[EvseEvent]:
        if closed == self._relay:
            return []
        self._relay = closed
        return [RelayChanged(at=at, evse_id=self.evse_id, closed=closed, reason=reason)]

    def _set_fault(self, bit: int, latched: bool, at: float) -> list[EvseEvent]:
        if latched == bool(self._faults >> bit & 1):
            return []
        self._faults ^= 1 << bit
        name = name_in(FAULT_NAMES, bit)
        return [PortFaultChanged(at=at, evse_id=self.evse_id, fault=name, latched=latched)]
