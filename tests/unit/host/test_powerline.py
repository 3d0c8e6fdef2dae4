"""D-LINK primitives follow the station: what is asked of matching, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from vsecc_host.powerline import Powerline
from vsecc_host.slac.events import DlinkReady, ModemChanged, ModemState, PilotRequest, SlacCause, SlacFailed
from vsecc_host.slac.table import PortState
from vsecc_host.station.commands import AcceptV2g, SetPilot
from vsecc_host.station.events import (
    CpStateChanged,
    LinkChanged,
    MatchingFailed,
    ModemTold,
    PilotWanted,
    V2gSessionEnded,
)
from vsecc_host.station.values import Cause, CpState, PilotMode

CAUSE = 7


class Recorded:
    """Notes every verb; `state` is set by the test."""

    def __init__(self) -> None:
        self.state = PortState.IDLE
        self.asked: list[tuple[Any, ...]] = []

    def cp_changed(self, state: CpState, duty_permille: int, cause: int) -> None:
        self.asked.append(("cp", state.name, duty_permille))

    def begin(self, cause: int) -> None:
        self.asked.append(("begin",))

    def rest(self, cause: int) -> None:
        self.asked.append(("rest",))

    def terminate(self, cause: int) -> None:
        self.asked.append(("terminate",))

    def error(self, cause: int) -> None:
        self.asked.append(("error",))

    def pause(self, cause: int) -> None:
        self.asked.append(("pause",))


def made() -> tuple[Powerline, Recorded, list[Cause]]:
    matching, hung_up = Recorded(), list[Cause]()
    return Powerline(matching, hung_up.append), matching, hung_up


def cp(state: CpState) -> CpStateChanged:
    return CpStateChanged(at=0.0, evse_id=1, state=state, previous=CpState.A, high_mv=9000, low_mv=0)


def test_a_plug_starts_matching_before_the_pilot_invites() -> None:
    line, matching, _ = made()
    line.station_event(cp(CpState.B), CAUSE)
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    line.command(SetPilot(evse_id=1, mode=PilotMode.PWM, duty_permille=50), CAUSE)
    assert matching.asked == [("cp", "B", 0), ("begin",), ("cp", "B", 50)]


def test_a_steady_pilot_is_no_duty() -> None:
    line, matching, _ = made()
    line.command(SetPilot(evse_id=1, mode=PilotMode.PWM, duty_permille=50), CAUSE)
    line.command(SetPilot(evse_id=1, mode=PilotMode.STEADY_POSITIVE, duty_permille=50), CAUSE)
    assert matching.asked[-1] == ("cp", "UNKNOWN", 0)


@pytest.mark.parametrize(
    ("cause", "orderly", "asked"),
    [
        (Cause.EV_FINISHED, True, "terminate"),
        (Cause.STOP_REQUESTED, True, "terminate"),
        (Cause.EV_PAUSED, True, "pause"),
        (Cause.EV_TIMEOUT, False, "error"),
        (Cause.LINK_LOST, False, "error"),
    ],
)
def test_each_end_of_a_session_has_its_primitive(cause: Cause, orderly: bool, asked: str) -> None:
    line, matching, _ = made()
    line.station_event(V2gSessionEnded(at=0.0, evse_id=1, cause=cause, orderly=orderly), CAUSE)
    assert matching.asked == [(asked,)]


def test_matching_rests_while_the_station_accepts_nobody() -> None:
    line, matching, _ = made()
    for accepted in (True, False, True):
        line.command(AcceptV2g(evse_id=1, accepted=accepted), CAUSE)
    assert matching.asked == [("begin",), ("rest",), ("begin",)]


def test_a_lost_link_ends_the_session_and_takes_the_error_routine() -> None:
    line, matching, hung_up = made()
    matching.state = PortState.MATCHED
    (told,) = line.slac_event(DlinkReady(at=1.0, evse_id=1, link=True), CAUSE)
    assert told == LinkChanged(at=1.0, evse_id=1, linked=True)
    matching.state = PortState.LOST
    (told,) = line.slac_event(DlinkReady(at=2.0, evse_id=1, link=False), CAUSE)
    assert told == LinkChanged(at=2.0, evse_id=1, linked=False)
    assert hung_up == [Cause.LINK_LOST]
    assert matching.asked == [("error",)]


@pytest.mark.parametrize("state", [PortState.HELD, PortState.IDLE, PortState.LEAVING])
def test_a_network_left_in_good_order_is_no_loss(state: PortState) -> None:
    line, matching, hung_up = made()
    matching.state = state
    assert line.slac_event(DlinkReady(at=2.0, evse_id=1, link=False), CAUSE) == []
    assert (hung_up, matching.asked) == ([], [])


def test_the_pilot_matching_wants_is_asked_of_the_station() -> None:
    line, _, _ = made()
    wanted = line.slac_event(PilotRequest(at=3.0, evse_id=2, mode=PilotMode.STEADY_NEGATIVE), CAUSE)
    assert wanted == [PilotWanted(at=3.0, evse_id=2, mode=PilotMode.STEADY_NEGATIVE)]


def test_a_person_hears_why_matching_failed_and_of_a_dead_modem() -> None:
    line, _, _ = made()
    failed = SlacFailed(at=4.0, evse_id=1, cause=SlacCause.NOT_JOINED, final=True, detail="no link")
    assert line.slac_event(failed, CAUSE) == [MatchingFailed(at=4.0, evse_id=1, final=True, detail="no link")]
    for state, usable in ((ModemState.DEAD, False), (ModemState.STARTING, True), (ModemState.READY, True)):
        changed = ModemChanged(at=5.0, evse_id=1, state=state, detail="silent")
        assert line.slac_event(changed, CAUSE) == [
            ModemTold(at=5.0, evse_id=1, usable=usable, detail="silent")
        ]
    dead = SlacFailed(at=4.0, evse_id=1, cause=SlacCause.MODEM_DEAD, final=False)
    assert line.slac_event(dead, CAUSE) == [], "told with the modem's state"
