"""Fuzz target of all that reads bytes of the link: codec, frames, both ends in a session."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.runner import mutations

from vsecc_link import cbor, envelope, frame, messages
from vsecc_link.cyclic import CyclicReader
from vsecc_link.link import HOST, MCU, Link, host_hello

HELLO = (messages.HELLO, 1, 0, messages.catalogue_crc(), 1000000, b"", "", "", "", 0, 7, 5)
COUNT = 20_000


def session() -> tuple[Link, Link]:
    """Two ends in a session."""
    host, mcu = Link(HOST, 1, host_hello("")), Link(MCU, 2, HELLO, watch=CyclicReader(messages.GRANT))
    for now in range(3):
        host.tick(now)
        mcu.receive(host.take()[1], now)
        host.receive(mcu.take()[1], now)
    assert host.up and mcu.up
    return host, mcu


def one_input(data: bytes) -> None:
    """Nothing may escape, and what is accepted must stand the checks."""
    codec(data)
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


def inputs() -> Iterator[bytes]:
    """Mutations of valid payloads and frames."""
    seeds = [envelope.pack(HELLO, MCU), envelope.pack((messages.GRANT, 1, 7, 500), HOST), bytes(40)]
    seeds.append(frame.build(frame.RELIABLE, 3, 1, 1, envelope.pack((messages.CLEAR_FAULTS, 1), HOST)))
    return mutations(seeds)
