"""The state of one port: what it does on entering a state of table.py, its timers, pilot requests and modem.

The frames are the business of machine.py, which owns a Port. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from vsecc_host.slac import events, times
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.modem import Modem, Note, Watch
from vsecc_host.slac.session import Session, SessionState
from vsecc_host.slac.table import MATCH_STATES, STEPS, PortInput, PortState, step
from vsecc_host.station.events import EvseEvent
from vsecc_host.station.values import CpState, PilotMode

P, I = PortState, PortInput  # noqa: E741


class Port:
    """One port; `events` are emptied by whoever takes them."""

    def __init__(self, *, evse_id: int, config: SlacConfig, modem: Modem) -> None:
        self.state = P.IDLE
        self.modem = modem
        self.sessions: dict[tuple[bytes, bytes], Session] = {}  # by EV MAC and run id, oldest first
        self.matched: Session | None = None
        self.deadline: float | None = None  # of the state
        self.cp = CpState.UNKNOWN
        self.wanted = False  # by the layer above
        self.events: list[EvseEvent] = []
        self._evse_id = evse_id
        self._config = config
        self._duty_permille = 0
        self._b_until = 0.0  # state B has to last that long before the invitation
        self._went_up = False  # the pilot left B for C or D: half a toggle
        self._wakes = 0  # E/F tries since the plug
        self._runs = 0  # failed joins since the plug
        self._linked = False  # as last told above
        self._part_at: float | None = None  # the network is left then

    def cp_changed(self, state: CpState, duty_permille: int, now: float) -> None:
        """Confirmed pilot state and the duty cycle driven."""
        digital = duty_permille in times.DIGITAL_DUTY_RANGE
        if digital and self._duty_permille not in times.DIGITAL_DUTY_RANGE and self.state is P.LISTENING:
            self.deadline = now + self._config.slac_init_s  # TT_EVSE_SLAC_init counts from 5 % on
        self._duty_permille = duty_permille
        before, self.cp = self.cp, state
        if state is before:
            return
        if state is CpState.A:
            self.wanted = False
            self.apply(I.UNPLUGGED, now)
        elif state in (CpState.E, CpState.F):
            self._cp_bad(now)
        elif state is CpState.B and before not in (CpState.A, CpState.UNKNOWN):
            self._b_until = now + times.INIT_HLC_S
        self._count_toggle(now)
        if state.plugged and self.wanted and self.state is P.IDLE:
            self.apply(I.START, now)  # the pilot's routine ended before the car was seen again

    def tick(self, now: float) -> None:
        """The state's own deadline, and that of the network that is left."""
        if self._part_at is not None and now >= self._part_at:
            self._new_network(now)
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            self._state_over(now)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        return min((at for at in (self.deadline, self._part_at) if at is not None), default=None)

    def settle(self, now: float) -> None:
        """Drop failed sessions; the port has failed when none is left."""
        failed = [session for session in self.sessions.values() if session.state is SessionState.FAILED]
        if not failed:
            return
        self.sessions = {k: s for k, s in self.sessions.items() if s not in failed}
        if self.state is P.MATCHING and not self.sessions:
            self._failed(events.SlacCause.SESSIONS_FAILED, now, detail=failed[-1].failure)
            self.apply(I.SESSIONS_OVER, now)

    def _cp_bad(self, now: float) -> None:
        """State E or F: a fault, or our own routine has reached the pilot."""
        if self.state is P.STEP_EF:
            self.deadline = now + times.STEP_EF_S
        elif self.state not in STEPS:
            self.wanted = False
            self.apply(I.CP_FAULT, now)

    def _count_toggle(self, now: float) -> None:
        if self.cp.energy:
            self._went_up = True
            return
        toggled, self._went_up = self._went_up and self.cp is CpState.B, False
        if toggled:
            for session in self.sessions.values():
                session.toggled()

    def _state_over(self, now: float) -> None:
        if self.state is P.LISTENING:
            self._wakes += 1
            last = self._wakes > self._config.wake_retries
            self._failed(events.SlacCause.NO_SLAC, now, final=last, detail="no CM_SLAC_PARM.REQ")
            self.apply(I.T_INIT_LAST if last else I.T_INIT, now)
        elif self.state in (P.JOINING, P.RESUMING):
            self._runs += 1
            last = self._runs >= self._config.matching_runs
            joining = self.state is P.JOINING
            cause = events.SlacCause.NOT_JOINED if joining else events.SlacCause.NOT_RESUMED
            detail = "no link after CM_SLAC_MATCH.CNF" if joining else "no link after the pause"
            self._failed(cause, now, final=last, detail=detail)
            self.apply(I.T_JOIN_LAST if last else I.T_JOIN, now)
        elif self.state is P.WAITING:
            self._listen(now)
        else:
            plugged = self.cp.plugged or self.state is P.STEP_EF
            goes_on = plugged and (self.wanted or self.state is not P.STEP_X1)
            self.apply(I.T_STEP if goes_on else I.T_STEP_EMPTY, now)

    def noted(self, note: Note, now: float) -> None:
        """The modem has news."""
        if note is Note.CHANGED:
            self._modem_changed(now)
        else:
            self.apply(I.LINK_UP if note is Note.LINK_UP else I.LINK_DOWN, now)

    def _modem_changed(self, now: float) -> None:
        modem = self.modem
        self.events.append(
            events.ModemChanged(
                at=now, evse_id=self._evse_id, state=modem.state, version=modem.version, detail=modem.detail
            )
        )
        if not modem.ready:
            self.apply(I.MODEM_LOST, now)
        elif self.state is P.WAITING:
            self._listen(now)
        if self.state is P.WAITING and modem.state is events.ModemState.DEAD:
            self._failed(events.SlacCause.MODEM_DEAD, now, detail=modem.detail)

    def _listen(self, now: float) -> None:
        """The port waited for its modem, and for state B to last T_conn_init_HLC."""
        if now < self._b_until:
            self.deadline = self._b_until
        elif self.modem.ready:
            self.apply(I.MODEM_READY, now)

    def apply(self, seen: PortInput, now: float) -> None:
        """Take the table's step and enter the next state."""
        before, self.state = self.state, step(self.state, seen)
        if self.state is before:
            return
        self.deadline = None
        if MATCH_STATES[self.state] is not MATCH_STATES[before]:
            self.events.append(
                events.MatchStateChanged(at=now, evse_id=self._evse_id, state=MATCH_STATES[self.state])
            )
        _ENTER[self.state](self, now, before)

    def _failed(self, cause: events.SlacCause, now: float, *, final: bool = False, detail: str = "") -> None:
        self.events.append(
            events.SlacFailed(at=now, evse_id=self._evse_id, cause=cause, final=final, detail=detail)
        )

    # --- on entering a state ------------------------------------------------------------------------------

    def _pilot(self, mode: PilotMode, now: float) -> None:
        duty = times.DIGITAL_DUTY_PERMILLE if mode is PilotMode.PWM else 0
        self.events.append(events.PilotRequest(at=now, evse_id=self._evse_id, mode=mode, duty_permille=duty))

    def _tell_link(self, link: bool, now: float) -> None:
        if link is self._linked:
            return
        self._linked = link
        ev_mac = self.matched.ev_mac if self.matched is not None else b""
        self.events.append(
            events.DlinkReady(
                at=now,
                evse_id=self._evse_id,
                link=link,
                ev_mac=ev_mac.hex().upper(),
                proven=link and ev_mac in self.modem.hosts,
            )
        )

    def _leave(self, now: float) -> None:
        """Out of the network, TP_match_leave: a key that a car got is a key of the past."""
        talking = self._linked
        self._tell_link(False, now)
        self.sessions.clear()
        self.modem.watch(Watch.IDLE, now)
        parting = self.state in (P.HELD, P.LEAVING)
        if self.matched is not None and talking and parting:
            self._part_at = now + times.PARTING_S
        elif self.matched is not None or (self._part_at is not None and not parting):
            self._new_network(now)
        self.matched = None

    def _new_network(self, now: float) -> None:
        self._part_at = None
        self.modem.renew(now)

    def _enter_idle(self, now: float, before: PortState) -> None:
        self._leave(now)
        self._wakes = self._runs = 0
        if before is P.STEP_EF:
            self._pilot(PilotMode.STEADY_POSITIVE, now)

    def _enter_waiting(self, now: float, before: PortState) -> None:
        self._leave(now)
        if self.modem.ready:
            self._listen(now)
        elif self.modem.state is events.ModemState.DEAD and before in (P.IDLE, P.STEP_X1):
            self._failed(events.SlacCause.MODEM_DEAD, now, detail=self.modem.detail)

    def _enter_listening(self, now: float, before: PortState) -> None:
        self.modem.watch(Watch.IDLE, now)
        self.deadline = now + self._config.slac_init_s
        if before is not P.MATCHING:
            self._pilot(PilotMode.PWM, now)

    def _enter_matching(self, now: float, before: PortState) -> None:
        self.modem.watch(Watch.QUIET, now)

    def _enter_joining(self, now: float, before: PortState) -> None:
        self.modem.watch(Watch.LINK, now)
        self.deadline = now + times.MATCH_JOIN_S

    def _enter_matched(self, now: float, before: PortState) -> None:
        self._wakes = self._runs = 0
        self._tell_link(True, now)

    def _enter_paused(self, now: float, before: PortState) -> None:
        self.modem.watch(Watch.IDLE, now)
        self._pilot(PilotMode.STEADY_POSITIVE, now)

    def _enter_resuming(self, now: float, before: PortState) -> None:
        self._linked = False  # told anew when the EV is awake
        self.modem.watch(Watch.LINK, now)
        self.deadline = now + times.RESUME_S
        self._pilot(PilotMode.PWM, now)

    def _enter_lost(self, now: float, before: PortState) -> None:
        self._tell_link(False, now)
        self.modem.watch(Watch.IDLE, now)

    def _enter_leaving(self, now: float, before: PortState) -> None:
        self._leave(now)
        self._pilot(PilotMode.STEADY_POSITIVE, now)
        self.deadline = now + times.LEAVE_S

    def _enter_step_ef(self, now: float, before: PortState) -> None:
        self._pilot(PilotMode.STEADY_NEGATIVE, now)
        self.deadline = now + times.STEP_EF_S

    def _enter_step_x1(self, now: float, before: PortState) -> None:
        self._pilot(PilotMode.STEADY_POSITIVE, now)
        self.deadline = now + times.STEP_X1_S

    def _enter_held(self, now: float, before: PortState) -> None:
        self._leave(now)
        self._pilot(PilotMode.STEADY_POSITIVE, now)


_ENTER: dict[PortState, Callable[[Port, float, PortState], None]] = {
    P.IDLE: Port._enter_idle,
    P.WAITING: Port._enter_waiting,
    P.LISTENING: Port._enter_listening,
    P.MATCHING: Port._enter_matching,
    P.JOINING: Port._enter_joining,
    P.MATCHED: Port._enter_matched,
    P.PAUSED: Port._enter_paused,
    P.RESUMING: Port._enter_resuming,
    P.LOST: Port._enter_lost,
    P.LEAVING: Port._enter_leaving,
    P.STEP_EF: Port._enter_step_ef,
    P.STEP_X1: Port._enter_step_x1,
    P.HELD: Port._enter_held,
}
