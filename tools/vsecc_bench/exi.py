"""`vsecc bench exi`: one message encoded and decoded, beside the EcoG package and libcbv2g in one run."""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

from vsecc_bench.peers import INSTALL_TIMEOUT_S, PeerUnavailable, need_java, peer_python
from vsecc_host.v2g.exi import Protocol, decode, encode, warm_up

PACKAGES = ("iso15118", "aiofile")  # aiofile is missing from the package's own requirements
PEER_TIMEOUT_S = 600
PEER_ROUNDS = 40  # a call of the peer takes milliseconds
# Bigger than any document structure of libcbv2g for DIN and -2, and than its stream structure.
LIBCBV2G_DOCUMENT_BYTES = 1 << 18
LIBCBV2G_STREAM_BYTES = 256

# Messages as a car and a charger exchange them, DIN 70121 and ISO 15118-2.
MESSAGES = {
    "din SessionSetupReq": "809a02000000000000000011d01811959401930c00",
    "din SessionSetupRes": "809a02004080c1014181c211e0201d6968c0c0c0c0c080",
    "din ChargeParameterDiscoveryReq": (
        "809a02004080c1014181c210719000000a404061a01e04070c84c02050a02000c24383680403090a42605e0a60"
    ),
    "din ChargeParameterDiscoveryRes": (
        "809a021795b3891c5a2a7a50800000040000000480e03200455040864002018020101c398041014010100c008101401048060"
        "08200"
    ),
    "din CurrentDemandReq": (
        "809a02004080c1014181c210d100000a404061280a010285010004061a01e04070c84c0000c082e0200604078040a1404000"
    ),
    "din CurrentDemandRes": "809a02004080c1014181c210e000408000018287c8101818050400c0",
    "iso2 SessionSetupReq": "8098004011d01a99263345cb7400",
    "iso2 SessionSetupRes": "8098021823c5ca1620a90991e02031552cc4c8cd14c4c8ccd01f30b17b00c0",
    "iso2 ChargeParameterDiscoveryReq": (
        "8098021823c5ca1620a9099094c800080028003080fa01020a1807c082019008306c1b00830781702d050000"
    ),
    "iso2 ChargeParameterDiscoveryRes": (
        "809802004080c1014181c210a000000000002028c14105098750aa000004081861e80608284c3a81881d00e061800018812c02"
        "230c014400"
    ),
    "iso2 CurrentDemandReq": "80980204488cd115599de210d10015010616a12010810840300c20880e11081223e0",
    "iso2 CurrentDemandRes": (
        "8098021823c5ca1620a90990e00000002040c4001030c0040000310360100618560101050e80700c554b31323345313233340"
        "00400"
    ),
}
NAMESPACES = {"din": "urn:din:70121:2012:MsgDef", "iso2": "urn:iso:15118:2:2013:MsgDef"}

# Runs under the interpreter of the peer's environment: cases on stdin, times in ns on stdout.
_ECOG_SCRIPT = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
from iso15118.shared.exi_codec import EXI
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.settings import load_shared_settings
load_shared_settings()
codec = EXI()
codec.set_exi_codec(ExificientEXICodec())
cases, rounds = json.load(sys.stdin)
times = {}
def measure(name, call):
    try:
        for _ in range(5):
            call()
        values = []
        for _ in range(rounds):
            start = time.perf_counter_ns()
            call()
            values.append(time.perf_counter_ns() - start)
        times[name] = values
    except Exception as error:
        times[name] = str(error)[:80]
for name, (namespace, text) in cases.items():
    data = bytes.fromhex(text)
    measure(name + " decode", lambda: codec.from_exi(data, namespace))
    try:
        message = codec.from_exi(data, namespace)
    except Exception:
        continue
    measure(name + " encode", lambda: codec.to_exi(message, namespace))
