"""Whole sites in virtual time: faults on the wire, several cars, several ports, real cars' habits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
from unit.host.slac.rig import Site, mac

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.events import DlinkReady, SlacMatched
from vsecc_host.slac.table import PortState
from vsecc_sim.plc import habits
from vsecc_sim.plc.ev_machine import EvFailed, EvMatched, EvState
from vsecc_sim.plc.modem import Manners

Passed = Iterable[tuple[float, bytes]]


def message_of(raw: bytes) -> m.Message | None:
    try:
        frame = codec.decode(raw)
    except codec.CodecError:
        return None
    return frame.message if frame is not None else None


class Lose:
    """The first `times` frames of a kind are lost."""

    def __init__(self, kind: type[object], times: int = 1) -> None:
        self.kind, self.left = kind, times

    def __call__(self, sender: str, receiver: str, raw: bytes) -> Passed:
        if self.left and isinstance(message_of(raw), self.kind):
            self.left -= 1
            return ()
        return ((0.0, raw),)


def doubled(sender: str, receiver: str, raw: bytes) -> Passed:
    """Every frame twice, the copy 30 ms late."""
    return ((0.0, raw), (0.03, raw))


def late(sender: str, receiver: str, raw: bytes) -> Passed:
    """Profiles come in their own time and out of order."""
    delay = 0.04 * (raw[-1] % 2) if isinstance(message_of(raw), m.MnbcSoundInd) else 0.0
    return ((delay, raw),)


class Noise:
    """Cut, changed and invented frames between the good ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, sender: str, receiver: str, raw: bytes) -> Passed:
        cut = raw[: self.random.randrange(len(raw))]
        changed = bytearray(raw)
        changed[self.random.randrange(14, len(raw))] ^= self.random.randrange(1, 256)
        changed[19:21] = b"\x01\x01"  # what stays readable is of a security type nobody has
        made = raw[:14] + self.random.randbytes(60)
        return ((0.0, cut), (0.0, bytes(changed)), (0.0, made), (0.0, raw))


def one_car(wire: Callable[[str, str, bytes], Passed], **changes: object) -> tuple[Site, bool]:
    site = Site(wire=wire)
    port = site.port("p")
    site.car("c", {"p": 30}, **changes)
    site.virtual.run(1.0)
    site.plug("c", "p")
    return site, site.virtual.run(15.0, lambda: port.state is PortState.MATCHED)


@pytest.mark.parametrize(
    "wire",
    [
        Lose(m.SlacParmReq),
        Lose(m.SlacParmCnf),
        Lose(m.SlacParmCnf, 2),
        Lose(m.StartAttenCharInd, 2),
        Lose(m.MnbcSoundInd, 3),
        Lose(m.AttenProfileInd, 3),
        Lose(m.AttenProfileInd, 9),
        Lose(m.AttenCharInd),
        Lose(m.AttenCharInd, 2),
        Lose(m.AttenCharRsp, 2),
        Lose(m.SlacMatchReq, 2),
        Lose(m.SlacMatchCnf),
        Lose(m.SlacMatchCnf, 2),
        doubled,
        late,
        Noise(1),
        Noise(2),
    ],
    ids=lambda w: f"{w.kind.__name__}-{w.left}" if isinstance(w, Lose) else getattr(w, "__name__", "noise"),
)
def test_one_run_survives_faults_on_the_wire(wire: Callable[[str, str, bytes], Passed]) -> None:
    site, matched = one_car(wire)
    assert matched
    assert site.virtual.events_of("c", EvFailed) == [], "the first run"


