"""A simulated car behind a modem in this process: matched by SLAC, then its session over that link."""

from __future__ import annotations

from collections.abc import Callable

from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd
from vsecc_sim.plc.habits import Habits
from vsecc_sim.plc.loopback_line import LoopbackLine
from vsecc_sim.station.car_matching import CarMatching
from vsecc_sim.station.outlet import EmulatedPilot

MATCH_WITHIN_S = 300.0  # every wake-up and retry of the outlet takes less
_MATCH_AGAIN = (EvEnd.CONNECTION_LOST, EvEnd.MESSAGE_TIMEOUT, EvEnd.PILOT_LOST, EvEnd.NO_SDP_ANSWER)


class MatchedCar:
    """Quacks like EvSimulator; `make(sdp)` makes the one that charges, `rematches` more after a lost link."""

    def __init__(
        self,
        line: LoopbackLine,
        number: int,
        pilot: EmulatedPilot,
        *,
        station: tuple[str, int],
        habits: Habits,
        make: Callable[[str], EvSimulator],
        rematches: int = 0,
    ) -> None:
        """`station`: where the outlet answers SDP on loopback."""
        self._line = line
        self._number = number
        self._pilot = pilot
        self._station = station
        self._habits = habits
        self._make = make
        self._rematches = rematches
        self.ev = make("sdp://[::1]:0")
        self.matching: CarMatching | None = None
        self._matched = False
        self._unplugged = False

    @property
    def soc_percent(self) -> float:
        """State of charge now."""
        return self.ev.soc_percent

    @property
    def phase(self) -> str:
        """What it is doing."""
        if self._matched or self._unplugged:
            return str(self.ev.phase)
        return "connected" if self.matching is None else f"matching: {self.matching.state}"

    async def run(self) -> EvResult:
        """One plug-in."""
        self._pilot.set_state("B")
        self.matching = CarMatching(self._line.ev_socket(self._number), self._habits, self._pilot)
        gate = self._line.gate(self._number, self._station)
        try:
            sdp = await gate.open()
            for left in reversed(range(self._rematches + 1)):
                result = await self._attempt(sdp)
                if self._unplugged or not left or result.end not in _MATCH_AGAIN:
                    break
                self.matching.again()
            return result
        finally:
            gate.close()
            self.matching.close()

    async def _attempt(self, sdp: str) -> EvResult:
        assert self.matching is not None, "made by run"
        self._matched = False
        try:
            await self.matching.linked(MATCH_WITHIN_S)
        except TimeoutError:
            end = EvEnd.UNPLUGGED if self._unplugged else EvEnd.NO_SDP_ANSWER
            return not_matched(
                self.ev.profile.name, self.soc_percent, end, f"not matched, {self.matching.state}"
            )
        self._matched = True
        self.ev = self._make(sdp)
        return await self.ev.run()

    def request_stop(self) -> None:
        """End the session in good order."""
        if self._matched:
            self.ev.request_stop()
        else:
            self.unplug()

    def unplug(self) -> None:
        """Cable out, whatever it was doing."""
        self._unplugged = True
        self.ev.unplug()
        if self.matching is not None:
            self.matching.close()


def not_matched(profile: str, soc_percent: float, end: EvEnd, detail: str) -> EvResult:
    """The result of a car that had no session."""
    return EvResult(
        profile=profile,
        end=end,
        detail=detail,
        goal=False,
        energy_wh=0.0,
        soc_start=soc_percent,
        soc_end=soc_percent,
        phases=(),
        answers={},
        errors=(detail,),
        rounds=1,
    )
