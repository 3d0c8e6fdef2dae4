"""Every recorded session replayed against the V2G service: requests decode, answers fit and come in time."""

from __future__ import annotations

from collections import Counter

import pytest
from shared_data import CAPTURES
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station import events as e
from vsecc_host.station.values import Cause
from vsecc_sim.replay.capture import Capture, NotReplayable, load
from vsecc_sim.replay.channel import connector
from vsecc_sim.replay.player import replay
from vsecc_sim.replay.report import ReplayReport
from vsecc_sim.virtual_time import run, settle

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recorded sessions in {CAPTURES}")

# file -> (answers of ours, how each session ends, whether the car ended it in order)
REAL_CARS = {
    "ioniq-10min-two-sessions": (3474, [(Cause.EV_ERROR, True), (Cause.EV_DISCONNECTED, False)]),
    "ioniq-currentdemand-3min": (734, [(Cause.EV_DISCONNECTED, False)]),
    "ioniq-93-percent": (70, [(Cause.EV_DISCONNECTED, False)]),
    "modely-stop-in-precharge": (133, [(Cause.EV_STOPPED_EARLY, True)]),
    "polestar2-stop-in-precharge": (22, [(Cause.EV_STOPPED_EARLY, True)]),
}

# Where pyPLC plays the car at a real charger its own mistakes end the session; file -> our last answers.
PYPLC_CARS = {
    # asks for charge parameters before authorization: ABB closes, we say why
    "abb-until-chargeparameter": ["FAILED_SequenceError"],
    # power delivery off, then current demand: refused by both
    "alpitronic-sequence-error": ["FAILED_SequenceError"],
    "compleo-currentdemand-emergency": ["OK", "OK"],
    "compleo-emergency-in-precharge": ["OK"],
    "compleo-powerdelivery-refused-start": ["OK", "OK"],
}


def play(capture: Capture) -> tuple[ReplayReport, ScriptedStation]:
    """The recorded pace, in virtual time."""

    async def session() -> tuple[ReplayReport, ScriptedStation]:
        async with ScriptedStation() as station:
            report = await replay(capture, connector(station.sdp_url))
            await settle(lambda: len(station.ends) == len(capture.sessions))
        return report, station

    return run(session())


@pytest.mark.clause("DIN70121 8.6")
@pytest.mark.parametrize("name", list(REAL_CARS))
def test_real_car(name: str) -> None:
    capture = load(CAPTURES / f"{name}.json")
    report, station = play(capture)
    answers, ends = REAL_CARS[name]
    assert report.differences == []
    assert report.answers == answers
    assert [(end.cause, end.orderly) for end in station.ends] == ends
    assert all(code.startswith("OK") for rows in report.sessions for row in rows for code in row.answered)
    told = Counter(type(event) for event, _ in station.events)
    sessions = len(capture.sessions)
    assert told[e.V2gSessionStarted] == told[e.CableCheckRequested] == told[e.V2gSessionEnded] == sessions


@pytest.mark.parametrize("name", list(PYPLC_CARS))
def test_pyplc_as_the_car(name: str) -> None:
    capture = load(CAPTURES / f"{name}.json")
    report, _ = play(capture)
    assert report.differences == []
    assert [rows[-1].answered[-1] for rows in report.sessions] == PYPLC_CARS[name]


def test_every_other_file_says_why_it_cannot_be_played() -> None:
    others = {path.stem for path in CAPTURES.glob("*.json")} - set(REAL_CARS) - set(PYPLC_CARS)
    for name in others:
        with pytest.raises(NotReplayable, match="no V2G request"):
            load(CAPTURES / f"{name}.json")


def test_every_recorded_request_decodes() -> None:
    exchanges = [
        exchange
        for name in REAL_CARS
        for session in load(CAPTURES / f"{name}.json").sessions
        for exchange in session.exchanges
    ]
    assert len(exchanges) == 4448
    assert all(exchange.told.message is not None for exchange in exchanges)
