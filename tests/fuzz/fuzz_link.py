"""All that reads bytes of the line between MCU and host: CBOR, envelope, frames, both ends of the link.

Nothing escapes, what is accepted stands the checks of the catalogue, and the host's machine lives on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.machine import McuLinkMachine
from vsecc_link import cbor, envelope, frame, messages
from vsecc_link.cyclic import CyclicReader
from vsecc_link.link import HOST, MCU, Link, host_hello

MAX_LEN = 600
HELLO = (messages.HELLO, 1, 0, messages.catalogue_crc(), 1000000, b"", "", "", "", 0, 7, 5)
VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"


def seeds() -> Iterator[bytes]:
    """The golden messages of both ends, bare and in a frame."""
    for entry in json.loads((VECTORS / "messages.json").read_text()):
        payload = bytes.fromhex(entry["payload"])
        yield payload
        yield frame.build(frame.RELIABLE, 3, 1, 1, payload)
    for entry in json.loads((VECTORS / "frames.json").read_text())["good"]:
        yield bytes.fromhex(entry["hex"])


def one_input(data: bytes) -> None:
    """The bytes as a payload, as frames, and in the ear of the host."""
    codec(data)
    link_machines(data)
    the_host(data)


def session() -> tuple[Link, Link]:
    """Two ends in a session."""
    host, mcu = Link(HOST, 1, host_hello("")), Link(MCU, 2, HELLO, watch=CyclicReader(messages.GRANT))
    for now in range(3):
        host.tick(now)
        mcu.receive(host.take()[1], now)
        host.receive(mcu.take()[1], now)
    assert host.up and mcu.up
    return host, mcu


def link_machines(data: bytes) -> None:
    """Nothing may escape, and what is accepted must stand the checks."""
    host, mcu = session()
    for link in (host, mcu):
        own = link.session[0]
        payload = data[: frame.PAYLOAD_MAX]
        kind = data[0] & 0x0F if data else 0
        # A peer that speaks well-formed frames with wild contents, then the bare bytes.
        link.receive(frame.build(kind, own, 1 + len(data) % 12, data[-1] if data else 0, payload), 10)
        link.receive(data, 20)
        for now in (25, 80, 700):
            link.tick(now)
            events, out = link.take()
            assert all(messages.check(value) is None for event, value in events if event == 2)
            assert len(out) <= 4096


def codec(data: bytes) -> None:
    """What decodes encodes to something that decodes to the same."""
    try:
        value = cbor.decode(data)
    except cbor.CborError:
        return
    assert cbor.decode(cbor.encode(value)) == value
    envelope.unpack(data, HOST)
    envelope.unpack(data, MCU)


def the_host(data: bytes) -> None:
    """A message of the MCU, whatever is in it, between two healthy ends."""
    host = McuLinkMachine(McuLinkConfig(url="tcp://x:1"), 4711)
    mcu = Link(MCU, 2, HELLO)
    host.connected(0.0)
    for step in range(4):
        mcu.receive(host.take()[1], step)
        host.receive(mcu.take()[1], step / 1000)
    message, _ = envelope.unpack(data, MCU)
    if message is not None and message[0] != messages.HELLO:
        mcu.send(message, 5)
        host.receive(mcu.take()[1], 0.005)
        host.take()
    host.receive(data, 0.006)
    for now in (0.03, 0.1, 0.8):
        host.tick(now)
        host.take()
