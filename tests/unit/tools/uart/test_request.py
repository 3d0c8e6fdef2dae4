"""What `inject` understands, and what it says to the rest."""

from __future__ import annotations

import pytest

from vsecc_link import cbor, messages
from vsecc_uart.proxy import BadRequest, Request
from vsecc_uart.request import BadInjection, message_of, payload_of, permits_relays


def test_values_by_number_and_by_name():
    assert message_of("SET_LED", ["led=1", "pattern=4"]) == (messages.SET_LED, 1, 4)
    assert message_of("set_led", ["pattern=green flashing", "led=0x1"]) == (messages.SET_LED, 1, 1)
    assert message_of("GRANT", ["stamp=1", "relays=REL1+REL3", "valid_ms=500"]) == (messages.GRANT, 1, 5, 500)
    assert message_of("SET_LOCK", ["port=2", "locked=yes"]) == (messages.SET_LOCK, 2, True)
    assert permits_relays((messages.GRANT, 1, 1, 500))
    assert not permits_relays((messages.GRANT, 1, 0, 500))


@pytest.mark.parametrize(
    ("name", "fields", "problem"),
    [
        ("SET_LET", [], "is it SET_LED"),
        ("ZZZZ", [], "GRANT, SET_PILOT"),
        ("SET_LED", ["led=1"], "missing pattern"),
        ("SET_LED", ["led=1", "pattern=1", "colour=2"], "unknown colour"),
        ("SET_LED", ["led=1", "led=2"], "each field once"),
        ("SET_LED", ["led", "pattern=1"], "field=value"),
        ("SET_LED", ["led=x", "pattern=1"], "expected a number$"),
        ("SET_LED", ["led=1", "pattern=blue"], "or off, green flashing"),
        ("SET_LOCK", ["port=1", "locked=maybe"], "yes or no"),
    ],
)
def test_mistakes_are_named(name, fields, problem):
    with pytest.raises(BadInjection, match=problem):
        message_of(name, fields)


def test_out_of_range_needs_raw():
    message = message_of("SET_LED", ["led=9", "pattern=4"])
    with pytest.raises(BadInjection, match="--raw"):
        payload_of(message, raw=False)
    assert cbor.decode(payload_of(message, raw=True)) == [messages.SET_LED, 9, 4]
    with pytest.raises(BadInjection, match="--raw"):
        payload_of(message_of("RELAY_STATE", ["ticks_us=1", "relay=1", "closed=yes", "reason=0"]), raw=False)
    with pytest.raises(BadInjection, match="do not fit"):
        payload_of((messages.LOG, 1, 1, "x" * 300), raw=True)
    with pytest.raises(BadInjection, match="64 bits"):
        payload_of((messages.SET_LED, 1 << 70, 1), raw=True)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"from": "car"}',
        b'{"from": "host", "flip_ppm": -1, "seconds": 1}',
        b'{"from": "host", "flip_ppm": true}',
        b'{"from": "host", "flip_ppm": 1e9}',
        b'{"from": "host", "seconds": 1e9}',
        b'{"from": "host", "seconds": NaN}',
        b'{"from": "host", "seconds": 1' + b"0" * 400 + b"}",
        b'{"from": "host", "hex": "zz"}',
        b'{"from": "host", "hex": 5}',
        b'{"from": "host", "colour": 1}',
        b"[" * 3000,
        bytes(range(256)),
    ],
)
def test_bad_requests_to_the_proxy_are_refused(raw):
    with pytest.raises(BadRequest):
        Request.from_json(raw)


def test_a_request_to_the_proxy():
    request = Request.from_json(b'{"from": "mcu", "cut": true, "seconds": 2, "hex": "a55a"}')
    assert (request.sender, request.data, request.seconds) == ("mcu", b"\xa5\x5a", 2.0)
    assert request.noise is not None
    assert request.noise.cut
