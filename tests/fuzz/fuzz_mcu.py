"""Fuzz target of the whole MCU program by its line.

A vehicle waits in C; whatever comes, no relay is fed, no pilot, lock or output moves, and the loop goes on
(rule S7).
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.runner import random_bytes
from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from vsecc_link import frame

COUNT = 300
CHUNK = 90


def ready() -> Host:
    """A session with a vehicle in C and no grant."""
    host = Host(Bench()).link_up()
    host.grant_relays = 0
    host.bench.plug(1, "C")
    host.cycles(60)
    return host


def outputs(bench: Bench) -> tuple[object, ...]:
    """Everything a frame could move."""
    board = bench.board
    return board.duty[:], board.outputs, board.leds[1:], board.locks[:], board.feeds[:], board.reset_with


def one_input(data: bytes) -> None:
    """The bytes bare, then as contents of frames of this session that carry numbers already used."""
    host = ready()
    bench = host.bench
    before = outputs(bench)
    for at in range(0, len(data), CHUNK):
        bench.board.received += data[at : at + CHUNK]
        host.cycles(1)
    peer = host.link.session[1]
    kind = data[0] & 0x0F if data else 0
    bench.board.received += frame.build(kind, peer, 1, 0, data[: frame.PAYLOAD_MAX])
    host.cycles(2 * frame.FRAME_TIMEOUT_MS)
    assert outputs(bench) == before
    assert not bench.safety.guards[0].faults and bench.control.cycle_overruns == 0


def inputs() -> Iterator[bytes]:
    """What a line in trouble carries."""
    return random_bytes(400)