class Lossy:
    """Every tenth frame is lost, every tenth comes twice, all at their own pace."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, sender: str, receiver: str, raw: bytes) -> Passed:
        chance = self.random.random()
        delay = self.random.uniform(0.0, 0.02)
        if chance < 0.1:
            return ()
        return ((delay, raw), (delay + 0.05, raw)) if chance > 0.9 else ((delay, raw),)


@pytest.mark.parametrize("seed", range(20))
def test_a_bad_line_does_not_keep_a_car_from_matching(seed: int) -> None:
    like = random.Random(seed).choice(habits.names())
    site = Site(wire=Lossy(seed))
    port = site.port("p")
    site.car("c", {"p": 30}, like=like)
    site.virtual.run(1.0)
    site.plug("c", "p")
    assert site.virtual.run(60.0, lambda: port.state is PortState.MATCHED)


def test_hundreds_of_sessions_leave_nothing_behind() -> None:
    site = Site()
    port = site.port("p")
    site.car("c", {"p": 30}, match_after_ms=3)
    seen = set()
    for _ in range(300):
        site.plug("c", "p")
        assert site.virtual.run(10.0, lambda: port.state is PortState.MATCHED)
        site.unplug("c")
        assert site.virtual.run(1.0, lambda: port.modem.ready)
        seen.add(port.modem.key.nid)
        site.virtual.frames.clear()
        site.virtual.events.clear()
    assert len(seen) == 300
    assert port.sessions == ()
    assert len(port.ignored) < 10


def test_three_of_ten_sounds_lost_is_no_failure() -> None:
    site = Site()
    port = site.port("p", manners=Manners(drop_sounds=frozenset({0, 4, 9})))
    site.car("c", {"p": 30}, like="polestar-2")
    site.plug("c", "p")
    assert site.virtual.run(15.0, lambda: port.state is PortState.MATCHED)
    (matched,) = site.virtual.events_of("p", SlacMatched)
    assert (matched.attenuation.num_sounds, matched.attenuation.average_db) == (7, 30.0)
    assert site.virtual.events_of("c", EvFailed) == []


@pytest.mark.parametrize("name", habits.names())
def test_every_measured_car_matches(name: str) -> None:
    site = Site()
    port = site.port("p")
    site.car("c", {"p": 18}, like=name)
    site.virtual.run(1.0)
    site.plug("c", "p")
    assert site.virtual.run(15.0, lambda: port.state is PortState.MATCHED)
    assert site.virtual.events_of("p", DlinkReady)[-1].proven


@pytest.mark.parametrize(
    "changes",
    [
        {"rsp_to": 3},
        {"match_after_ms": 3},
        {"match_after_ms": 1010},
        {"sounds": 8},
        {"starts": 1},
        {"time_out": 10, "spacing_ms": 80},
        {"parm_copies": 4},
        {"validate_toggles": 2},
        {"amp_map": True},
    ],
    ids=str,
)
def test_cars_with_other_habits_match(changes: dict[str, object]) -> None:
    site, matched = one_car(lambda sender, receiver, raw: ((0.0, raw),), **changes)
    assert matched
    assert site.virtual.events_of("c", EvFailed) == []
    site.virtual.run(1.0)
    assert site.virtual.cars["c"].amp_map_answered is bool(changes.get("amp_map"))


@pytest.mark.clause("ISO15118-3 C_EVSE_match_parallel")
@pytest.mark.parametrize("cars", [5, 8])
def test_cars_matching_at_the_same_time_on_one_port_all_get_their_answers(cars: int) -> None:
    """They all hear this one port only; the first to choose gets it, the others are not disturbed before."""
    site = Site()
    port = site.port("p")
    site.virtual.run(1.0)
    for number in range(cars):
        site.car(f"c{number}", {"p": 20 + number}, match_after_ms=800 + 5 * number, runs=1)
    site.plug("c0", "p")
    for number in range(1, cars):
        site.virtual.cars[f"c{number}"].start(site.now)
    assert site.virtual.run(15.0, lambda: port.state is PortState.MATCHED)
    for number in range(cars):
        (outlet,) = site.virtual.cars[f"c{number}"].outlets.values()
        assert outlet.average_db == 20 + number
    assert site.virtual.events_of("p", SlacMatched)[0].ev_mac == mac(3, 1).hex().upper()


def test_the_neighbours_car_does_not_take_our_port() -> None:
    site = Site()
    near, far = site.port("near"), site.port("far")
    site.car("c", {"near": 30, "far": 51})
    site.car("other", {"near": 51, "far": 30}, run_id="5445534c41204556")
    site.virtual.run(1.0)
    site.plug("c", "near")
    site.plug("other", "far")
    assert site.virtual.run(20.0, lambda: near.state is far.state is PortState.MATCHED)
    for port, car in (("near", 1), ("far", 2)):
        (matched,) = site.virtual.events_of(port, SlacMatched)
        assert matched.ev_mac == mac(3, car).hex().upper()
        assert matched.attenuation.average_db == 30.0
    average = [event.average_db for event in site.virtual.events_of("c", EvMatched)]
    assert average == [30.0]


def test_a_port_without_a_car_does_not_answer_its_neighbours() -> None:
    site = Site()
    near, far = site.port("near"), site.port("far")
    site.car("c", {"near": 30, "far": 20})
    site.virtual.run(1.0)
    site.plug("c", "near")
    assert site.virtual.run(15.0, lambda: near.state is PortState.MATCHED)
    assert far.sessions == ()
    assert far.ignored["not listening"] > 0


def test_a_car_that_could_not_join_comes_back_and_joins() -> None:
    site = Site(join_s=13.0)
    port = site.port("p")
    car = site.car("c", {"p": 30})
    site.plug("c", "p")
    assert site.virtual.run(20.0, lambda: port.state is PortState.LEAVING)
    site.medium.join_s = 0.4
    assert site.virtual.run(60.0, lambda: port.state is PortState.MATCHED)
    assert car.state is EvState.LINKED


def test_a_lost_link_is_told_and_error_brings_the_car_back() -> None:
    site, matched = one_car(lambda sender, receiver, raw: ((0.0, raw),))
    assert matched
    port = site.virtual.ports["p"]
    site.medium.part("c", "p", site.now)
    began = site.now
    assert site.virtual.run(5.0, lambda: port.state is PortState.LOST)
    assert site.now - began <= 1.0
    site.medium.connect("c", "p", 30)
    port.error(site.now)
    assert site.virtual.run(15.0, lambda: port.state is PortState.MATCHED)


def test_every_session_has_a_key_of_its_own() -> None:
    site = Site()
    port = site.port("p")
    site.car("c", {"p": 30}, match_after_ms=3)
    keys = set()
    for _ in range(5):
        site.plug("c", "p")
        assert site.virtual.run(10.0, lambda: port.state is PortState.MATCHED)
        keys.add(port.modem.key.nmk)
        site.unplug("c")
        assert site.virtual.run(1.0, lambda: port.modem.ready), "ready again within TP_match_leave"
    assert len(keys) == 5


def test_answers_come_within_the_standards_hundred_milliseconds() -> None:
    """TP_match_response: the machine answers in the moment of the question."""
    site, matched = one_car(lambda sender, receiver, raw: ((0.0, raw),), like="ioniq")
    assert matched
    sent = [(f.at, f.host, message_of(f.raw)) for f in site.virtual.frames]
    asked = next(at for at, host, message in sent if isinstance(message, m.SlacMatchReq))
    answered = next(at for at, host, message in sent if isinstance(message, m.SlacMatchCnf))
    assert answered - asked < 0.002, "one way over the simulated line"
