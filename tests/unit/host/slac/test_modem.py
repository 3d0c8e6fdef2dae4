"""The own modem: identity, key with retries, confirmation by the network, death and return, link polling."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.slac.rig import CAR, MODEM, OWN, Site, Solo, mac

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import DlinkReady, ModemChanged, ModemState, PilotRequest, SlacCause, SlacFailed
from vsecc_host.slac.modem import Phase
from vsecc_host.slac.table import PortState
from vsecc_host.station.values import CpState
from vsecc_sim.plc.modem import Manners

OURS = (m.SetKeyReq, m.SwVerReq, m.NwInfoReq, m.LinkStatusReq, m.ResetReq)


@pytest.fixture
def fresh() -> Solo:
    return Solo(ready=False)


def keys(solo: Solo) -> list[m.SetKeyReq]:
    return solo.said(m.SetKeyReq)


def states(solo: Solo) -> list[ModemState]:
    return [event.state for event in solo.told(ModemChanged)]


def in_force(solo: Solo) -> None:
    solo.modem(m.NwInfoCnf(m.Network(solo.machine.modem.key.nid, m.Role.COORDINATOR)))


def test_the_first_thing_is_a_key_for_the_own_modem_alone(fresh: Solo) -> None:
    frames = fresh.take()
    assert [type(frame.message) for frame in frames] == [m.SwVerReq, m.SetKeyReq]
    assert {frame.destination for frame in frames} == {m.LOCAL_MODEM}
    request = frames[1].message
    assert isinstance(request, m.SetKeyReq)
    assert (request.nid, request.new_key) == (fresh.machine.modem.key.nid, fresh.machine.modem.key.nmk)


@pytest.mark.parametrize("result", [0, 1])
def test_both_results_in_use_are_success_once_the_network_shows_the_key(fresh: Solo, result: int) -> None:
    fresh.modem(m.SwVerCnf("MAC-QCA7005-1.2.5"))
    fresh.modem(m.SetKeyCnf(result))
    fresh.wait(0.0)
    assert not fresh.machine.modem.ready
    assert fresh.said(m.NwInfoReq)
    in_force(fresh)
    assert states(fresh) == [ModemState.READY]
    assert fresh.told(ModemChanged)[-1].version == "MAC-QCA7005-1.2.5"


def test_a_modem_that_needs_five_seconds_is_waited_for_with_the_same_key(fresh: Solo) -> None:
    (first,) = keys(fresh)
    fresh.modem(m.SetKeyCnf(1))
    for _ in range(50):
        fresh.wait(0.1)
        fresh.modem(m.NwInfoCnf(m.Network(b"\x01" * 7, m.Role.COORDINATOR)))
    assert keys(fresh) == []
    in_force(fresh)
    assert fresh.machine.modem.ready
    assert fresh.machine.modem.key.nmk == first.new_key


def test_a_modem_that_keeps_its_old_network_gets_the_same_key_again(fresh: Solo) -> None:
    (first,) = keys(fresh)
    fresh.modem(m.SetKeyCnf(1))
    for _ in range(65):
        fresh.wait(0.1)
        fresh.modem(m.NwInfoCnf(m.Network(b"\x01" * 7, m.Role.COORDINATOR)))
    assert keys(fresh) == [first]


@pytest.mark.parametrize("answer", [None, m.NwInfoCnf(None)])
def test_a_modem_that_tells_no_network_is_believed_by_its_answer(fresh: Solo, answer: Any) -> None:
    fresh.modem(m.SetKeyCnf(1))
    for _ in range(9):
        fresh.wait(0.1)
        if answer is not None:
            fresh.modem(answer)
    assert not fresh.machine.modem.ready
    fresh.wait(0.1)
    assert fresh.machine.modem.ready
    assert fresh.told(ModemChanged)[-1].detail == "does not tell its network"


@pytest.mark.parametrize("answer", [None, m.NwInfoCnf(None)], ids=["silent", "no network"])
def test_a_modem_known_to_tell_its_network_is_waited_for_while_it_restarts(answer: Any) -> None:
    """An AR7420 is away for 5 s with every new key: no car may be invited meanwhile."""
    solo = matched()
    solo.machine.cp_changed(CpState.A, 0, solo.now)
    solo.modem(m.SetKeyCnf(1))
    solo.plug()
    for _ in range(50):
        solo.wait(0.1)
        if answer is not None:
            solo.modem(answer)
    assert solo.machine.state is PortState.WAITING
    in_force(solo)
    assert solo.machine.state is PortState.LISTENING


def test_a_modem_that_no_longer_tells_its_network_is_believed_in_the_end() -> None:
    solo = Solo()
    for wait_s in (6.0, 1.0):
        solo.machine.modem.renew(solo.now)
        solo.modem(m.SetKeyCnf(1))
        solo.wait(wait_s - 0.001)
        assert not solo.machine.modem.ready
        solo.wait(0.001)
        assert solo.machine.modem.ready
        assert solo.told(ModemChanged)[-1].detail == "does not tell its network"


def test_vendor_messages_of_another_vendor_are_not_understood() -> None:
    lumissil = bytes.fromhex("0016e8")
    solo = Solo(ready=False)
    solo.modem(m.SetKeyCnf(1))
    own = m.Network(solo.machine.modem.key.nid, m.Role.COORDINATOR)
    solo.modem(m.NwInfoCnf(own, oui=lumissil))
    solo.modem(m.SwVerCnf("else", oui=lumissil))
    assert not solo.machine.modem.ready
    assert solo.machine.modem.version == ""
    assert solo.machine.ignored["unknown type"] == 2


def test_a_refused_key_is_tried_ten_times_half_a_second_apart(fresh: Solo) -> None:
    (first,) = keys(fresh)
    for _ in range(9):
        fresh.modem(m.SetKeyCnf(0x0F))
        fresh.wait(0.499)
        assert keys(fresh) == []
        fresh.wait(0.001)
        assert keys(fresh) == [first]
    fresh.modem(m.SetKeyCnf(0x0F))
    assert states(fresh) == [ModemState.DEAD]
    assert "refused" in fresh.told(ModemChanged)[-1].detail


def test_the_network_is_believed_rather_than_a_refusal(fresh: Solo) -> None:
    fresh.modem(m.SetKeyCnf(0x0F))
    in_force(fresh)
    assert fresh.machine.modem.ready


def test_a_key_that_changed_before_the_answer_is_sent_after_it(fresh: Solo) -> None:
    (first,) = keys(fresh)
    fresh.machine.modem.renew(fresh.now)
    assert keys(fresh) == []
    fresh.modem(m.SetKeyCnf(1))
    (second,) = keys(fresh)
    assert second.new_key == fresh.machine.modem.key.nmk != first.new_key
    assert fresh.machine.modem.phase is Phase.ASKED


def test_no_second_request_before_the_first_timed_out(fresh: Solo) -> None:
    assert len(keys(fresh)) == 1
    fresh.wait(0.999)
    assert fresh.machine.modem.phase is Phase.ASKED
    fresh.wait(0.001 + 0.499)
    assert keys(fresh) == []
    fresh.wait(0.001)
    assert len(keys(fresh)) == 1


def test_a_silent_modem_is_dead_after_three_requests_reset_once_and_tried_on(fresh: Solo) -> None:
    fresh.wait(3 * 1.0 + 2 * 0.5)
    assert states(fresh) == [ModemState.DEAD]
    assert [type(message) for message in fresh.said(m.SetKeyReq, m.ResetReq)] == [m.SetKeyReq] * 3 + [
        m.ResetReq
    ]
    fresh.wait(60.0)
    said = fresh.said(m.SetKeyReq, m.ResetReq)
    assert len(said) > 10
    assert not any(isinstance(message, m.ResetReq) for message in said)
    fresh.modem(m.SetKeyCnf(1), source=mac(2, 200))  # another one in its place
    fresh.wait(0.0)
    fresh.modem(m.NwInfoCnf(m.Network(fresh.machine.modem.key.nid, m.Role.COORDINATOR)), source=mac(2, 200))
    assert fresh.machine.modem.ready


@pytest.mark.parametrize(("reset", "pauses_s"), [(True, (1.0, 2.0)), (False, (2.0, 2.0))])
def test_a_dead_modem_is_tried_after_its_restart_then_every_two_seconds(
    reset: bool, pauses_s: tuple[float, float]
) -> None:
    solo = Solo(SlacConfig(reset_dead_modem=reset), ready=False)
    for pause_s in pauses_s:
        solo.wait(3 * 1.0 + 2 * 0.5)
        solo.said()
        solo.wait(pause_s - 0.001)
        assert keys(solo) == []
        solo.wait(0.001)
        assert len(keys(solo)) == 1


def test_a_modem_that_answers_no_question_is_taken_for_linked_after_one_second() -> None:
    solo = Solo(ready=False)
    solo.modem(m.SetKeyCnf(1))
    solo.wait(1.0)
    solo.plug()
    solo.sound()
    solo.match()
    solo.wait(0.999)
    assert solo.told(DlinkReady) == []
    solo.wait(0.001)
    assert [(event.link, event.proven) for event in solo.told(DlinkReady)] == [(True, False)]


def test_a_dead_modem_makes_the_port_unavailable_and_its_return_available() -> None:
    solo = Solo(ready=False)
    solo.wait(4.0)
    solo.machine.cp_changed(CpState.B, 0, solo.now)
    solo.machine.start(solo.now)
    assert solo.told(SlacFailed)[-1].cause is SlacCause.MODEM_DEAD
    assert solo.told(PilotRequest) == []
    assert solo.machine.state is PortState.WAITING
    solo.wait(1.0)
    solo.modem(m.SetKeyCnf(1))
    solo.wait(0.0)
    in_force(solo)
    assert solo.machine.state is PortState.LISTENING
    assert solo.told(PilotRequest)[-1].duty_permille == 50


def test_no_reset_when_it_is_switched_off() -> None:
    solo = Solo(SlacConfig(reset_dead_modem=False), ready=False)
    solo.wait(10.0)
    assert solo.said(m.ResetReq) == []


def test_confirmations_of_another_modem_are_not_ours() -> None:
    solo = Solo(ready=False)
    solo.modem(m.SwVerCnf("MAC-QCA7005"))
    solo.modem(m.SetKeyCnf(1), source=mac(2, 77))
    assert solo.machine.modem.phase is Phase.ASKED
    solo.machine.receive(codec.encode(mac(1, 9), MODEM, m.SetKeyCnf(1)), solo.now)
    assert solo.machine.modem.phase is Phase.ASKED


def test_the_modem_is_asked_now_and_then_and_gets_its_key_again_after_a_restart() -> None:
    solo = Solo()
    for _ in range(3):
        solo.wait(5.0)
        assert solo.said(m.NwInfoReq)
        solo.modem(m.NwInfoCnf(m.Network(b"\x05" * 7, m.Role.COORDINATOR)))
    solo.wait(5.0)
    assert len(keys(solo)) == 1
    assert states(solo)[-1] is ModemState.STARTING


def test_a_modem_that_falls_silent_while_idle_is_noticed() -> None:
    solo = Solo()
    solo.wait(5.0 * 4 + 4.0)
    assert states(solo)[-1] is ModemState.DEAD


def test_the_modem_is_left_alone_while_a_car_is_matching() -> None:
    solo = Solo()
    solo.plug()
    solo.sound()
    solo.car(m.AttenCharRsp(CAR, b"C\xc0nV1\xb7{a"), to=OWN)
    solo.take()
    solo.wait(9.0)
    assert solo.said(*OURS) == []


# --- the link ----------------------------------------------------------------------------------------------


def matched() -> Solo:
    solo = Solo()
    solo.plug()
    solo.sound()
    solo.match()
    return solo


@pytest.mark.clause("ISO15118-3 TP_link_ready_notification")
def test_link_is_told_two_to_four_tenths_after_it_came() -> None:
    solo = matched()
    began = solo.now
    solo.link(stations=0, for_s=2.0)
    assert solo.told(DlinkReady) == []
    up = solo.now
    solo.link(for_s=1.0)
    (ready,) = solo.told(DlinkReady)
    assert ready.at - up + 1e-6 >= 0.2
    assert ready.at - up <= 0.4 + 1e-6
    assert began < up


def test_a_lost_link_is_told_once_within_a_second_and_polling_stops() -> None:
    solo = matched()
    solo.link()
    lost = solo.now
    solo.link(stations=0, for_s=3.0)
    up, down = solo.told(DlinkReady)
    assert (up.link, down.link) == (True, False)
    assert down.at - lost <= 1.0
    assert solo.machine.state is PortState.LOST
    solo.said()
    solo.wait(2.0)
    assert solo.said(m.LinkStatusReq) == []


def test_one_or_two_missed_polls_are_no_loss() -> None:
    solo = matched()
    solo.link()
    for _ in range(5):
        solo.link(stations=0, for_s=0.4)
        solo.link(for_s=0.4)
    assert [event.link for event in solo.told(DlinkReady)] == [True]


def test_link_status_serves_where_the_network_is_not_told() -> None:
    solo = matched()
    for link in (0, 1):
        solo.wait(0.2)
        for _ in range(4):
            solo.modem(m.LinkStatusCnf(link))
            solo.wait(0.2)
        assert bool(solo.told(DlinkReady)) is bool(link)


@pytest.mark.parametrize(
    ("manners", "proven"),
    [
        (Manners(), True),
        (Manners(tells_link=False), True),
        (Manners(tells_network=False), False),
        (Manners(tells_network=False, tells_link=False), False),
        (Manners(refuse_keys=3), True),
        (Manners(set_key_result=0), True),
        (Manners(settle_s=5.0), True),
        (Manners(raw_indications=True, profile_first=True), True),
    ],
)
def test_a_car_gets_its_link_with_every_kind_of_modem(manners: Manners, proven: bool) -> None:
    site = Site()
    port = site.port("p", manners=manners)
    site.car("c", {"p": 30})
    site.plug("c", "p")
    assert site.virtual.run(30.0, lambda: port.state is PortState.MATCHED)
    assert site.virtual.events_of("p", DlinkReady)[-1].proven is proven


def test_a_modem_that_dies_and_comes_back() -> None:
    manners = Manners()
    site = Site()
    port = site.port("p", manners=manners)
    site.virtual.run(1.0)
    manners.silent = True
    assert site.virtual.run(30.0, lambda: port.modem.state is ModemState.DEAD)
    manners.silent = False
    assert site.virtual.run(5.0, lambda: port.modem.ready)
