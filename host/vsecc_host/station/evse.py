"""The machine of one outlet: events in, commands out, time as an argument; its rules are in `table.py`.

It knows neither DIN nor ISO 15118-2, neither PEP nor OCPP; outlets share nothing (S10).
"""

from __future__ import annotations

from vsecc_host.station.actions import ACTIONS
from vsecc_host.station.commands import Command, PublishView, ReportSession
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.events import EvseEvent, StationEvent
from vsecc_host.station.observe import observe
from vsecc_host.station.state import EvseState
from vsecc_host.station.table import Input, step_for
from vsecc_host.station.values import Cause, EvseView, Phase


class EvseMachine:
    """One outlet: `handle` every event, `tick` at `next_deadline`, carry the commands out in order."""

    def __init__(self, evse_id: int, config: EvseConfig | None = None) -> None:
        self._state = EvseState(evse_id=evse_id, config=config or EvseConfig())
        self._view = self._state.view()

    @property
    def view(self) -> EvseView:
        """The newest view, the one PublishView told last."""
        return self._view

    def handle(self, event: StationEvent, now: float) -> list[Command]:
        """What follows from an event; events of other outlets mean nothing here."""
        state = self._state
        if isinstance(event, EvseEvent) and event.evse_id != state.evse_id:
            return []
        state.seen_detail = ""
        for seen in observe(state, event, now):
            self._feed(seen, event, now)
        return self._finish(now)

    def configure(self, config: EvseConfig, now: float) -> list[Command]:
        """Another configuration; a car that is plugged in keeps the old one until its next session."""
        self._state.next_config = config
        if not self._state.plugged:
            self._state.take_config(now)
        return self._finish(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted, in monotonic seconds; None while nothing is pending."""
        return min(self._state.deadlines.values(), default=None)

    def tick(self, now: float) -> list[Command]:
        """Whatever is due by `now`, oldest first."""
        deadlines = self._state.deadlines
        self._state.seen_detail = ""
        while deadlines:
            timer = min(deadlines, key=deadlines.__getitem__)
            if deadlines[timer] > now:
                break
            del deadlines[timer]
            self._feed(timer, None, now)
        return self._finish(now)

    def _feed(self, seen: Input, event: StationEvent | None, now: float) -> None:
        state = self._state
        step = step_for(state.phase, seen)
        before = state.phase
        ACTIONS[step.action](state, step, event, now)
        if step.to is not None and step.to is not before:
            state.enter(step.to)
            state.refresh_limits(now)
            self._publish()

    def _finish(self, now: float) -> list[Command]:
        self._settle(now)
        self._publish()
        commands, self._state.out = self._state.out, []
        return commands

    def _settle(self, now: float) -> None:
        """What follows from the state alone: a finished stop, a new or a vanished obstacle."""
        state = self._state
        session = state.session
        if state.phase is Phase.STOPPING and not session.powered and not session.live:
            self._feed(Input.OFF, None, now)
        blocker = state.blocker(now)
        if blocker is state.unserved:
            state.seen_detail = state.unserved_detail
        if blocker is Cause.NONE:
            if state.phase is Phase.FAULTED:
                self._feed(self._freedom(), None, now)
        elif state.phase is Phase.FAULTED:
            if state.cause is not blocker:
                state.set_cause(blocker)
        elif state.phase is not Phase.STOPPING:
            state.seen_cause = blocker
            self._feed(Input.BLOCKED, None, now)

    def _freedom(self) -> Input:
        state = self._state
        if not state.plugged:
            return Input.FREE_EMPTY
        return Input.FREE_HELD if state.held else Input.FREE_PLUGGED

    def _publish(self) -> None:
        state = self._state
        state.refresh_led()
        view = state.view()
        if view != self._view:
            self._view = view
            state.out.append(PublishView(evse_id=state.evse_id, view=view))
        for what in state.reports:
            state.out.append(ReportSession(evse_id=state.evse_id, what=what, view=view))
        state.reports.clear()
