"""Finds a real MicroPython (unix port) and, only when asked, fetches one from the user's own Debian mirror.

The 32-bit build is preferred: it has the word size, the small integers and the tick wrap of the target.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROBE_TIMEOUT_S = 10.0
OLDEST_VERSION = (1, 22)
# ELF e_machine, so that a binary tells its architecture without being run.
_ELF_MACHINES = {3: "i386", 40: "armhf", 62: "amd64", 183: "arm64"}
# Debian architectures this machine can execute, the one nearest to the target first.
ARCHITECTURES = {
    "x86_64": ("i386", "amd64"),
    "i686": ("i386",),
    "aarch64": ("armhf", "arm64"),
    "armv7l": ("armhf",),
}
_PROBE = "import sys; i = sys.implementation; print(i.name, '.'.join(str(n) for n in i.version[:3]))"


class InterpreterUnavailable(Exception):
    """No MicroPython can be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A MicroPython that answered: how to start it and what it is."""

    command: tuple[str, ...]
    version: str
    arch: str
    source: str
    name: str = "MicroPython"

    def argv(self, *arguments: str) -> list[str]:
        """The full command line with the interpreter's own arguments appended."""
        return [*self.command, *arguments]

    def describe(self) -> str:
        """One short line for a log or a summary."""
        return f"{self.name} {self.version} {self.arch} ({self.source})"


def this_python() -> Interpreter:
    """The running CPython, which stands in where there is no MicroPython."""
    return Interpreter(
        command=(sys.executable,),
        version=platform.python_version(),
        arch=platform.machine(),
        source="running",
        name=platform.python_implementation(),
    )


def cache_folder() -> Path:
    """Where fetched interpreters live, per user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "vsecc" / "micropython"


def find_micropython() -> Interpreter | None:
    """The best interpreter already here: MICROPYTHON, then the cache, then PATH. Fetches nothing."""
    chosen = os.environ.get("MICROPYTHON")
    if chosen:
        return _probe((chosen,), "environment")
    for arch in ARCHITECTURES.get(platform.machine(), ()):
        found = cached(arch)
        if found:
            return found
    in_path = shutil.which("micropython")
    return _probe((in_path,), "path") if in_path else None


def cached(arch: str) -> Interpreter | None:
    """The cached interpreter of one Debian architecture, None when absent or broken."""
    folder = cache_folder() / arch
    try:
        record = json.loads((folder / "interpreter.json").read_text(encoding="utf-8"))
        command = tuple(str(part).replace("{folder}", str(folder)) for part in record["command"])
        version, recorded_arch = str(record["version"]), str(record["arch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not os.access(command[0], os.X_OK):
        return None
    return Interpreter(command=command, version=version, arch=recorded_arch, source="cache")


def probe(command: tuple[str, ...], source: str) -> Interpreter:
    """Runs the command once and reads what it is; InterpreterUnavailable when it is no usable MicroPython."""
    try:
        done = subprocess.run(
            [*command, "-c", _PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterUnavailable(f"{command[-1]} does not start: {error}") from error
    match = re.fullmatch(r"micropython (\d+)\.(\d+)\.(\d+)\s*", done.stdout)
    if not match:
        detail = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise InterpreterUnavailable(f"{command[-1]} is not MicroPython: {detail[0]}")
    if (int(match[1]), int(match[2])) < OLDEST_VERSION:
        raise InterpreterUnavailable(
            f"{command[-1]} is MicroPython {match[1]}.{match[2]}, 1.22 or newer is needed"
        )
    return Interpreter(
        command=command,
        version=done.stdout.split()[1],
        arch=elf_architecture(Path(command[-1])),
        source=source,
    )


def _probe(command: tuple[str, ...], source: str) -> Interpreter | None:
    try:
        return probe(command, source)
    except InterpreterUnavailable:
        return None


def elf_architecture(binary: Path) -> str:
    """Debian's name of the machine an ELF file is made for, "unknown" for anything else."""
    try:
        with open(shutil.which(str(binary)) or binary, "rb") as file:
            head = file.read(20)
    except OSError:
        return "unknown"
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return "unknown"
    return _ELF_MACHINES.get(struct.unpack_from("<H", head, 18)[0], "unknown")
