"""Faults of the line by name: what a host with a bad cable, a wrong version or no manners sends."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from vsecc_link import envelope, frame
from vsecc_link import messages as catalogue
from vsecc_sim.mcu.line import Noise

DEFAULT_PPM = 1000
DEFAULT_BYTES = 512


@dataclass(frozen=True, slots=True)
class Fault:
    """`noise` acts on everything sent while it lasts; `burst` gives bytes for one moment, again and again."""

    text: str
    noise: Callable[[int], Noise] | None = None
    burst: Callable[[Line, random.Random, int], bytes] | None = None
    floods: bool = False  # as fast as the line takes it


@dataclass(slots=True)
class Line:
    """What a burst needs to know of the session: the peer's number and the next one of each kind."""

    session: int
    number: int
    ack: int


def _garbage(line: Line, rng: random.Random, size: int) -> bytes:
    return rng.randbytes(size)


def _half_frame(line: Line, rng: random.Random, size: int) -> bytes:
    whole = _led(line, 0, 1)
    return whole[: len(whole) // 2]


def _bad_crc(line: Line, rng: random.Random, size: int) -> bytes:
    whole = bytearray(_led(line, 0, 1))
    whole[rng.randrange(2, len(whole))] ^= 1 << rng.randrange(8)
    return bytes(whole)


def _long_length(line: Line, rng: random.Random, size: int) -> bytes:
    return frame.SYNC + b"\xff" + bytes([frame.FORMAT | frame.RELIABLE]) + rng.randbytes(size)


def _foreign_session(line: Line, rng: random.Random, size: int) -> bytes:
    return _led(Line(line.session ^ 0x5555, 1, 1), 0, 1)


def _wrong_version(line: Line, rng: random.Random, size: int) -> bytes:
    major, minor = catalogue.PROTOCOL_VERSION
    hello = (catalogue.HELLO_REQUEST, major + 1, minor, catalogue.catalogue_crc(), "inject")
    return _hello(hello, rng)


def _wrong_catalogue(line: Line, rng: random.Random, size: int) -> bytes:
    hello = (catalogue.HELLO_REQUEST, *catalogue.PROTOCOL_VERSION, catalogue.catalogue_crc() ^ 1, "inject")
    return _hello(hello, rng)


def _second_host(line: Line, rng: random.Random, size: int) -> bytes:
    return _hello(envelope.host_hello("second host"), rng)


def _flood(line: Line, rng: random.Random, size: int) -> bytes:
    """Old reliable numbers: every one is a good frame and none does anything."""
    return b"".join(_led(Line(line.session, 1, line.ack), 0, 1) for _ in range(max(1, size // 20)))


def _hello(message: tuple[object, ...], rng: random.Random) -> bytes:
    return bytes(
        frame.build(frame.HANDSHAKE, 0, rng.randrange(1, 0x10000), 0, envelope.pack(message, envelope.HOST))
    )


def _led(line: Line, led: int, pattern: int) -> bytes:
    payload = envelope.pack((catalogue.SET_LED, led, pattern), envelope.HOST)
    return bytes(frame.build(frame.RELIABLE, line.session, line.number, line.ack, payload))


FAULTS: dict[str, Fault] = {
    "flip": Fault("flip bits of --ppm of the bytes sent", noise=lambda ppm: Noise(flip_ppm=ppm)),
    "drop": Fault("lose --ppm of the bytes sent", noise=lambda ppm: Noise(drop_ppm=ppm)),
    "double": Fault("send --ppm of the bytes twice", noise=lambda ppm: Noise(double_ppm=ppm)),
    "cut": Fault("send nothing", noise=lambda ppm: Noise(cut=True)),
    "garbage": Fault("bursts of --bytes random bytes", burst=_garbage),
    "half-frame": Fault("frames that end in the middle", burst=_half_frame),
    "bad-crc": Fault("frames with one bit wrong", burst=_bad_crc),
    "long-length": Fault("a frame that claims 255 bytes of payload", burst=_long_length),
    "foreign-session": Fault("good frames of another session", burst=_foreign_session),
    "wrong-version": Fault("a hello of another major version", burst=_wrong_version),
    "wrong-catalogue": Fault("a hello with another catalogue", burst=_wrong_catalogue),
    "second-host": Fault("the hello of another host that speaks our catalogue", burst=_second_host),
    "flood": Fault("repeated old frames as fast as the line takes them", burst=_flood, floods=True),
}
