"""The whole MCU program, by its line: a vehicle waits in C and whatever comes, nothing moves (rule S7)."""

from __future__ import annotations

from collections.abc import Iterator

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from vsecc_link import envelope, frame, messages

MAX_LEN = 400
CHUNK = 90


def seeds() -> Iterator[bytes]:
    """Commands of a host, bare and in a frame of another session."""
    for command in ((messages.GRANT, 1, 7, 500), (messages.CLEAR_FAULTS, 1), (messages.SET_OUTPUTS, 1, 1)):
        payload = envelope.pack(command, envelope.HOST)
        yield payload
        yield frame.build(frame.RELIABLE, 3, 1, 1, payload)


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
