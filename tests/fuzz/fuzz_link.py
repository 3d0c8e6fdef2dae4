"""Coverage-guided fuzzing of all that reads bytes of the link: `python tests/fuzz/fuzz_link.py -runs=100000`.

Without atheris: a seeded random run of the same target. Exit status 1 and the input when something escapes.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "protocol"))

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports():
        from vsecc_link import cbor, envelope, frame, messages
        from vsecc_link.cyclic import CyclicReader
        from vsecc_link.link import HOST, MCU, Link, host_hello
else:
    from vsecc_link import cbor, envelope, frame, messages
    from vsecc_link.cyclic import CyclicReader
    from vsecc_link.link import HOST, MCU, Link, host_hello

HELLO = (messages.HELLO, 1, 0, messages.catalogue_crc(), 1000000, b"", "", "", "", 0, 7, 5)
RUNS_WITHOUT_ATHERIS = 20_000


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


def run_without_atheris(runs: int) -> int:
    """Mutations of valid payloads and frames."""
    rng = random.Random(1)
    seeds = [envelope.pack(HELLO, MCU), envelope.pack((messages.GRANT, 1, 7, 500), HOST), bytes(40)]
    seeds.append(frame.build(frame.RELIABLE, 3, 1, 1, envelope.pack((messages.CLEAR_FAULTS, 1), HOST)))
    for _ in range(runs):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        data = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data
        try:
            one_input(bytes(data))
        except Exception as error:
            print(f"{type(error).__name__}: {error}\ninput: {data.hex()}", file=sys.stderr)
            return 1
    print(f"{runs} inputs, nothing escaped")
    return 0


def main() -> int:
    """Run under atheris when it is there."""
    if atheris is None:
        return run_without_atheris(RUNS_WITHOUT_ATHERIS)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
