"""Whatever arrives, nothing is raised, memory stays bounded and the session ends exactly once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.host.v2g.car import Car, handshake, request
from unit.host.v2g.given import REQUESTS

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.din70121.requests import peek_kind
from vsecc_host.v2g.machine import MAX_WAITING

STEPS = [K.SESSION_SETUP, K.CABLE_CHECK, K.CURRENT_DEMAND, K.WELDING_DETECTION]


def ends_once(car: Car) -> None:
    car.take()
    car.link.disconnected(car.now)
    car.take()
    assert len(car.ends) == 1
    assert len(car.link._framer) <= MAX_WAITING


@given(st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=200, deadline=None)
def test_random_bytes_on_a_new_connection(chunks: list[bytes]) -> None:
    car = Car()
    for chunk in chunks:
        car.link.receive(chunk, car.now)
    ends_once(car)


@given(st.sampled_from(STEPS), st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=200, deadline=None)
def test_random_payloads_in_a_session(step: K, payloads: list[bytes]) -> None:
    car = Car()
    car.go_to(step)
    for payload in payloads:
        car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload), car.now)
    ends_once(car)


@given(st.sampled_from(STEPS), st.sampled_from(list(REQUESTS)), st.data())
@settings(max_examples=400, deadline=None)
def test_flipped_bits(step: K, kind: K, data: st.DataObject) -> None:
    car = Car()
    car.go_to(step)
    raw = bytearray(request(REQUESTS[kind]))
    for bit in data.draw(st.lists(st.integers(0, len(raw) * 8 - 1), min_size=1, max_size=4)):
        raw[bit // 8] ^= 1 << bit % 8
    car.link.receive(bytes(raw), car.now)
    car.take()
    car.wait(2.0)  # whatever waits is answered
    ends_once(car)


@pytest.mark.parametrize("kind", list(REQUESTS))
def test_every_truncation_of_every_request(kind: K) -> None:
    payload = request(REQUESTS[kind])[8:]
    for size in range(len(payload)):
        car = Car()
        car.go_to(K.CABLE_CHECK)
        car.link.receive(v2gtp.pack(v2gtp.PayloadType.EXI, payload[:size]), car.now)
        ends_once(car)


@pytest.mark.parametrize("seed", range(20))
def test_a_session_in_random_chunks_with_noise_behind_it(seed: int) -> None:
    chance = random.Random(seed)
    stream = handshake() + b"".join(request(body) for body in REQUESTS.values()) + chance.randbytes(300)
    car = Car()
    while stream:
        size = chance.randint(1, 40)
        car.link.receive(stream[:size], car.now)
        stream = stream[size:]
        if chance.random() < 0.1:
            car.wait(0.2)
    ends_once(car)


@given(st.binary(max_size=40))
def test_peeking_never_raises(payload: bytes) -> None:
    peek_kind(payload)


@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind is not K.POWER_DELIVERY_ON])
@pytest.mark.parametrize("session_id", [b"", b"\0", bytes(range(8))])
def test_peeking_finds_the_type_of_what_was_cut_off(kind: K, session_id: bytes) -> None:
    payload = request(REQUESTS[kind], session_id)[8:]
    assert peek_kind(payload) is kind
    assert peek_kind(payload[: 5 + len(session_id)]) is kind
    assert peek_kind(payload[: 3 + len(session_id)]) is None
