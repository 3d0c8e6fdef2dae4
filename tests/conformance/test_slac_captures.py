"""Every recorded matching played against the machine: what a charger said there, the machine says too.

The machine gets the charger's MAC and key, the car's frames in their own timing, and sounds of the level the
charger reported; then each answer must be the charger's, field by field. Where only a third modem listened,
the car's half is made from the answers. Differences are in KNOWN, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from shared_data import CAPTURES
from unit.host.slac.rig import Solo, capture

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.keys import nid_of

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recorded sessions in {CAPTURES}")

FROM_CAR = (m.SlacParmReq, m.StartAttenCharInd, m.MnbcSoundInd, m.AttenCharRsp, m.SlacMatchReq)
FROM_CHARGER = (m.SlacParmCnf, m.AttenCharInd, m.SlacMatchCnf)
PAUSE_S = 5.0  # between two runs
Timed = tuple[float, codec.Frame]

OF_PYPLC = (
    "ioniq-10min-two-sessions",
    "ioniq-93-percent",
    "ioniq-currentdemand-3min",
    "listen-01-slac-one-side",
    "listen-02-one-tcp-message",
    "listen-04-no-join",
    "modely-stop-in-precharge",
    "polestar2-stop-in-precharge",
)
# (capture, message, field) -> why the machine says something else. Real chargers: not once.
KNOWN: dict[tuple[str, str, str], str] = {
    **{
        (name, "SlacMatchCnf", "nid"): "pyPLC's network id is not made from its key (HomePlug AV 1.1 4.4.3.1)"
        for name in OF_PYPLC
    },
    ("ioniq-10min-two-sessions", "AttenCharInd", "groups_db"): (
        "pyPLC reports fixed levels, the machine the average of what the modem measured"
    ),
    ("polestar2-stop-in-precharge", "AttenCharInd", "count"): (
        "pyPLC's private broadcasts to a power supply, in the clothes of this message"
    ),
    ("taycan-slac-fail-wrong-runid", "SlacParmCnf", "run_id"): (
        "pyPLC invents a run id and the car gives up; the machine echoes the car's"
    ),
}


@dataclass
class Exchange:
    """One run: frames of the car, of the charger's modem, answers of the charger."""

    heard: list[Timed] = field(default_factory=list)
    answers: list[Timed] = field(default_factory=list)
    made_up: bool = False  # the car's half

    def of(self, kind: type[Any]) -> list[Any]:
        """The charger's answers of a kind."""
        return [frame.message for _, frame in self.answers if isinstance(frame.message, kind)]


def frames(name: str) -> Iterator[Timed]:
    for record in capture(name)["homeplug"]:
        try:
            frame = codec.decode(bytes.fromhex(record["hex"]))
        except codec.CodecError:
            continue
        if frame is not None:
            yield record["t"], frame


def exchanges(name: str) -> list[Exchange]:
    """Runs in which the charger answered."""
    runs: list[Exchange] = []
    last = -PAUSE_S * 2
    for at, frame in frames(name):
        message = frame.message
        if not isinstance(message, (*FROM_CAR, *FROM_CHARGER, m.AttenProfileInd)):
            continue
        if isinstance(message, (m.SlacParmReq, m.SlacParmCnf)) and at - last > PAUSE_S:
            runs.append(Exchange())
        last = at
        if isinstance(message, FROM_CHARGER):
            runs[-1].answers.append((at, frame))
        else:
            runs[-1].heard.append((at, frame))
    runs = [run for run in runs if run.answers]
    for run in runs:
        _from_the_first_answer_on(run)
        if not run.heard:
            _make_up_the_car(run)
        _give_sounds(run)
    return runs


def _from_the_first_answer_on(run: Exchange) -> None:
    """Requests before, at a charger that did not listen yet, are no part of it."""
    first = run.answers[0][0]
    early = [at for at, f in run.heard if isinstance(f.message, m.SlacParmReq) and at <= first]
    run.heard = [(at, frame) for at, frame in run.heard if not early or at >= early[-1] - 0.05]


def _make_up_the_car(run: Exchange) -> None:
    """What the car must have said for these answers to come."""
    run.made_up = True
    for at, frame in run.answers:
        ev, evse, message = frame.destination, frame.source, frame.message
        if isinstance(message, m.SlacParmCnf):
            run.heard.append((at - 0.005, codec.Frame(m.BROADCAST, ev, m.SlacParmReq(message.run_id))))
        elif isinstance(message, m.AttenCharInd):
            start = at - 0.3
            for step in range(3):
                begin = m.StartAttenCharInd(ev, message.run_id)
                run.heard.append((start + 0.02 * step, codec.Frame(m.BROADCAST, ev, begin)))
            for step in range(m.SOUNDS):
                sound = m.MnbcSoundInd(m.SOUNDS - 1 - step, message.run_id, bytes(16))
                run.heard.append((start + 0.06 + 0.02 * step, codec.Frame(m.BROADCAST, ev, sound)))
            run.heard.append((at + 0.02, codec.Frame(evse, ev, m.AttenCharRsp(ev, message.run_id))))
        elif isinstance(message, m.SlacMatchCnf):
            request = m.SlacMatchReq(ev, evse, message.run_id)
            run.heard.append((at - 0.005, codec.Frame(evse, ev, request)))


