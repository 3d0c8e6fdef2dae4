"""Safety rule S9: every cause in every phase, as data. S10: the other outlet does not notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from unit.host.station.rig import Rig, only

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, CpState, Isolation, Phase, PilotMode, Stop

SETUP, CHECK, PRE, CHARGE = Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING
ALL = (SETUP, CHECK, PRE, CHARGE)
ENERGY = (CHECK, PRE, CHARGE)


@dataclass(frozen=True)
class Case:
    """What happens, in which phases it must end the session, how fast the contactors must open."""

    name: str
    cause: Cause
    happen: Callable[[Rig], object]
    phases: tuple[Phase, ...] = ALL
    within_s: float = 1.0  # contactors open, with the current staying high
    silent: bool = False  # the power electronics tell nothing afterwards
    notice_s: float = 0.0  # how long the cause takes to be one


def _mcu_lost(rig: Rig) -> None:
    rig.tell(e.McuLinkLost(at=rig.now, reason="cable cut"))


def _refused(rig: Rig) -> None:
    rig.tell(e.McuLinkLost(at=rig.now, reason="catalogue", refused=True))


def _power_lost(cause: Cause) -> Callable[[Rig], object]:
    return lambda rig: rig.evse(e.PowerLost, cause=cause)


def _measure(**changes) -> Callable[[Rig], object]:
    return lambda rig: rig.measure(**changes)


def _fault(rig: Rig) -> None:
    rig.evse(e.PortFaultChanged, fault="CP_DIODE", latched=True)


CASES = (
    Case("power status stale", Cause.POWER_STALE, lambda rig: None, silent=True, notice_s=1.0),
    Case("power lost", Cause.POWER_STALE, _power_lost(Cause.POWER_STALE)),
    Case("power fails", Cause.POWER_INOPERATIVE, _power_lost(Cause.POWER_INOPERATIVE)),
    Case("power refuses a command", Cause.POWER_REFUSED, _power_lost(Cause.POWER_REFUSED)),
    Case("power inoperative", Cause.POWER_INOPERATIVE, _measure(operative=False), ENERGY),
    Case(
        "power inoperative for long",
        Cause.POWER_INOPERATIVE,
        _measure(operative=False),
        (SETUP,),
        notice_s=10.0,
    ),
    Case("contactors open by themselves", Cause.POWER_INOPERATIVE, _measure(contactors_closed=False), ENERGY),
    Case("over-temperature", Cause.OVER_TEMPERATURE, _measure(temperature_c=101.0)),
    Case("isolation fault", Cause.ISOLATION_FAULT, _measure(isolation=Isolation.FAULT), (PRE, CHARGE)),
    Case(
        "isolation fault of the check",
        Cause.ISOLATION_FAULT,
        lambda rig: rig.evse(e.CableCheckDone, isolation=Isolation.FAULT),
        (CHECK,),
    ),
    Case("voltage beyond limits", Cause.LIMITS_EXCEEDED, _measure(voltage_v=931.0), (PRE,), notice_s=0.4),
    Case(
        "voltage beyond the car's limit",
        Cause.LIMITS_EXCEEDED,
        _measure(voltage_v=931.0),
        (CHARGE,),
        notice_s=0.4,
    ),
    Case(
        "current beyond limits", Cause.LIMITS_EXCEEDED, _measure(current_a=230.0), (PRE, CHARGE), notice_s=0.4
    ),
    Case(
        "emergency stop",
        Cause.EMERGENCY_INPUT,
        lambda rig: rig.evse(e.StopRequested, who="x", emergency=True),
    ),
    Case("MCU link lost", Cause.MCU_LINK_LOST, _mcu_lost, within_s=0.0),
    Case("MCU refused", Cause.MCU_REFUSED, _refused, within_s=0.0),
    Case("MCU restarted", Cause.MCU_LINK_LOST, lambda rig: rig.mcu_up(), within_s=0.0),
    Case("port fault", Cause.PORT_FAULT, _fault, within_s=0.0),
    Case("CP to B", Cause.CP_LEFT_C, lambda rig: rig.cp(CpState.B), ENERGY, within_s=0.0),
    Case("CP to E", Cause.CP_LEFT_C, lambda rig: rig.cp(CpState.E), ENERGY, within_s=0.0),
    Case("CP to F", Cause.CP_LEFT_C, lambda rig: rig.cp(CpState.F), ENERGY, within_s=0.0),
    Case("CP lost", Cause.CP_LEFT_C, lambda rig: rig.cp(CpState.UNKNOWN), ENERGY, within_s=0.0),
    Case("CP to E before energy", Cause.PORT_FAULT, lambda rig: rig.cp(CpState.E), (SETUP,), within_s=0.0),
    Case("relay opened", Cause.CP_LEFT_C, lambda rig: rig.relay(False, "CP left C/D"), ENERGY, within_s=0.0),
    Case(
        "grant expired",
        Cause.MCU_LINK_LOST,
        lambda rig: rig.relay(False, "grant expired"),
        ENERGY,
        within_s=0.0,
    ),
    Case("relay failed", Cause.RELAY_NOT_CLOSED, lambda rig: rig.relay(False, "?"), ENERGY, within_s=0.0),
)
MATRIX = [
    pytest.param(case, phase, id=f"{case.name}-{phase.value}".replace(" ", "_"))
    for case in CASES
    for phase in case.phases
]


def _strike(case: Case, phase: Phase) -> tuple[Rig, float]:
    """The rig after the cause became one, and when that was."""
    rig = Rig().to(phase)
    if case.cause is Cause.LIMITS_EXCEEDED:
        rig.wait(5.0)  # the looser limits of before are forgotten
    if phase is CHARGE:
        rig.target(420.0, 100.0)
    if phase is PRE:
        rig.measure(voltage_v=400.0)
    rig.log.clear()
    rig.timed.clear()
    start = rig.now
    case.happen(rig)
    for _ in range(int(case.notice_s / 0.1) + 1):
        if rig.view.stop is not Stop.NONE:
            break
        rig.wait(0.1, status=not case.silent)
    assert rig.now - start <= case.notice_s + 0.21
    return rig, rig.now


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s9_the_session_stops_and_says_why(case, phase):
    rig, _ = _strike(case, phase)
    asked_first = phase is CHARGE and case.cause in CAR_ASKED_FIRST
    stop = Stop.NORMAL if asked_first else Stop.EMERGENCY
    assert (rig.phase, rig.view.stop, rig.view.cause) == (Phase.STOPPING, stop, case.cause)


CAR_ASKED_FIRST = {Cause.OVER_TEMPERATURE, Cause.POWER_REFUSED, Cause.POWER_STALE}


@pytest.mark.parametrize("case", [case for case in CASES if case.cause in CAR_ASKED_FIRST], ids=str)
def test_s9_the_car_is_asked_to_stop_while_the_current_falls_then_told_of_the_emergency(case):
    rig, struck_at = _strike(case, CHARGE)
    assert (rig.view.stop, rig.view.stop_delay_s) == (Stop.NORMAL, 0.0)
    assert not only(rig.log, c.PowerContactors)
    rig.wait(1.05, status=not case.silent)
    assert (rig.view.stop, rig.view.cause) == (Stop.EMERGENCY, case.cause)
    opened_at = next(at for at, x in rig.timed if isinstance(x, c.PowerContactors))
    assert opened_at - struck_at <= 1.0 + 1e-9


def test_s9_without_current_there_is_nothing_to_wait_for():
    rig = Rig().to(Phase.CHARGING)
    rig.measure(current_a=0.0, temperature_c=101.0)
    assert (rig.view.stop, rig.view.cause) == (Stop.EMERGENCY, Cause.OVER_TEMPERATURE)
    assert c.PowerContactors(evse_id=1, closed=False) in rig.log


def test_s9_an_emergency_ends_the_wait_of_a_car_that_was_asked_first():
    rig = Rig().to(Phase.CHARGING)
    rig.measure(temperature_c=101.0)
    assert rig.view.stop is Stop.NORMAL
    rig.evse(e.StopRequested, who="x", emergency=True)
    assert (rig.view.stop, rig.view.cause) == (Stop.EMERGENCY, Cause.OVER_TEMPERATURE)
    assert c.PowerContactors(evse_id=1, closed=False) in rig.log


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s9_zero_before_open_before_permission_goes(case, phase):
    rig, struck_at = _strike(case, phase)
    rig.wait(1.05, status=not case.silent)
    revoked = [at for at, x in rig.timed if x == c.SetGrant(evse_id=1, allowed=False)]
    assert revoked
    assert not only(rig.log, c.SetGrant)[-1].allowed
    if phase is SETUP:
        assert not only(rig.log, c.PowerContactors)
        return
    order = [
        type(x)
        for x in rig.log
        if (isinstance(x, c.PowerTarget) and x.current_a == 0)
        or x in (c.PowerContactors(evse_id=1, closed=False), c.SetGrant(evse_id=1, allowed=False))
    ]
    assert order[:3] == [c.PowerTarget, c.PowerContactors, c.SetGrant]
    opened_at = next(at for at, x in rig.timed if isinstance(x, c.PowerContactors))
    assert opened_at - struck_at <= case.within_s + 1e-9
    assert revoked[0] == opened_at


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s9_the_pilot_is_off_in_time_and_v2g_closed(case, phase):
    rig, struck_at = _strike(case, phase)
    rig.wait(7.0, status=not case.silent)
    off = [at for at, x in rig.timed if isinstance(x, c.SetPilot) and x.mode is PilotMode.STEADY_POSITIVE]
    assert off[0] - struck_at <= 2.5
    closed = [at for at, x in rig.timed if isinstance(x, c.AcceptV2g) and not x.accepted]
    assert closed[0] - struck_at <= 6.0 + 1e-9
    assert rig.phase in (Phase.FINISHED, Phase.FAULTED)
    assert c.PowerReset(evse_id=1) in rig.log
    assert "ended" in [x.what for x in only(rig.log, c.ReportSession)]


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s9_no_energy_before_the_next_session(case, phase):
    rig, _ = _strike(case, phase)
    rig.target(420.0, 100.0)
    rig.evse(e.PreChargeRequested, voltage_v=400.0, current_a=2.0)
    rig.evse(e.CableCheckRequested)
    rig.evse(e.ChargeStartRequested)
    rig.relay(True)
    rig.cp(CpState.C)
    rig.wait(0.5, status=not case.silent)
    assert not [x for x in only(rig.log, c.PowerTarget) if x.current_a > 0]
    assert c.SetGrant(evse_id=1, allowed=True) not in rig.log
    assert c.PowerContactors(evse_id=1, closed=True) not in rig.log


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s9_the_first_cause_stays(case, phase):
    rig, _ = _strike(case, phase)
    rig.evse(e.StopRequested, who="x", emergency=True)
    rig.evse(e.PowerLost, cause=Cause.POWER_REFUSED)
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_DISCONNECTED, orderly=False)
    ended = [x for x in only(rig.log, c.ReportSession) if x.what == "ended"]
    assert [x.view.cause for x in ended] == [case.cause]


@pytest.mark.parametrize(("case", "phase"), MATRIX)
def test_s10_the_other_outlet_does_not_notice(case, phase):
    other = Rig(evse_id=2).to(Phase.CHARGING)
    rig, _ = _strike(case, phase)
    station_wide = (e.McuLinkLost, e.McuLinkUp)
    for event in (
        e.PowerLost(at=rig.now, evse_id=1, cause=case.cause),
        e.PortFaultChanged(at=rig.now, evse_id=1, fault="CP_DIODE", latched=True),
        e.StopRequested(at=rig.now, evse_id=1, who="x", emergency=True),
    ):
        assert not isinstance(event, station_wide)
        assert other.tell(event) == []
    assert other.phase is Phase.CHARGING


def test_a_short_excursion_beyond_the_limits_is_tolerated():
    rig = Rig().to(Phase.CHARGING)
    rig.wait(2.0)
    rig.measure(voltage_v=931.0)
    rig.wait(0.19, status=False)
    rig.measure(voltage_v=400.0)
    rig.wait(1.0)
    assert rig.phase is Phase.CHARGING


def test_an_emergency_overrides_a_polite_stop():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.StopRequested, who="csms")
    rig.measure(isolation=Isolation.FAULT)
    assert (rig.view.cause, rig.view.stop) == (Cause.ISOLATION_FAULT, Stop.EMERGENCY)


def test_contactors_open_early_when_the_current_falls_early():
    rig = Rig().to(Phase.CHARGING)
    rig.evse(e.StopRequested, who="x", emergency=True)
    assert not only(rig.log, c.PowerContactors)
    rig.measure(current_a=0.5)
    assert only(rig.log, c.PowerContactors)


def test_without_current_contactors_open_at_once():
    rig = Rig().to(Phase.PRE_CHARGE)
    rig.evse(e.StopRequested, who="x", emergency=True)
    assert only(rig.log, c.PowerContactors)


@pytest.mark.parametrize(
    ("case", "again"),
    [
        (
            case,
            not case.name.startswith(
                ("isolation", "over", "voltage", "current", "emergency", "port", "relay f")
            ),
        )
        for case in CASES
        if CHARGE in case.phases and case.cause is not Cause.MCU_REFUSED
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_whether_the_same_plug_in_may_try_again(case, again):
    rig, _ = _strike(case, Phase.CHARGING)
    rig.measure(
        current_a=0.0,
        voltage_v=0.0,
        contactors_closed=False,
        operative=True,
        isolation=Isolation.INVALID,
        temperature_c=25.0,
    )
    rig.evse(e.V2gSessionEnded, cause=Cause.EV_DISCONNECTED, orderly=False)
    rig.evse(e.PortFaultChanged, fault="CP_DIODE", latched=False)
    rig.mcu_up()
    rig.measure()
    rig.cp(CpState.B)
    rig.wait(10.0)
    assert rig.phase is (Phase.CONNECTED if again else Phase.FINISHED)
    rig.cp(CpState.A)
    rig.cp(CpState.B)
    assert rig.phase is Phase.CONNECTED


def test_s3_a_lost_link_blocks_until_mcu_and_pilot_are_back():
    rig = Rig().to(Phase.CONNECTED)
    _mcu_lost(rig)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.MCU_LINK_LOST)
    assert only(rig.log, c.AcceptV2g)[-1].accepted is False
    rig.mcu_up()
    assert rig.phase is Phase.FAULTED
    rig.cp(CpState.B)
    assert rig.phase is Phase.CONNECTED


def test_power_that_stays_silent_takes_the_outlet_out_of_service_after_5_s():
    rig = Rig().to(Phase.IDLE)
    rig.wait(4.9, status=False)
    assert rig.phase is Phase.IDLE
    rig.wait(0.2, status=False)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_STALE)
    rig.measure()
    assert rig.phase is Phase.IDLE


def test_a_short_inoperative_after_a_reset_is_no_fault():
    rig = Rig().to(Phase.FINISHED)
    rig.measure(operative=False)
    rig.wait(9.0)
    assert rig.phase in (Phase.FINISHED, Phase.CONNECTED)
    rig.wait(1.2)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_INOPERATIVE)


def test_heat_needs_a_margin_before_it_is_over():
    rig = Rig().to(Phase.IDLE)
    for temperature_c, phase in (
        (101.0, Phase.FAULTED),
        (96.0, Phase.FAULTED),
        (94.0, Phase.IDLE),
        (99.0, Phase.IDLE),
    ):
        rig.measure(temperature_c=temperature_c)
        assert rig.phase is phase


def test_power_electronics_that_return_inoperative_are_named_so():
    rig = Rig().to(Phase.IDLE)
    rig.evse(e.PowerLost, cause=Cause.POWER_STALE, detail="closed")
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_STALE)
    rig.measure(operative=False)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.POWER_INOPERATIVE)
    rig.measure(operative=True)
    assert (rig.phase, rig.view.cause) == (Phase.IDLE, Cause.NONE)
