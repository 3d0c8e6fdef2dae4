"""Actions around the cable, the MCU and what makes an outlet unavailable."""

from __future__ import annotations

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.state import EvSession, EvseState
from vsecc_host.station.stopping import finish, open_output, pilot_off, refuse_v2g, trip, zero
from vsecc_host.station.table import Input, Step
from vsecc_host.station.values import Authorization, CableCheck, Cause, PilotMode, Stop

WAKE_S = 0.5  # after a B-C-B toggle in X1


def greet(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """A (re)started MCU: nothing allowed, pilot steady, LED told again."""
    if s.session.powered:
        open_output(s, now)
    else:
        s.set_grant(False)
    s.set_pilot(PilotMode.STEADY_POSITIVE, now)
    s.led = None


def reboot(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The MCU restarted under a session: the session is over."""
    trip(s, step, event, now)
    greet(s, step, event, now)


def plug(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """A car: tell it, then get ready for a session."""
    _plugged(s)
    arm(s, step, event, now)


def plug_faulted(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """A car at an outlet that cannot charge; a latched fault gets its chance to go away."""
    _plugged(s)
    _clear_faults(s)


def _plugged(s: EvseState) -> None:
    if not s.plugged:
        s.plugged = True
        s.reports.append("plugged")


def arm(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Ready for a session: listen first, then the pilot invites the car; matching, where it is, says when."""
    s.take_config(now)
    s.session, s.held = EvSession(), False
    if s.cause is not Cause.EV_PAUSED:  # who may charge may also go on
        s.authorization = Authorization.ONGOING
    s.cable_check, s.stop, s.cause = CableCheck.IDLE, Stop.NONE, Cause.NONE
    s.unlock_wanted = False
    s.cause_detail = ""
    if s.config.lock_connector and not s.locked:
        s.locked = True
        s.out.append(c.LockConnector(evse_id=s.evse_id, locked=True))
    _clear_faults(s)
    s.out.append(c.AcceptV2g(evse_id=s.evse_id, accepted=True))
    if not s.config.matches:
        s.set_pilot(PilotMode.PWM, now)


def _clear_faults(s: EvseState) -> None:
    if s.port_faults:
        s.out.append(c.ClearPortFaults(evse_id=s.evse_id))


def unplug(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The cable is out: everything off, whatever went on."""
    if s.session.begun:
        if s.cause is Cause.NONE:
            s.set_cause(Cause.UNPLUGGED)
        zero(s)
        s.session.end_cause = Cause.UNPLUGGED
        finish(s, step, event, now)
    else:
        s.set_grant(False)
        refuse_v2g(s, Cause.UNPLUGGED)
        s.set_pilot(PilotMode.STEADY_POSITIVE, now)
    _unplugged(s, now)


def unplug_faulted(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The cable left an outlet that cannot charge."""
    s.set_grant(False)
    _clear_faults(s)
    if s.plugged:
        _unplugged(s, now)


def _unplugged(s: EvseState, now: float) -> None:
    s.plugged = s.held = False
    s.fruitless = 0
    s.session = EvSession()
    s.authorization, s.cable_check, s.stop = Authorization.ONGOING, CableCheck.IDLE, Stop.NONE
    s.let_go(now)
    s.reports.append("unplugged")


def block(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Charging is impossible for now: no permission, no invitation, no conversation."""
    s.set_cause(s.seen_cause)
    s.set_grant(False)
    s.let_go(now)
    refuse_v2g(s, s.cause)
    s.set_pilot(PilotMode.STEADY_POSITIVE, now)


def free(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Available again, no car."""
    s.cause, s.cause_detail = Cause.NONE, ""


def hold(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Available again, but this plug-in ended badly: the cable has to come out first."""


def dismiss(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """Stopped before the car began to talk."""
    s.set_cause(s.seen_cause)
    keep_out(s, step, event, now)
    s.set_grant(False)
    pilot_off(s, step, event, now)


def keep_out(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """No further session in this plug-in: the cable may come out, also that of a paused one."""
    s.held = True
    s.deadlines.pop(Input.T_RESTART, None)
    s.let_go(now)


def wake(s: EvseState, step: Step, event: e.StationEvent | None, now: float) -> None:
    """The car toggles its state or a driver presents a token: try again soon, unless it must unplug."""
    asked_again = isinstance(event, e.AuthorizationDecided) and s.cause is Cause.STOP_REQUESTED
    asleep = s.pilot is PilotMode.STEADY_POSITIVE or s.cause is Cause.EV_PAUSED
    if asleep and (asked_again or not s.held):
        s.deadlines[Input.T_RESTART] = now + WAKE_S
