"""An outlet where no car can be served says so, and a session that runs is not disturbed by it."""

from __future__ import annotations

import pytest
from unit.host.station.rig import Rig, only

from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, CpState, Phase


def unserved(rig: Rig, detail: str = "expired") -> None:
    rig.evse(e.V2gAvailability, cause=Cause.NO_CERTIFICATE, detail=detail)


def served(rig: Rig) -> None:
    rig.evse(e.V2gAvailability, cause=Cause.NONE)


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.CONNECTED, Phase.FINISHED])
def test_without_a_session_the_outlet_is_out_of_service_and_says_why(phase: Phase) -> None:
    rig = Rig().to(phase)
    unserved(rig)
    assert (rig.phase, rig.view.cause, rig.view.cause_detail) == (
        Phase.FAULTED,
        Cause.NO_CERTIFICATE,
        "expired",
    )
    assert not only(rig.log, c.AcceptV2g)[-1].accepted
    rig.evse(e.V2gAvailability, cause=Cause.NO_INTERFACE, detail="eth1")
    assert (rig.view.cause, rig.view.cause_detail) == (Cause.NO_INTERFACE, "eth1")
    unserved(rig, "missing")
    assert rig.view.cause_detail == "missing"
    served(rig)
    assert rig.view.cause is Cause.NONE
    assert rig.phase is (Phase.IDLE if phase is Phase.IDLE else Phase.CONNECTED)


def test_a_car_that_comes_meanwhile_is_invited_afterwards() -> None:
    rig = Rig().to(Phase.IDLE)
    unserved(rig)
    rig.cp(CpState.B)
    assert rig.phase is Phase.FAULTED and not [a for a in only(rig.log, c.AcceptV2g) if a.accepted]
    served(rig)
    assert rig.phase is Phase.CONNECTED and only(rig.log, c.AcceptV2g)[-1].accepted


@pytest.mark.parametrize("phase", [Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING])
def test_a_session_that_runs_goes_on_to_its_end(phase: Phase) -> None:
    rig = Rig().to(phase)
    unserved(rig)
    assert rig.phase is phase and not rig.log
    rig.cp(CpState.A)
    assert (rig.phase, rig.view.cause) == (Phase.FAULTED, Cause.NO_CERTIFICATE)
    assert rig.view.cause_detail == "expired"


def test_other_obstacles_are_told_first() -> None:
    rig = Rig().to(Phase.IDLE)
    unserved(rig)
    rig.tell(e.McuLinkLost(at=rig.now, reason="gone"))
    assert rig.view.cause is Cause.MCU_LINK_LOST
    rig.mcu_up()
    rig.cp(CpState.A)
    assert (rig.view.cause, rig.view.cause_detail) == (Cause.NO_CERTIFICATE, "expired")
