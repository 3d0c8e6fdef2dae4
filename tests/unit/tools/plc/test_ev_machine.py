"""The simulated car: habits, repeats, its choice between outlets, giving up."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_sim.plc import habits
from vsecc_sim.plc.ev_machine import EvFailed, EvMatched, EvSlacMachine, EvState

CAR = bytes.fromhex("0465650064c3")
PORT, NEIGHBOUR = bytes([2, 0, 0, 0, 1, 1]), bytes([2, 0, 0, 0, 1, 2])


class Driver:
    """The test is everybody but the car."""

    def __init__(self, like: str = "default", **changes: Any) -> None:
        self.now = 10.0
        self.ev = EvSlacMachine(CAR, replace(habits.load(like), **changes), random.Random(3).randbytes)
        self.sent: list[tuple[float, m.Message]] = []
        self.events: list[Any] = []
        self.ev.start(self.now)
        self.collect()

    def collect(self) -> None:
        events, frames = self.ev.take()
        self.events += events
        for raw in frames:
            frame = codec.decode(raw)
            assert frame is not None
            self.sent.append((round(self.now - 10.0, 3), frame.message))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.ev.next_deadline()) is not None and at <= end + 1e-9:
            self.now = max(self.now, at)
            self.ev.tick(self.now)
            self.collect()
        self.now = end

    def hear(self, message: m.Message, source: bytes = PORT) -> None:
        self.ev.receive(codec.encode(CAR, source, message), self.now)
        self.collect()

    def times(self, kind: type[Any]) -> list[float]:
        return [at for at, message in self.sent if isinstance(message, kind)]

    def report(self, level_db: int, source: bytes = PORT) -> None:
        self.hear(m.AttenCharInd(CAR, self.ev.run_id, 10, bytes([level_db] * 58)), source)


def test_the_ioniq_asks_twice_and_names_its_run_after_its_mac() -> None:
    car = Driver("ioniq")
    car.wait(0.05)
    assert car.times(m.SlacParmReq) == [0.0, 0.008]
    assert car.ev.run_id == CAR + b"\0\0"


def test_the_taycan_asks_three_times_and_gives_up_for_a_while() -> None:
    car = Driver("taycan")
    car.wait(2.0)
    assert car.times(m.SlacParmReq) == [0.0, 0.205, 0.41]
    assert [(e.reason, e.final) for e in car.events] == [("no CM_SLAC_PARM.CNF", False)]
    first = car.ev.run_id
    car.wait(8.0)
    assert car.ev.run_id != first


def test_sounds_are_spaced_as_the_car_does_it() -> None:
    car = Driver("polestar-2")
    car.hear(m.SlacParmCnf(CAR, car.ev.run_id))
    car.wait(1.0)
    assert car.times(m.StartAttenCharInd) == [0.2, 0.24, 0.28]
    assert car.times(m.MnbcSoundInd) == [round(0.32 + 0.04 * n, 3) for n in range(10)]
    counts = [message.count for _, message in car.sent if isinstance(message, m.MnbcSoundInd)]
    assert counts == list(range(9, -1, -1))


@pytest.mark.parametrize(("like", "kinds"), [("ioniq", 1), ("model-y", 1), ("audi-q4", 10)])
def test_random_fields(like: str, kinds: int) -> None:
    car = Driver(like)
    car.hear(m.SlacParmCnf(CAR, car.ev.run_id))
    car.wait(1.0)
    assert len({message.random for _, message in car.sent if isinstance(message, m.MnbcSoundInd)}) == kinds


def test_answers_with_another_run_id_are_not_taken() -> None:
    car = Driver()
    car.hear(m.SlacParmCnf(CAR, b"invented"))
    car.wait(0.15)
    assert car.times(m.StartAttenCharInd) == []


def test_the_louder_outlet_is_chosen_and_the_choice_repeated() -> None:
    car = Driver()
    for source in (NEIGHBOUR, PORT):
        car.hear(m.SlacParmCnf(CAR, car.ev.run_id), source)
    car.wait(0.4)
    car.report(51, NEIGHBOUR)
    car.report(30, PORT)
    car.wait(1.5)
    matches = [message for _, message in car.sent if isinstance(message, m.SlacMatchReq)]
    assert [match.evse_mac for match in matches] == [PORT] * 3
    assert car.events[-1].reason == "no CM_SLAC_MATCH.CNF"


def test_an_outlet_that_is_hardly_heard_is_left_alone() -> None:
    car = Driver()
    car.hear(m.SlacParmCnf(CAR, car.ev.run_id))
    car.wait(0.4)
    car.report(51)
    car.wait(0.1)
    assert car.events[-1].reason == "no outlet near enough"


def test_a_car_that_gets_a_key_and_no_link_fails_after_twelve_seconds() -> None:
    car = Driver(match_after_ms=3, runs=1)
    car.hear(m.SlacParmCnf(CAR, car.ev.run_id))
    car.wait(0.4)
    car.report(20)
    car.wait(0.1)
    car.hear(m.SlacMatchCnf(CAR, PORT, car.ev.run_id, bytes(7), bytes(16)))
    assert isinstance(car.events[-1], EvMatched)
    assert len(car.times(m.SetKeyReq)) == 1
    car.wait(12.0)
    assert car.events[-1] == EvFailed(car.events[-1].at, "no link", True)
    assert car.ev.state is EvState.FAILED


def test_unplugging_ends_everything() -> None:
    car = Driver()
    car.ev.stop(car.now)
    assert car.ev.next_deadline() is None


def test_habits_are_those_of_the_table() -> None:
    assert set(habits.names()) >= {"ioniq", "model-y", "model-x-plaid", "polestar-2", "audi-q4", "taycan"}
    assert habits.load("audi-q4").match_after_ms == 3
    with pytest.raises(KeyError):
        habits.load("unknown")
