"""The EcoG iso15118 package as a peer: its SECC and EVCC run over a veth pair in namespaces of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vsecc_bench.peers import PeerUnavailable, need_java, peer_python

PACKAGES = ("iso15118", "aiofile")  # aiofile is missing from the package's own requirements
SESSION_TIMEOUT_S = 120
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m"
_SENT = re.compile(r"^.*?(\d{2}:\d{2}:\d{2}[.,]\d{3}).*Sent (\w+)", re.M)
_RECEIVED = re.compile(r"^.*?(\d{2}:\d{2}:\d{2}[.,]\d{3}).*?(\w+) received", re.M)


@dataclass(frozen=True, slots=True)
class VethPair:
    """Two linked interfaces, each in its own network namespace."""

    station_namespace: str
    station_interface: str
    car_namespace: str
    car_interface: str


@contextlib.contextmanager
def veth_pair() -> Iterator[VethPair]:
    """A pair that exists for the body; needs root and iproute2, raises PeerUnavailable otherwise."""
    if os.geteuid() != 0:
        raise PeerUnavailable("network namespaces need root")
    tag = f"v{os.getpid() % 100000}"
    pair = VethPair(f"{tag}s", "se", f"{tag}c", "ev")
    commands = [
        f"netns add {pair.station_namespace}",
        f"netns add {pair.car_namespace}",
        f"-n {pair.station_namespace} link add se type veth peer name ev netns {pair.car_namespace}",
        f"-n {pair.station_namespace} link set lo up",
        f"-n {pair.car_namespace} link set lo up",
        f"-n {pair.station_namespace} link set se up",
        f"-n {pair.car_namespace} link set ev up",
    ]
    try:
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True, capture_output=True)
        _await_link_local(pair)
        yield pair
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeerUnavailable(f"no veth pair: {error}") from error
    finally:
        for name in (pair.station_namespace, pair.car_namespace):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _await_link_local(pair: VethPair) -> None:
    """Duplicate address detection takes about two seconds; without an address nobody can talk."""
    ends = [(pair.station_namespace, "se"), (pair.car_namespace, "ev")]
    for _ in range(100):
        shown = [
            subprocess.run(
                ["ip", "-n", name, "-6", "addr", "show", "dev", dev], capture_output=True, text=True
            ).stdout
            for name, dev in ends
        ]
        if all("fe80" in text and "tentative" not in text for text in shown):
            return
        time.sleep(0.1)
    raise PeerUnavailable("no link-local address came up")


def inside(namespace: str, *command: str | Path) -> list[str]:
    """Command line that runs in a network namespace."""
    return ["ip", "netns", "exec", namespace, *map(str, command)]


@dataclass(frozen=True, slots=True)
class EvccRun:
    """One session of the EcoG EVCC: answer times seen by it, in ms, and how long the session took."""

    answers_ms: dict[str, list[float]]
    session_s: float
    finished: bool
    log: str = ""


PROTOCOLS = {"din": ["DIN_SPEC_70121"], "iso2": ["ISO_15118_2"]}
ENDINGS = ("stopped successfully", "Communication session terminated")  # DIN; -2 and -20
GIVES_UP = "maximum number of SDP retry cycles"  # it stays up after that


def run_evcc(
    python: Path, pair: VethPair, loops: int = 30, *, protocol: str = "din", v2g_root: Path | None = None
) -> EvccRun:
    """A session at whatever SECC serves the pair, TLS if a root is given. May raise PeerUnavailable."""
    need_java()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "evcc.json"
        config.write_text(
            json.dumps(
                {
                    "supportedProtocols": PROTOCOLS[protocol],
                    "supportedEnergyServices": ["DC"],
                    "energyTransferMode": "DC_extended",
                    "useTls": v2g_root is not None,
                    "isCertInstallNeeded": False,
                    "chargeLoopCycle": loops,
                    "sdpRetryCycles": 1,
                }
            )
        )
        pki = Path(folder) / "iso15118_2" / "certs"
        if v2g_root is not None:
            pki.mkdir(parents=True)
            shutil.copy(v2g_root, pki / "v2gRootCACert.pem")
        log = Path(folder) / "evcc.log"
        command = inside(pair.car_namespace, python, "-m", "iso15118.evcc.main", config)
        with log.open("w") as sink:
            process = subprocess.Popen(
                command,
                env={**environment("ev"), "PKI_PATH": f"{folder}/"},
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
            finished = _await(process, log)
        return read_log(log.read_text(errors="replace"), finished)


def _await(process: subprocess.Popen[bytes], log: Path) -> bool:
    """True when the log says that the session came to its end; the process is gone afterwards."""
    end_s = time.monotonic() + SESSION_TIMEOUT_S
    told = ""
    while time.monotonic() < end_s and process.poll() is None and not _over(told):
        time.sleep(0.2)
        told = log.read_text(errors="replace")
    process.kill()
    process.wait()
    return any(end in log.read_text(errors="replace") for end in ENDINGS)


def _over(told: str) -> bool:
    return GIVES_UP in told or any(end in told for end in ENDINGS)


def read_log(text: str, finished: bool) -> EvccRun:
    """Answer times from the EVCC's log lines "Sent X" and "X received"."""
    found = [(m.start(), _seconds(m[1]), "sent", m[2]) for m in _SENT.finditer(text)]
    found += [(m.start(), _seconds(m[1]), "received", m[2]) for m in _RECEIVED.finditer(text)]
    marks = [mark[1:] for mark in sorted(found)]  # in the order of the log: its clock has whole milliseconds
    answers: dict[str, list[float]] = {}
    asked: tuple[float, str] | None = None
    at_s: float
    for at_s, way, name in marks:
        if way == "sent":
            asked = (at_s, name)
        elif asked is not None and name == asked[1].replace("Req", "Res"):
            answers.setdefault(name, []).append((at_s - asked[0]) * 1000)
            asked = None
    session_s = marks[-1][0] - marks[0][0] if marks else 0.0
    return EvccRun(answers, session_s, finished, text)


