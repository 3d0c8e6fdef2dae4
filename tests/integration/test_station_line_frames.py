"""Frames of matching lost, doubled, late, foreign, malformed, through the whole station: a matrix.

Each cell: the car is matched in its first run or, where it cannot be, a person sees why; the output is safe,
the next car charges, the car at the other outlet never notices.
"""

from __future__ import annotations

import asyncio

import pytest
from integration.line_stories import (
    BIG_WH,
    IN_SESSION,
    LineStation,
    Neighbour,
    next_car_charges,
    play,
    safe,
    until,
)

from vsecc_host.runtime.trace import Frame
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.table import PortState
from vsecc_host.station.events import V2gSessionStarted
from vsecc_host.station.values import Cause
from vsecc_sim.plc.faults import FOREIGN_MAC, Act, Do

FRAMES = {
    m.SlacParmReq: "no CM_SLAC_PARM.REQ",
    m.SlacParmCnf: "no CM_START_ATTEN_CHAR.IND",
    m.StartAttenCharInd: "no CM_START_ATTEN_CHAR.IND",
    m.MnbcSoundInd: None,  # what counts is what the modem measured
    m.AttenProfileInd: "no sound was measured",
    m.AttenCharInd: "no CM_ATTEN_CHAR.RSP",
    m.AttenCharRsp: "no CM_ATTEN_CHAR.RSP",
    m.SlacMatchReq: "no CM_SLAC_MATCH.REQ",
    m.SlacMatchCnf: "no link after CM_SLAC_MATCH.CNF",
}  # and what a person is told when it never arrives; None: it works without
OF_THE_MODEM = (m.SetKeyCnf, m.NwInfoCnf, m.LinkStatusCnf)

ONCE = {Do.LOSE: 1.0, Do.TOO_LATE: 1.0}
ACTS = [*Do]


def _answers_to_strangers(station: LineStation) -> set[str]:
    """A stranger may ask, as any neighbour's car; nothing that copies our car's frames is answered."""
    sent = [
        codec.decode(record.raw)
        for record in station.app.trace
        if isinstance(record, Frame) and record.layer == "slac" and record.direction == "tx"
    ]
    return {type(f.message).__name__ for f in sent if f is not None and f.destination == FOREIGN_MAC}


async def _session(station: LineStation, what: str) -> None:
    """Matched in the first run, V2G under way; then the plug is pulled."""
    station.plug(1)
    await until(lambda: station.view(1).phase in IN_SESSION, within_s=30.0)
    assert station.recorder.outlets[1].matching.failures == [], what
    assert _answers_to_strangers(station) <= {"SlacParmCnf"}, f"{what}: ignoring, not answering, is right"
    await station.unplug(1, orderly=False)
    assert safe(station, 1), what


@pytest.mark.parametrize("kind", [*FRAMES, *OF_THE_MODEM], ids=lambda kind: kind.__name__)
def test_a_disturbed_frame_costs_no_matching_run(kind: type[m.Message]) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        assert station.line_faults is not None
        for do in ACTS:
            station.line_faults.acts = [
                Act(do, outlet=1, mmtype=codec.mmtype_of(kind), times=ONCE.get(do, float("inf")))
            ]
            await _session(station, f"{kind.__name__} {do}")
            neighbour.check()
        station.line_faults.acts = []
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("kind", [k for k, why in FRAMES.items() if why], ids=lambda kind: kind.__name__)
def test_a_frame_that_never_arrives_is_told_and_the_next_car_charges(kind: type[m.Message]) -> None:
    async def story(station: LineStation) -> None:
        neighbour = Neighbour(station)
        await neighbour.begins()
        assert station.line_faults is not None
        station.line_faults.acts = [Act(Do.LOSE, outlet=1, mmtype=codec.mmtype_of(kind))]
        station.plug(1)
        await until(lambda: station.view(1).cause is Cause.MATCHING_FAILED, within_s=60.0)
        assert FRAMES[kind] in station.view(1).cause_detail
        assert safe(station, 1)
        assert station.of(1, V2gSessionStarted) == []
        station.line_faults.acts = []
        await next_car_charges(station, 1)
        neighbour.check()

    play(story, capacity_wh=BIG_WH)


@pytest.mark.parametrize("kind", [k for k, why in FRAMES.items() if not why], ids=lambda kind: kind.__name__)
def test_a_frame_that_is_not_needed_may_stay_away(kind: type[m.Message]) -> None:
    async def story(station: LineStation) -> None:
        assert station.line_faults is not None
        station.line_faults.acts = [Act(Do.LOSE, outlet=1, mmtype=codec.mmtype_of(kind))]
        await _session(station, kind.__name__)

    play(story)


def test_a_flood_of_a_strangers_requests_leaves_room_for_the_car() -> None:
    """Sixteen sessions are the bound: a flood of run ids of one host takes two of them."""

    async def story(station: LineStation) -> None:
        flood = [
            codec.encode(m.BROADCAST, bytes.fromhex("02eeeeeeee02"), m.SlacParmReq(run.to_bytes(8, "big")))
            for run in range(500)
        ]
        station.plug(1)
        await until(lambda: station.matching(1) is PortState.LISTENING, within_s=5.0, step_s=0.001)
        for raw in flood:
            station.line.medium.receive("car2", raw, asyncio.get_running_loop().time())
        await until(lambda: station.view(1).phase in IN_SESSION, within_s=30.0)

    play(story)