def _give_sounds(run: Exchange) -> None:
    """A modem that could not measure, or was not recorded, gets the levels the charger reported."""
    measured = any(isinstance(f.message, m.AttenProfileInd) and f.message.groups_db for _, f in run.heard)
    reports = run.of(m.AttenCharInd)
    if measured or not reports:
        return
    run.heard = [(at, f) for at, f in run.heard if not isinstance(f.message, m.AttenProfileInd)]
    sounds = [(at, f) for at, f in run.heard if isinstance(f.message, m.MnbcSoundInd)]
    reported_at = next(at for at, f in run.answers if isinstance(f.message, m.AttenCharInd))
    for number, (at, frame) in enumerate(sounds[: reports[0].num_sounds], 1):
        profile = m.AttenProfileInd(frame.source, reports[0].groups_db)
        # Some chargers wait for the end of the window: the last sound comes in when they report.
        heard_at = reported_at - 0.002 if number == m.SOUNDS else at + 0.001
        run.heard.append((heard_at, codec.Frame(m.BROADCAST, frame.source, profile)))
    run.heard.sort(key=lambda timed: timed[0])


def play(run: Exchange) -> list[Timed]:
    """What the machine answers."""
    confirms = run.of(m.SlacMatchCnf)
    nmk = confirms[0].nmk if confirms else bytes(range(16))
    solo = Solo(SlacConfig(), own=run.answers[0][1].source, keys=lambda _size: nmk)
    solo.plug()
    zero, begin = solo.now, run.heard[0][0]
    said: list[Timed] = []

    def collect() -> None:
        said.extend(
            (solo.now - zero + begin, frame) for frame in solo.take() if frame.destination != m.LOCAL_MODEM
        )

    for at, frame in run.heard:
        target = zero + at - begin
        while (due := solo.machine.next_deadline()) is not None and due <= target:
            solo.wait(due - solo.now)
            collect()
        solo.wait(max(0.0, target - solo.now))
        if isinstance(frame.message, m.AttenProfileInd):
            solo.modem(frame.message)
        else:
            raw = codec.encode(frame.destination, frame.source, frame.message)
            solo.machine.receive(raw, solo.now)
        collect()
    return said


def differences(run: Exchange, said: list[Timed]) -> set[tuple[str, str]]:
    """(message, field) in which the machine's answers are not the charger's."""
    found = set()
    for kind in FROM_CHARGER:
        theirs = [frame for _, frame in run.answers if isinstance(frame.message, kind)]
        ours = [frame for _, frame in said if isinstance(frame.message, kind)]
        if len(theirs) != len(ours):
            found.add((kind.__name__, "count"))
        for their, our in zip(theirs, ours, strict=False):
            for name in ("destination", "source"):
                if getattr(their, name) != getattr(our, name):
                    found.add((kind.__name__, name))
            found |= {
                (kind.__name__, one.name)
                for one in fields(kind)
                if getattr(their.message, one.name) != getattr(our.message, one.name)
            }
    return found


NAMES = sorted(path.stem for path in CAPTURES.glob("*.json")) if CAPTURES.is_dir() else []


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_are_the_chargers_but_for_known_differences(name: str) -> None:
    runs = exchanges(name)
    assert runs, "no matching in this capture"
    found = set().union(*(differences(run, play(run)) for run in runs))
    assert found == {(message, one) for capture, message, one in KNOWN if capture == name}


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_come_in_the_time_of_the_standard(name: str) -> None:
    for run in exchanges(name):
        said = play(run)
        starts = [at for at, f in run.heard if isinstance(f.message, m.StartAttenCharInd)]
        reports = [at for at, f in said if isinstance(f.message, m.AttenCharInd)]
        if starts:
            window_s = max(
                0.1 * f.message.time_out for _, f in run.heard if isinstance(f.message, m.StartAttenCharInd)
            )
            assert reports[0] - starts[0] <= window_s + 0.1, "TT_EVSE_match_MNBC, TP_EVSE_avg_atten_calc"
        for request, answer in ((m.SlacParmReq, m.SlacParmCnf), (m.SlacMatchReq, m.SlacMatchCnf)):
            asked = [at for at, f in run.heard if isinstance(f.message, request)]
            answered = [at for at, f in said if isinstance(f.message, answer)]
            assert answered == pytest.approx(asked), "TP_match_response"


def test_network_ids_of_real_chargers_are_made_from_their_keys() -> None:
    confirms = [
        c for name in NAMES if name not in OF_PYPLC for run in exchanges(name) for c in run.of(m.SlacMatchCnf)
    ]
    assert len(confirms) >= 8
    assert all(nid_of(confirm.nmk) == confirm.nid for confirm in confirms)


def test_known_differences_are_of_captures_that_are_there() -> None:
    assert {capture for capture, _, _ in KNOWN} <= set(NAMES)
    assert len(NAMES) == 17