def _seconds(clock: str) -> float:
    at = datetime.strptime(clock.replace(",", "."), "%H:%M:%S.%f")
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6


def environment(interface: str, protocol: str = "din") -> dict[str, str]:
    """Environment of the package's programs on this interface; `protocol` is what its SECC offers."""
    return {
        **os.environ,
        "NETWORK_INTERFACE": interface,
        "LOG_LEVEL": "INFO",
        "MESSAGE_LOG_JSON": "False",
        "JAVA_TOOL_OPTIONS": JAVA_OPTIONS,
        "PYTHONHASHSEED": "0",
        "PROTOCOLS": ",".join(PROTOCOLS[protocol]),
        "AUTH_MODES": "EIM",
    }


# The package asks its power electronics by this call and waits for it inside the answer to the car.
_SLOW_POWER = """
import asyncio
from iso15118.secc import main
from iso15118.secc.controller.simulator import SimEVSEController


class Slow(SimEVSEController):
    async def send_charging_command(self, *args, **kwargs):
        await asyncio.sleep(%f)


main.SimEVSEController = Slow
main.run()
"""


@contextlib.contextmanager
def secc(
    python: Path, pair: VethPair, protocol: str = "din", *, power_s: float | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The package's SECC on the station's end of the pair; its power electronics take `power_s` to answer."""
    need_java()
    program = ("-m", "iso15118.secc.main") if power_s is None else ("-c", _SLOW_POWER % power_s)
    command = inside(pair.station_namespace, python, *program)
    process = subprocess.Popen(
        command,
        env=environment(pair.station_interface, protocol),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(4)  # its JVM and its listener; it offers no sign of being ready
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def tree_memory_mib(pid: int) -> float:
    """Resident memory of a process and its children, MiB."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            fields = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
            )
            if int(folder.name) == pid or _descends(int(folder.name), pid):
                total += int(fields["VmRSS"].split()[0]) / 1024
    return total


def _descends(pid: int, ancestor: int) -> bool:
    for _ in range(32):
        with contextlib.suppress(OSError):
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            if pid == ancestor:
                return True
        if pid <= 1:
            return False
    return False


def installed(progress: Callable[[str], None]) -> Path:
    """Interpreter of the peer's environment."""
    return peer_python("ecog-iso15118", PACKAGES, progress)
