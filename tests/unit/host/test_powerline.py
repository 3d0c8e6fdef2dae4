"""D-LINK primitives follow the station: what is asked of matching, in which order."""

from __future__ import annotations

from typing import Any

from vsecc_host.powerline import Powerline
from vsecc_host.slac.events import DlinkReady, PilotRequest
from vsecc_host.slac.table import PortState
from vsecc_host.station.commands import AcceptV2g, SetPilot
from vsecc_host.station.events import CpStateChanged, PilotWanted, V2gSessionEnded
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


def test_a_session_that_ended_leaves_the_network_and_the_next_one_matches_anew() -> None:
    line, matching, _ = made()
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    matching.state = PortState.MATCHED
    line.station_event(V2gSessionEnded(at=0.0, evse_id=1, cause=Cause.EV_FINISHED, orderly=True), CAUSE)
    line.command(AcceptV2g(evse_id=1, accepted=False), CAUSE)
    matching.state = PortState.HELD
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    assert matching.asked == [("begin",), ("terminate",), ("error",)]


def test_a_paused_session_keeps_its_network_and_wakes_up_in_it() -> None:
    line, matching, _ = made()
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    matching.state = PortState.MATCHED
    line.station_event(V2gSessionEnded(at=0.0, evse_id=1, cause=Cause.EV_PAUSED, orderly=True), CAUSE)
    line.command(AcceptV2g(evse_id=1, accepted=False), CAUSE)
    matching.state = PortState.PAUSED
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    assert matching.asked == [("begin",), ("pause",), ("begin",)]


def test_being_accepted_again_while_matching_changes_nothing() -> None:
    line, matching, _ = made()
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    matching.state = PortState.LISTENING
    line.command(AcceptV2g(evse_id=1, accepted=True), CAUSE)
    assert matching.asked == [("begin",)]


def test_a_lost_link_ends_the_session_and_takes_the_error_routine() -> None:
    line, matching, hung_up = made()
    assert line.slac_event(DlinkReady(at=1.0, evse_id=1, link=True), CAUSE) == []
    assert line.slac_event(DlinkReady(at=2.0, evse_id=1, link=False), CAUSE) == []
    assert hung_up == [Cause.EV_DISCONNECTED]
    assert matching.asked == [("error",)]


def test_the_pilot_matching_wants_is_asked_of_the_station() -> None:
    line, _, _ = made()
    wanted = line.slac_event(PilotRequest(at=3.0, evse_id=2, mode=PilotMode.STEADY_NEGATIVE), CAUSE)
    assert wanted == [PilotWanted(at=3.0, evse_id=2, mode=PilotMode.STEADY_NEGATIVE)]
