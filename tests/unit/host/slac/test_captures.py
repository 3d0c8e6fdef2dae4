"""Real cars' frames played against the machine in their own timing: they match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.host.slac.rig import CAPTURES, OWN, Solo, capture

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import SlacMatched

pytestmark = pytest.mark.skipif(not CAPTURES.exists(), reason="recorded sessions are not here")

FROM_CAR = (m.SlacParmReq, m.StartAttenCharInd, m.MnbcSoundInd, m.AttenCharRsp, m.SlacMatchReq)
CARS = ["ioniq-10min-two-sessions", "ioniq-93-percent", "ioniq-currentdemand-3min"]
CARS += ["modely-stop-in-precharge", "polestar2-stop-in-precharge"]


def frames(name: str) -> Iterator[tuple[float, codec.Frame]]:
    for record in capture(name)["homeplug"]:
        frame = codec.decode(bytes.fromhex(record["hex"]))
        if frame is not None:
            yield record["t"], frame


def runs(name: str) -> list[list[tuple[float, codec.Frame]]]:
    """Frames of car and modem, cut where the car starts over with 5 s between."""
    car = bytes.fromhex(capture(name)["ev"]["mac"].replace(":", ""))
    parts: list[list[tuple[float, codec.Frame]]] = []
    last = -100.0
    for at, frame in frames(name):
        of_car = frame.source == car and isinstance(frame.message, FROM_CAR)
        if not of_car and not isinstance(frame.message, m.AttenProfileInd):
            continue
        if at - last > 5.0:
            parts.append([])
        parts[-1].append((at, frame))
        last = at
    return parts


def play(part: list[tuple[float, codec.Frame]], config: SlacConfig | None = None) -> tuple[Solo, list[Any]]:
    """The part against a fresh port; the EVSE's MAC is put in where the car names it. What the port said."""
    solo = Solo(config)
    solo.plug()
    said: list[Any] = []
    begin, start = part[0][0], solo.now
    for at, frame in part:
        solo.wait(max(0.0, start + at - begin - solo.now))
        said += [(solo.now - start, message) for message in solo.said()]
        message = frame.message
        if isinstance(message, m.SlacMatchReq):
            message = m.SlacMatchReq(message.ev_mac, OWN, message.run_id)
        if isinstance(message, m.AttenProfileInd):
            solo.modem(message)
        else:
            to = m.BROADCAST if frame.destination == m.BROADCAST else OWN
            solo.machine.receive(codec.encode(to, frame.source, message), solo.now)
        said += [(solo.now - start, answer) for answer in solo.said()]
    return solo, said


def sounds_of(name: str) -> bool:
    return any(
        isinstance(frame.message, m.AttenProfileInd) and frame.message.groups_db for _, frame in frames(name)
    )


@pytest.mark.parametrize("name", CARS)
def test_a_real_car_matches(name: str) -> None:
    """With a modem that cannot measure only by the stand-in, as the recorded charger did."""
    config = SlacConfig(stand_in_attenuation=not sounds_of(name))
    for part in runs(name):
        solo, said = play(part, config)
        kinds = [type(message) for _, message in said]
        requests = [frame for _, frame in part if isinstance(frame.message, m.SlacParmReq)]
        assert kinds.count(m.SlacParmCnf) == len(requests)
        assert m.AttenCharInd in kinds
        assert kinds[-1] is m.SlacMatchCnf
        run_ids = {message.run_id for _, message in said}
        assert run_ids == {
            frame.message.run_id for frame in requests if isinstance(frame.message, m.SlacParmReq)
        }
        (matched,) = solo.told(SlacMatched)
        assert matched.ev_mac == requests[0].source.hex().upper()


def test_the_ioniqs_measured_sounds_are_averaged_in_time() -> None:
    part = runs("ioniq-10min-two-sessions")[0]
    profiles = [f.message.groups_db for _, f in part if isinstance(f.message, m.AttenProfileInd)]
    _, said = play(part)
    ((at, report),) = [(at, message) for at, message in said if isinstance(message, m.AttenCharInd)]
    assert report.num_sounds == 10
    assert list(report.groups_db) == [int(sum(group) / 10 + 0.5) for group in zip(*profiles, strict=True)]
    last_sound = max(at for at, frame in part if isinstance(frame.message, m.MnbcSoundInd)) - part[0][0]
    assert at - last_sound < 0.1, "TP_EVSE_avg_atten_calc"


@pytest.mark.parametrize("name", ["taycan-slac-fail-wrong-runid"])
def test_the_taycan_that_was_given_a_wrong_run_id_now_gets_its_own_and_matches(name: str) -> None:
    parts = runs(name)
    assert len(parts) == 2
    for part in parts:
        first = part[0][1]
        assert isinstance(first.message, m.SlacParmReq)
        solo, said = play(part)
        assert [message.run_id for _, message in said] == [first.message.run_id] * 3
        # What the car never got to do: it goes on with the same run.
        solo.sound(ev=first.source, run=first.message.run_id)
        (confirm,) = solo.match(ev=first.source, run=first.message.run_id)
        assert (confirm.ev_mac, confirm.run_id) == (first.source, first.message.run_id)
