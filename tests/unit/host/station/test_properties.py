"""Whatever happens in whatever order: permission, contactors and targets keep their rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.host.station.rig import LIMITS, Rig

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import (
    Authorization,
    Cause,
    CpState,
    EvParameters,
    Isolation,
    Phase,
    PilotMode,
)


class Referee:
    """Follows the commands and complains about any that breaks a rule."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.cp = CpState.UNKNOWN
        self.authorized = False
        self.granted = False
        self.closed = False
        self.accepted = False
        self.current_a = 0.0
        self.checked = 0

    def look(self) -> None:
        for command in self.rig.log[self.checked :]:
            getattr(self, f"see_{type(command).__name__}", lambda command: None)(command)
        self.checked = len(self.rig.log)
        assert not (self.closed and not self.granted), "contactors closed without permission"
        assert not (self.current_a > 0 and not self.closed), "current wanted with open contactors"
        due = self.rig.machine.next_deadline()
        assert due is None or due >= self.rig.now

    def see_SetGrant(self, command: c.SetGrant) -> None:
        if command.allowed:
            assert self.cp.energy, "permission without CP C/D"
            assert self.rig.view.authorization is Authorization.ACCEPTED
            assert self.rig.phase is Phase.CABLE_CHECK
        self.granted = command.allowed

    def see_PowerContactors(self, command: c.PowerContactors) -> None:
        if command.closed:
            assert self.granted, "contactors told to close without permission"
        else:
            assert self.current_a == 0, "contactors opened before zero"
        self.closed = command.closed

    def see_PowerTarget(self, command: c.PowerTarget) -> None:
        limits = self.rig.view.limits
        assert command.current_a <= limits.max_current_a + 1e-9
        assert command.voltage_v <= limits.max_voltage_v + 1e-9
        assert command.current_a == 0 or self.closed
        self.current_a = command.current_a

    def see_PowerReset(self, command: c.PowerReset) -> None:
        assert not self.closed

    def see_AcceptV2g(self, command: c.AcceptV2g) -> None:
        self.accepted = command.accepted

    def see_SetPilot(self, command: c.SetPilot) -> None:
        assert command.mode is not PilotMode.PWM or (self.accepted and command.duty_permille == 50)

    def see_LockConnector(self, command: c.LockConnector) -> None:
        if not command.locked:
            assert self.rig.power.voltage_v < 60
            assert self.rig.power.current_a < 1


