"""SLAC at both ends: whatever frames arrive at whatever moment, nothing is raised, memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fuzz.deadlines import settle

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.machine import SlacMachine
from vsecc_host.slac.table import PortState
from vsecc_host.slac.times import MAX_SESSIONS
from vsecc_host.station.values import CpState
from vsecc_sim.plc.ev_machine import EvSlacMachine
from vsecc_sim.plc.habits import load
from vsecc_sim.plc.modem import SimModem

OWN = bytes.fromhex("02a0b0c0d001")
CARS = (bytes.fromhex("0465650064c3"), bytes.fromhex("98ed5cdad998"))
RUNS = (bytes(8), b"TESLA EV")
_STATES = tuple(CpState)
_ANSWERING = (PortState.LISTENING, PortState.MATCHING, PortState.JOINING)
_MAX_REASONS = 32
_MAX_TICKS = 4


def _templates() -> list[bytes]:
    """One good frame of every kind and car, to be bent."""
    frames = []
    for car, run in zip(CARS, RUNS, strict=True):
        for message in (
            m.SlacParmReq(run),
            m.StartAttenCharInd(car, run),
            m.MnbcSoundInd(0, run, bytes(16)),
            m.AttenCharRsp(car, run),
            m.ValidateReq(0),
            m.ValidateReq(9),
            m.SlacMatchReq(car, OWN, run),
            m.AmpMapReq(2, b"\x11"),
        ):
            frames.append(codec.encode(OWN, car, message))
        frames.append(codec.encode(m.BROADCAST, OWN[:-1] + b"\x09", m.AttenProfileInd(car, bytes(58))))
    modem = bytes.fromhex("00b052aabb01")
    for answer in (m.SetKeyCnf(1), m.SetKeyCnf(9), m.NwInfoCnf(None), m.LinkStatusCnf(1), m.SwVerCnf("x")):
        frames.append(codec.encode(OWN, modem, answer))
    return frames


TEMPLATES = _templates()


def seeds() -> Iterator[bytes]:
    """A frame as it is, and a script with every frame after a start."""
    yield from TEMPLATES
    yield bytes((0, 0, 0, 10)) + b"".join(bytes((100, which, 0, 3)) for which in range(len(TEMPLATES)))


def one_input(data: bytes) -> None:
    """The bytes as one frame for everybody, then as a script for the station."""
    a_frame(data)
    a_script(data)


def a_frame(data: bytes) -> None:
    """What decodes encodes, and to the same once more; the simulated car and modem bear it."""
    car = EvSlacMachine(CARS[0], load(), bytes)
    car.start(0.0)
    car.receive(data, 0.1)
    codec.redacted(data)
    try:
        seen = codec.decode(data)
    except codec.CodecError:
        return
    if seen is not None:
        written = codec.encode(seen.destination, seen.source, seen.message)
        again = codec.decode(written)
        assert again is not None
        assert codec.encode(again.destination, again.source, again.message) == written
        SimModem(mac=OWN, evse=True).answer(seen, 0.1)


def a_script(data: bytes) -> None:
    """What happens next, to which frame, how bent, after how long."""
    machine = SlacMachine(evse_id=1, config=SlacConfig(), randomness=bytes)
    now = 0.0
    machine.connected(OWN, now)
    for at in range(0, len(data) - 3, 4):
        what, which, place, value = data[at : at + 4]
        _step(machine, what, which, place, value, now)
        now += value / 100
        settle(machine, now, _MAX_TICKS)
        machine.take()
        assert len(machine.sessions) <= MAX_SESSIONS
        assert len(machine.ignored) < _MAX_REASONS
        assert machine._port.wanted or machine.state not in _ANSWERING, "answers cars nobody asked for"


def _step(machine: SlacMachine, what: int, which: int, place: int, value: int, now: float) -> None:
    verbs: tuple[Callable[[float], None], ...] = (
        machine.start,
        machine.rest,
        machine.terminate,
        machine.error,
        machine.pause,
    )
    if what < 20:
        verbs[what % len(verbs)](now)
    elif what < 32:
        machine.cp_changed(_STATES[which % len(_STATES)], value, now)
    elif what < 36:
        machine.disconnected("fuzz", now)
        machine.connected(OWN, now)
    else:
        frame = bytearray(TEMPLATES[which % len(TEMPLATES)])
        if what >= 128:
            frame[place % len(frame)] = value
        machine.receive(bytes(frame[: len(frame) - (value if what >= 240 else 0)]), now)
