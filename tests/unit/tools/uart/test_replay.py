"""Replay against the real firmware and against the host service, in virtual time; and the comparison."""

from __future__ import annotations

import asyncio

import pytest
from unit.tools.uart.lines import RecordedRig

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.service import McuLinkService
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import CpStateChanged, McuLinkUp, RelayChanged
from vsecc_host.station.values import CpState
from vsecc_link import messages
from vsecc_sim import virtual_time
from vsecc_sim.mcu.service import McuEmulator
from vsecc_uart.compare import compare, series_of, table
from vsecc_uart.play import NobodyThere, play_as_host, play_as_mcu
from vsecc_uart.player import Player
from vsecc_uart.recording import BadRecording
from vsecc_uart.script import Step, script_of
from vsecc_uart.values import HOST, MCU, Chunk


def charge_with_pauses():
    """B after 0.5 s, C after 1 s, back to B after 1.5 s; the host grants REL1 from 0.9 s on."""
    with RecordedRig() as rig:
        rig.run_ms(500)
        rig.ev("B")
        rig.run_ms(250)
        rig.host.send(messages.SET_PILOT, 1, messages.PILOT_PWM, 50)
        rig.run_ms(150)
        rig.host.granted = 1
        rig.run_ms(100)
        rig.ev("C")
        rig.run_ms(500)
        assert rig.board.relays[1].closed
        rig.ev("B")
        rig.run_ms(300)
        return rig.chunks


RECORDED = charge_with_pauses()


def replayed_as_host(*, allow_energy: bool, car: bool = True, speed: float = 1.0):
    async def main():
        player = Player(script_of(RECORDED, HOST), 77, allow_energy=allow_energy, speed=speed)
        closed = []
        async with McuEmulator(interpreter="cpython", seed=1) as mcu:
            mcu.on_change.append(
                lambda entry: closed.append(entry) if entry.name == "relay1.closed" else None
            )
            loop = asyncio.get_running_loop()
            if car:
                for at_s, state in ((0.5, "B"), (1.0, "C"), (1.5, "B")):
                    loop.call_later(at_s / speed, mcu.ev(1).set_state, state)
            await play_as_host(player, mcu.url)
        return player, [entry.value for entry in closed]

    return virtual_time.run(main())


@pytest.mark.clause("S1", "S7")
def test_grants_are_sent_empty_unless_energy_is_allowed():
    player, closed = replayed_as_host(allow_energy=False)
    assert closed == []
    assert player.emptied == player.script.grants_of_relays() > 3
    differences = compare(player.script.expected, player.answers)
    assert {one.series for one in differences} >= {"RELAY_STATE relay=1", "STATUS.relays_closed"}
    assert "closed=yes" in table(differences)


def test_the_same_car_gives_the_same_answers():
    player, closed = replayed_as_host(allow_energy=True)
    assert closed == [True, False]
    assert player.trouble == []
    assert table(compare(player.script.expected, player.answers)) == "no difference"


def test_half_the_speed_gives_the_same_answers_at_the_recorded_times():
    player, closed = replayed_as_host(allow_energy=True, speed=0.5)
    assert closed == [True, False]
    assert compare(player.script.expected, player.answers) == []


def test_no_car_is_told_as_differences():
    player, _ = replayed_as_host(allow_energy=True, car=False)
    told = table(compare(player.script.expected, player.answers))
    assert "missing  CP_STATE port=1: state=C" in told
    assert "missing  RELAY_STATE relay=1: closed=yes" in told


def test_as_mcu_the_host_sees_the_recorded_car():
    async def main():
        loop = asyncio.get_running_loop()
        player = Player(script_of(RECORDED, MCU), 78)
        ready = loop.create_future()
        play = asyncio.create_task(play_as_mcu(player, "tcp://127.0.0.1:0", ready))
        events = []
        began = loop.time()
        host = McuLinkService(
            McuLinkConfig(url=await ready),
            trace=Trace(loop.time),
            on_event=lambda event, cause: events.append(event),
        )
        await host.start()
        await play
        await host.stop()
        return player, events, began

    player, events, began = virtual_time.run(main())
    assert any(isinstance(event, McuLinkUp) for event in events)
    states = [event.state for event in events if isinstance(event, CpStateChanged) and event.evse_id == 1]
    assert states[-3:] == [CpState.B, CpState.C, CpState.B]
    relays = [event for event in events if isinstance(event, RelayChanged) and event.evse_id == 1]
    assert [event.closed for event in relays] == [False, True, False]
    # Ticks are today's: the host dates the event when it is played, not when it was recorded.
    closed_at = next(
        step.at_s
        for step in player.script.played
        if step.message[:1] == (messages.RELAY_STATE,) and step.message[3]
    )
    assert relays[1].at - began == pytest.approx(closed_at, abs=0.06)
    # This host grants nothing and commands nothing: that is the difference to the recorded one.
    series = {one.series for one in compare(player.script.expected, player.answers)}
    assert series == {"GRANT.relays", "SET_PILOT port=1"}


def test_a_peer_that_never_answers_ends_the_replay():
    async def main():
        server = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            await play_as_host(Player(script_of(RECORDED, HOST), 77), f"tcp://127.0.0.1:{port}")
        finally:
            server.close()

    with pytest.raises(NobodyThere, match="no session for 10 s"):
        virtual_time.run(main())


def test_what_cannot_be_played_is_named():
    with pytest.raises(BadRecording, match="nothing from the host"):
        script_of([chunk for chunk in RECORDED if chunk.sender == MCU], HOST)
    with pytest.raises(BadRecording, match="nothing from the mcu"):
        script_of([Chunk(1.0, HOST, b"rubbish")], MCU)


def test_a_recording_of_another_catalogue_is_refused(monkeypatch):
    monkeypatch.setattr(messages, "catalogue_crc", lambda: 0x1234)
    with pytest.raises(BadRecording, match=r"catalogue .* this program has 00001234"):
        script_of(RECORDED, HOST)


def cp(state, *, port=1, previous=1):
    return (messages.CP_STATE, 5, port, state, previous, 9000, 0)


def test_comparison_of_series():
    wanted = [Step(1.0, cp(2)), Step(2.0, cp(3)), Step(3.0, cp(2)), Step(1.5, cp(2, port=2))]
    assert compare(wanted, wanted) == []
    late = [*wanted[:1], Step(2.4, cp(3)), *wanted[2:]]
    (one,) = compare(wanted, late)
    assert (one.what, one.expected_s, one.got_s) == ("late", 2.0, 2.4)
    assert compare(wanted, late, tolerance_s=0.5) == []
    assert [one.what for one in compare(wanted, wanted[:2] + wanted[3:])] == ["missing"]
    assert [one.what for one in compare(wanted[:1], wanted[:2])] == ["extra"]
    (one,) = compare([Step(1.0, cp(2))], [Step(1.0, cp(2, port=2))])[:1]
    assert one.series == "CP_STATE port=1"


def test_measured_values_and_repeated_reports_do_not_count():
    other = (messages.CP_STATE, 99, 1, 2, 1, 8800, -3)
    assert compare([Step(1.0, cp(2))], [Step(1.0, other), Step(1.1, cp(2))]) == []


def test_what_a_session_begins_with_counts_as_it_settles():
    began = [Step(0.0, cp(0)), Step(0.1, cp(1)), Step(0.2, cp(2))]
    assert [value for _, value, _ in series_of(began)["CP_STATE port=1"]] == [(2,)]
    assert compare(began, [Step(0.25, cp(2))]) == []
