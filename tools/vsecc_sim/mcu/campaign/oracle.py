"""What must hold in every case, judged from the board alone: knows the car and the hosts, not the program.

S1, S2, S3, S4 and S7 in the words of an observer with a voltmeter: a driven relay has a car in C or D and a
live grant behind it, and no output shows what nobody asked for.
"""

from __future__ import annotations

from vsecc_link import messages
from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.campaign.host import CampaignHost
from vsecc_sim.mcu.trace import Entry

S2_US = 10_000
S3_US = 500_000
# A program that stands still: the keep-alive starves within 20 ms, the pump's capacitor adds its own.
S4_US = 20_200
STEP_US = 1000
# Everything that is neither C nor D by any edition's bands, gaps included.
ENERGY_MV = (1000, 8000)


class Oracle:
    """Look at the board once a millisecond; `violations` are (time in us, rule, text)."""

    def __init__(self, board: Board) -> None:
        """Starts listening to the board's trace."""
        self.violations: list[tuple[int, str, str]] = []
        self.hosts: list[CampaignHost] = []
        self.asked_duties: set[int] = {0, 1000}
        self.asked: dict[str, set[object]] = {"outputs": {0}, "lock1.drive": {0}, "lock2.drive": {0}}
        self.is_stalled = False  # the chip itself is faulty: S4's bound stands in for S2's and S3's
        self.checks = 0
        self._board = board
        self._energy_us = {1: -S3_US, 2: -S3_US}
        self._driven_without: dict[tuple[int, str], int] = {}
        board.trace.listeners.append(self._on_entry)

    def ask(self, message: tuple[object, ...]) -> None:
        """A good host asks for this: outputs may show it from now on."""
        if message[0] == messages.SET_PILOT and message[2] == messages.PILOT_PWM:
            self.asked_duties.add(int(str(message[3])))
        elif message[0] == messages.SET_OUTPUTS:
            self.asked["outputs"].add(int(str(message[1])) & int(str(message[2])))
        elif message[0] == messages.SET_LOCK:
            self.asked[f"lock{message[1]}.drive"].add(1 if message[2] else -1)

    def has_energy(self, port: int) -> bool:
        """The car itself, whatever the program believes."""
        line = self._board.ports[port].line
        return ENERGY_MV[0] < line.plateau_mv(True) < ENERGY_MV[1]

    def look(self) -> None:
        """Checks every relay against the car and the hosts."""
        now = self._board.now_us
        for port in (1, 2):
            if self.has_energy(port):
                self._energy_us[port] = now
            if self._board.relays[port].driven:
                self.checks += 1
                self._look_at(port, now)

    def _look_at(self, port: int, now: int) -> None:
        slack = S4_US if self.is_stalled else S2_US
        # The moment of the change lies within the millisecond before it was first seen.
        if now - self._energy_us[port] > slack + STEP_US:
            self._violate(now, "S4" if self.is_stalled else "S2", f"relay {port} driven, car not in C or D")
        granted = self._granted_us(port, now)
        if now - granted > (S4_US if self.is_stalled else 2 * STEP_US):
            self._violate(now, "S3", f"relay {port} driven without a live grant")

    def _granted_us(self, port: int, now: int) -> int:
        """Until when the newest grant of any host lets this relay be closed."""
        until = -S3_US
        for host in self.hosts:
            for at_us, relays, valid_ms in reversed(host.grants):
                if port in relays:
                    until = max(until, at_us + min(valid_ms * 1000, S3_US) + 2 * STEP_US)
                    break
                if now - at_us > S3_US:
                    break
        return until

    def _on_entry(self, entry: Entry) -> None:
        name, value = entry.name, entry.value
        if name == "relay3.drive" and value:
            self._violate(entry.at_us, "S1", "relay 3 driven")
        elif value not in (self.asked_duties if name.endswith(".duty") else self.asked.get(name, (value,))):
            self._violate(entry.at_us, "S7", f"{name} {value}: nobody asked")
        elif name in ("relay1.drive", "relay2.drive") and value and not self.has_energy(int(name[5])):
            self._violate(entry.at_us, "S1", f"{name}: closes without a car in C or D")

    def _violate(self, at_us: int, rule: str, text: str) -> None:
        if len(self.violations) < 20:
            self.violations.append((at_us, rule, text))
