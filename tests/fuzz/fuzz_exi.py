"""Coverage-guided fuzzing of the EXI decoder: `python tests/fuzz/fuzz_exi.py -runs=100000 [corpus folder]`.

The first byte chooses the protocol, the rest is the document. Without atheris: a seeded random run of the
same target. Exit status 1 and the input when anything but DecodeError escapes, or when what was decoded does
not encode.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "host"))

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports():
        from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
else:
    from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode

PROTOCOLS = list(Protocol)
GOLDEN = ROOT / "tests" / "unit" / "host" / "v2g" / "exi" / "golden.json"
RUNS_WITHOUT_ATHERIS = 50_000


def one_input(data: bytes) -> None:
    """What decodes must encode, and decode to the same message again."""
    if not data:
        return
    protocol = PROTOCOLS[data[0] % len(PROTOCOLS)]
    fragment = bool(data[0] & 128) or protocol is Protocol.XMLDSIG
    try:
        message = decode(protocol, data[1:], fragment)
    except DecodeError:
        return
    assert decode(protocol, encode(protocol, message, fragment), fragment) == message


def mutated(seeds: list[bytes], source: random.Random) -> bytes:
    """A seed with a few bits flipped, bytes inserted or the end cut off."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 6)):
        place = source.randrange(1, len(data))
        data[place] ^= 1 << source.randrange(8)
        if source.random() < 0.1:
            del data[place + 1 :]
        if source.random() < 0.1:
            data[place:place] = source.randbytes(source.randint(1, 8))
    return bytes(data)


def without_atheris() -> int:
    """The same target on mutated vectors."""
    print("atheris is not installed: random inputs instead of coverage-guided ones", file=sys.stderr)
    names = [
        "app_protocol",
        "din70121",
        "iso15118_2",
        "iso15118_20_common",
        "iso15118_20_dc",
        "iso15118_20_ac",
    ]
    seeds = []
    for entry in json.loads(GOLDEN.read_text()):
        first = names.index(entry["protocol"]) if entry["kind"] == "document" else 6
        seeds.append(bytes([first]) + bytes.fromhex(entry["exi_hex"]))
    source = random.Random(15118)
    for _ in range(RUNS_WITHOUT_ATHERIS):
        data = mutated(seeds, source)
        try:
            one_input(data)
        except Exception as error:
            print(f"{error!r} for {data.hex()}", file=sys.stderr)
            return 1
    print(f"{RUNS_WITHOUT_ATHERIS} inputs, nothing escaped")
    return 0


if __name__ == "__main__":
    if atheris is None:
        sys.exit(without_atheris())
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