print("\\n" + json.dumps(times))
"""

Times = dict[str, list[int]]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers `bench exi`."""
    parser = subparsers.add_parser(
        "exi",
        help="EXI codec beside its peers",
        description="Median and 99th percentile of encoding and decoding one message, beside the EcoG "
        "package and libcbv2g in the same run (P1). Ratio: their time by ours.",
        epilog="example: vsecc bench exi --libcbv2g build/libcbv2g.so",
    )
    parser.add_argument("--rounds", type=int, default=2000, help="measured calls of ours per message")
    parser.add_argument("--peer-venv", type=Path, metavar="DIR", help="environment of the EcoG package")
    parser.add_argument("--no-peer", action="store_true", help="without the EcoG package")
    parser.add_argument("--libcbv2g", type=Path, metavar="PATH", help="shared library with its codecs")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures and prints."""
    notes: dict[str, str] = {}
    peers = {"vsecc": ours(args.rounds)}
    for name, measure in (
        ("ecog", lambda: ecog(args)),
        ("libcbv2g", lambda: libcbv2g(args.libcbv2g, args.rounds)),
    ):
        try:
            peers[name] = measure()
        except PeerUnavailable as error:
            notes[name] = f"not measured: {error}"
    rows = [row(case, peers) for case in peers["vsecc"]]
    if args.json:
        print(json.dumps({"unit": "us", "rows": rows, "notes": notes}))
    else:
        print_table(rows, notes)
    return 0


def row(case: str, peers: dict[str, Times]) -> dict[str, Any]:
    """Figures of one message and direction, in us; ratio: theirs by ours, below 1 when they are faster."""
    result: dict[str, Any] = {"case": case}
    for name, times in peers.items():
        values = times.get(case)
        if not values:
            continue
        result[f"{name}_median"] = round(median(values) / 1000, 2)
        result[f"{name}_p99"] = round(quantiles(values, n=100, method="inclusive")[98] / 1000, 2)
        if name != "vsecc":
            result[f"{name}_ratio"] = round(median(values) / median(peers["vsecc"][case]), 2)
    return result


def print_table(rows: list[dict[str, Any]], notes: dict[str, str]) -> None:
    """Rows for people."""
    columns = list(dict.fromkeys(key for entry in rows for key in entry if key != "case"))
    print(f"{'one message, us':42}" + "".join(f"{column:>17}" for column in columns))
    for entry in rows:
        print(f"{entry['case']:42}" + "".join(f"{entry.get(column, '-'):>17}" for column in columns))
    for name, note in notes.items():
        print(f"{name}: {note}")


def sampled(call: Callable[[], object], rounds: int) -> list[int]:
    """Times of single calls, ns; the clock itself is in them (some 50 ns)."""
    for _ in range(50):
        call()
    times = []
    for _ in range(rounds):
        start = perf_counter_ns()
        call()
        times.append(perf_counter_ns() - start)
    return times


def ours(rounds: int) -> Times:
    """Our codec."""
    times: Times = {}
    for protocol in (Protocol.DIN, Protocol.ISO2):
        warm_up(protocol)
    for name, text in MESSAGES.items():
        protocol, data = Protocol(name.split()[0]), bytes.fromhex(text)
        message = decode(protocol, data)
        assert encode(protocol, message) == data
        times[f"{name} decode"] = sampled(lambda p=protocol, d=data: decode(p, d), rounds)  # type: ignore[misc]
        times[f"{name} encode"] = sampled(lambda p=protocol, m=message: encode(p, m), rounds)  # type: ignore[misc]
    return times


def ecog(args: argparse.Namespace) -> Times:
    """The EcoG package: its message objects on EXIficient in a Java runtime."""
    if args.no_peer:
        raise PeerUnavailable("switched off")
    need_java()
    python = environment(args.peer_venv)
    cases = {name: (NAMESPACES[name.split()[0]], text) for name, text in MESSAGES.items()}
    say(f"the EcoG package, {PEER_ROUNDS} rounds, takes a minute")
    try:
        done = subprocess.run(
            [str(python), "-c", _ECOG_SCRIPT],
            input=json.dumps([cases, PEER_ROUNDS]),
            capture_output=True,
            text=True,
            timeout=PEER_TIMEOUT_S,
        )
        times: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise PeerUnavailable(f"the EcoG package does not run: {error}") from error
    return {name: values for name, values in times.items() if isinstance(values, list)}


def environment(folder: Path | None) -> Path:
    """Interpreter of the peer's environment: the user's folder or the one in the cache."""
    if folder is None:
        return peer_python("ecog-iso15118", PACKAGES, say)
    python = folder / "bin" / "python"
    if not python.exists():
        try:
            venv.create(folder, with_pip=True)
            install = [str(python), "-m", "pip", "install", "-q", *PACKAGES]
            subprocess.run(install, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise PeerUnavailable(
                f"cannot be installed: {getattr(error, 'stderr', None) or error}"
            ) from error
    return python


def libcbv2g(path: Path | None, rounds: int) -> Times:
    """libcbv2g through ctypes, less the time of a call that does nothing."""
    if path is None:
        raise PeerUnavailable("name its shared library with --libcbv2g")
    try:
        library = ctypes.CDLL(str(path.resolve()))
        idle = median(sampled(_c_call(library, "exi_bitstream_reset", bytes(1)), rounds))
        times: Times = {}
        for name, text in MESSAGES.items():
            prefix, data = name.split()[0], bytes.fromhex(text)
            for direction in ("decode", "encode"):
                call = _c_call(library, f"{direction}_{prefix}_exiDocument", data, prefix)
                if call():
                    raise PeerUnavailable(f"{direction} of {name} fails")
                values = sampled(call, rounds)
                times[f"{name} {direction}"] = [max(1, round(value - idle)) for value in values]
    except (OSError, AttributeError) as error:
        raise PeerUnavailable(str(error)) from error
    return times


def _c_call(library: ctypes.CDLL, function: str, data: bytes, prefix: str = "") -> Callable[[], int]:
    """The call to measure, which gives its error code; what is to be encoded is decoded first."""
    stream = ctypes.create_string_buffer(LIBCBV2G_STREAM_BYTES)
    document = ctypes.create_string_buffer(LIBCBV2G_DOCUMENT_BYTES)
    source = ctypes.create_string_buffer(data, len(data))
    target = ctypes.create_string_buffer(4096)
    size, none = ctypes.c_size_t, ctypes.c_void_p(None)
    start, reset, wanted = library.exi_bitstream_init, library.exi_bitstream_reset, getattr(library, function)
    start(stream, source, size(len(data)), size(0), none)
    if function.startswith("encode"):
        getattr(library, f"decode_{prefix}_exiDocument")(stream, document)
        start(stream, target, size(4096), size(0), none)

    def call() -> int:
        reset(stream)
        return int(wanted(stream, document))

    # The stream points to these without Python knowing.
    call.buffers = source, target  # type: ignore[attr-defined]
    return call


def say(text: str) -> None:
    """Progress, beside the result."""
    print(f"bench exi: {text}", file=sys.stderr)
