"""V2GTP, SDP and whole sessions at both ends: the station's connection and the simulated car.

The first byte chooses the protocol and how far a healthy session has come, the rest is what arrives then: as
bytes of the stream, and as the EXI of messages in whole V2GTP frames.
"""

from __future__ import annotations

from collections.abc import Iterator

from unit.host.v2g.car import Car, handshake, request
from unit.host.v2g.given import REQUESTS
from unit.host.v2g.iso2.car import Iso2Car
from unit.tools.ev.bench import Bench
from unit.tools.ev.iso2_bench import Iso2Bench

from vsecc_host.v2g import sdp, v2gtp
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.machine import MAX_WAITING

MAX_LEN = 1024
STEPS = (Kind.SESSION_SETUP, Kind.CHARGE_PARAMETER_DISCOVERY, Kind.CABLE_CHECK, Kind.CURRENT_DEMAND)
_CAR_STEPS_S = (0.0, 0.5, 3.0, 10.0)
_PIECE = 64  # bytes of one message, when the input is taken for messages


def seeds() -> Iterator[bytes]:
    """Discovery, a handshake, requests of both protocols at each step."""
    yield b"\0" + sdp.encode_request(sdp.Security.TLS)
    yield b"\0" + sdp.encode_response(sdp.SdpResponse(bytes(15) + b"\1", 49152, sdp.Security.NONE))
    yield b"\0" + handshake()
    for number in range(len(STEPS)):
        for body in REQUESTS.values():
            raw = request(body)
            yield bytes([number]) + raw
            yield bytes([number]) + raw[v2gtp.HEADER_SIZE :]
    car = Iso2Car()
    for number in range(len(STEPS)):
        for body in car.requests.values():
            yield bytes([number | 8]) + car.pack(body)[v2gtp.HEADER_SIZE :]


def one_input(data: bytes) -> None:
    """Datagrams, the station, the car."""
    if not data:
        return
    sdp.decode_request(data[1:])
    sdp.decode_response(data[1:])
    the_station(data[0], data[1:])
    the_car(data[0], data[1:])


def messages(data: bytes) -> list[bytes]:
    """The bytes as they are, and cut into frames of nothing but their own content."""
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    return [v2gtp.pack(v2gtp.PayloadType.EXI, data), *(v2gtp.pack(0x8001, piece) for piece in pieces), data]


def the_station(first: int, data: bytes) -> None:
    """Nothing is raised, memory stays bounded, the session ends exactly once, answers are whole frames."""
    car = Iso2Car() if first & 8 else Car()
    car.go_to(STEPS[first % len(STEPS)])
    for raw in messages(data):
        car.link.receive(raw, car.now)
        assert len(car.link._framer) <= MAX_WAITING
        car.take()
        car.wait(0.5)
    car.wait(130.0)  # nothing we wait for takes longer
    car.link.disconnected(car.now)
    car.take()
    assert len(car.ends) == 1


def the_car(first: int, data: bytes) -> None:
    """A car that hears all this from a charger comes to an end by itself."""
    bench = Iso2Bench() if first & 8 else Bench()
    until = bench.now + _CAR_STEPS_S[first % 4]
    while bench.ended is None and (due := bench.machine.next_deadline()) is not None and due <= until:
        bench.now = max(bench.now, due)
        bench.charger.step(bench.now)
        bench.machine.observe(bench.vehicle.view())
        bench.machine.tick(bench.now)
        bench._exchange()
    for raw in messages(data):
        bench.hear(raw)
        assert len(bench.machine._framer) <= MAX_WAITING
    if bench.ended is None:
        bench.charger.answer = lambda data, now: b""  # type: ignore[method-assign]
        bench.run()