_amount = st.floats(0, 1200, allow_nan=False)
_maybe = st.none() | _amount
# The steps of the happy path, so that random walks get deep.
_PATH_STEPS = st.sampled_from(
    [("do", name) for name in ("plug", "session", "cable_check", "pre_charge", "charge", "stop", "end")]
)
_PILOT = st.builds(lambda state: ("cp", state), st.sampled_from([*CpState, CpState.B, CpState.C]))
_REQUESTS = st.sampled_from(
    [("session",), ("cable",), ("cable",), ("start",), ("ev_stop",), ("welding",), ("ev_error",)]
)
_CAR = st.one_of(
    st.builds(lambda v, a: ("ev", v, a), _amount, _amount),
    st.builds(lambda v, a: ("pre", v, a), _amount, _amount),
    st.builds(lambda v, a, m: ("target", v, a, m), _amount, _amount, _maybe),
    st.builds(lambda a: ("target", 410.0, a, None), _amount),
    st.builds(lambda o: ("ended", o), st.booleans()),
)
_PLANT = st.one_of(
    st.builds(
        lambda closed, why: ("relay", closed, why),
        st.booleans(),
        st.sampled_from(["CP left C/D", "closed", "x"]),
    ),
    st.builds(
        lambda v, a, k, o: (
            "measure",
            {"voltage_v": v, "current_a": a, "contactors_closed": k, "operative": o},
        ),
        _amount,
        _amount,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(lambda v, a: ("measure", {"voltage_v": v, "current_a": a}), _amount, _amount),
    st.builds(
        lambda i, t: ("measure", {"isolation": i, "temperature_c": t}),
        st.sampled_from(Isolation),
        st.floats(0, 150),
    ),
    st.builds(lambda w, a: ("limits", w, a), _amount, _amount),
    st.builds(lambda why: ("power_lost", why), st.sampled_from([Cause.POWER_STALE, Cause.POWER_REFUSED])),
    st.builds(lambda i: ("checked", i), st.sampled_from(Isolation)),
)
_REST = st.one_of(
    st.builds(lambda s: ("wait", s), st.sampled_from([0.01, 0.2, 0.5, 1.0, 2.0, 7.0])),
    st.builds(lambda s: ("silence", s), st.sampled_from([0.5, 1.0, 5.0])),
    st.just(("mcu_up",)),
    st.builds(lambda r: ("mcu_lost", r), st.booleans()),
    st.builds(
        lambda f, latched: ("fault", f, latched), st.sampled_from(["CP_SHORT", "CP_DIODE"]), st.booleans()
    ),
    st.builds(lambda ok: ("auth", ok), st.booleans()),
    st.builds(lambda mode: ("pilot", mode), st.sampled_from(PilotMode)),
    st.builds(lambda em: ("stop", em), st.booleans()),
    st.builds(lambda w: ("limit", w), st.none() | st.floats(0, 60_000)),
)
_STEPS = st.one_of(_PATH_STEPS, _PILOT, _REQUESTS, _CAR, _PLANT, _REST)


def _perform(rig: Rig, step: tuple) -> None:
    match step:
        case ("do", name):
            getattr(rig, name)()
        case ("cp", state):
            rig.cp(state)
        case ("relay", closed, why):
            rig.relay(closed, why)
        case ("wait", seconds):
            rig.wait(seconds)
        case ("silence", seconds):
            rig.wait(seconds, status=False)
        case ("measure", changes):
            rig.measure(**changes)
        case ("mcu_up",):
            rig.mcu_up()
        case ("mcu_lost", refused):
            rig.tell(e.McuLinkLost(at=rig.now, reason="", refused=refused))
        case _:
            rig.tell(_event(rig, step))


def _event(rig: Rig, step: tuple) -> e.StationEvent:
    head, *rest = step
    kinds = {
        "fault": lambda f, latched: (e.PortFaultChanged, {"fault": f, "latched": latched}),
        "limits": lambda w, a: (
            e.PowerLimitsTold,
            {"limits": replace(LIMITS, max_power_w=w * 50, max_current_a=a)},
        ),
        "ev": lambda v, a: (
            e.EvParametersTold,
            {"parameters": EvParameters(max_voltage_v=v, max_current_a=a)},
        ),
        "pre": lambda v, a: (e.PreChargeRequested, {"voltage_v": v, "current_a": a}),
        "target": lambda v, a, m: (
            e.ChargeTargetRequested,
            {"voltage_v": v, "current_a": a, "soc_percent": 50, "max_current_a": m},
        ),
        "pilot": lambda mode: (e.PilotWanted, {"mode": mode}),
        "auth": lambda ok: (e.AuthorizationDecided, {"accepted": ok, "who": ""}),
        "stop": lambda em: (e.StopRequested, {"who": "x", "emergency": em}),
        "limit": lambda w: (e.LimitChanged, {"owner": "csms", "max_power_w": w}),
        "power_lost": lambda cause: (e.PowerLost, {"cause": cause}),
        "checked": lambda i: (e.CableCheckDone, {"isolation": i}),
        "ended": lambda o: (e.V2gSessionEnded, {"cause": Cause.EV_FINISHED, "orderly": o}),
        "session": lambda: (e.V2gSessionStarted, {"protocol": "din", "evcc_id": "", "session_id": ""}),
        "cable": lambda: (e.CableCheckRequested, {}),
        "start": lambda: (e.ChargeStartRequested, {}),
        "ev_stop": lambda: (e.ChargeStopRequested, {}),
        "welding": lambda: (e.WeldingDetectionRequested, {}),
        "ev_error": lambda: (e.EvErrorReported, {"code": "FAILED"}),
    }
    kind, fields = kinds[head](*rest)
    return kind(at=rig.now, evse_id=rig.evse_id, **fields)


@settings(max_examples=600, deadline=None)
@given(
    start=st.sampled_from([phase for phase in Phase if phase is not Phase.FAULTED]),
    steps=st.lists(_STEPS, max_size=40),
    aborts=st.booleans(),
)
def test_no_order_of_events_breaks_a_rule(start, steps, aborts):
    config = EvseConfig(lock_connector=True, abort_on_invalid_current=aborts, abort_on_invalid_power=aborts)
    rig = Rig(config)
    referee = Referee(rig)
    original = rig._keep

    def keep(commands):
        original(commands)
        referee.cp = rig.view.cp_state
        referee.look()
        return commands

    rig._keep = keep
    for reached, step in rig.steps():
        step(rig)
        if reached is start:
            break
    for step in steps:
        _perform(rig, step)
    published = [x.view for x in rig.log if isinstance(x, c.PublishView)]
    assert published[-1] == rig.view


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(_STEPS, max_size=30))
def test_after_unplugging_everything_is_off(steps):
    rig = Rig().to(Phase.CONNECTED)
    for step in steps:
        _perform(rig, step)
    rig.cp(CpState.A)
    state = [x for x in rig.log if isinstance(x, (c.SetGrant, c.PowerContactors, c.SetPilot, c.AcceptV2g))]
    last = {type(x): x for x in state}
    assert not last[c.SetGrant].allowed if c.SetGrant in last else True
    assert not last[c.PowerContactors].closed if c.PowerContactors in last else True
    assert rig.phase in (Phase.IDLE, Phase.FAULTED)
