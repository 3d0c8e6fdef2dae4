"""Fetches MicroPython from the user's own Debian mirror into the cache: no root, no change to the system.

apt does the work (resolution, signatures, download) with a private configuration; the packages are only
unpacked and run with their own loader and C library, so that an older system can run them.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vsecc_sim.mcu.interpreter import (
    ARCHITECTURES,
    Interpreter,
    InterpreterUnavailable,
    cache_folder,
    cached,
    find_micropython,
    probe,
)

SUITE = "trixie"
APT_TIMEOUT_S = 300.0
# Suites that mark an entry as Debian's main archive; its mirror also carries SUITE.
_DEBIAN_SUITES = (
    "buster", "bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable",
)  # fmt: skip
_TRIPLETS = {
    "i386": "i386-linux-gnu",
    "amd64": "x86_64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "arm64": "aarch64-linux-gnu",
}
_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-trixie-stable.gpg",
)
_CONFIGURATION = """\
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "{work}/parts";
Dir::State "{work}";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A Debian mirror the system already trusts: its address and the keyring it names, if any."""

    uri: str
    signed_by: str | None


def ensure_micropython(progress: Callable[[str], None]) -> Interpreter:
    """An interpreter for sure, fetched when none is here; raises InterpreterUnavailable with the reason."""
    found = find_micropython()
    if found:
        return found
    if os.environ.get("MICROPYTHON"):
        raise InterpreterUnavailable(
            f"MICROPYTHON={os.environ['MICROPYTHON']} is not a MicroPython that runs here"
        )
    return fetch_interpreter(progress)


def fetch_interpreter(progress: Callable[[str], None]) -> Interpreter:
    """Fetches the first architecture that runs here; raises InterpreterUnavailable with every reason met."""
    architectures = ARCHITECTURES.get(platform.machine(), ())
    if not architectures:
        raise InterpreterUnavailable(
            f"no MicroPython package is known for {platform.machine()}; set MICROPYTHON"
        )
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise InterpreterUnavailable(
                f"{tool} not found: install MicroPython yourself and set MICROPYTHON"
            )
    mirror = find_mirror(Path("/etc/apt"))
    if mirror is None:
        raise InterpreterUnavailable(
            "no Debian mirror in the apt sources: install micropython and set MICROPYTHON"
        )
    reasons = []
    for arch in architectures:
        try:
            return _install(arch, mirror, progress)
        except InterpreterUnavailable as error:
            reasons.append(f"{arch}: {error}")
            progress(f"MicroPython {arch} not possible: {error}")
    raise InterpreterUnavailable("; ".join(reasons))


def find_mirror(etc_apt: Path) -> Mirror | None:
    """The first Debian main archive in sources.list and sources.list.d, one-line and deb822 form alike."""
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for suites, mirror in deb822_entries(text) if file.suffix == ".sources" else one_line_entries(text):
            if any(suite in _DEBIAN_SUITES for suite in suites):
                return mirror
    return None


def one_line_entries(text: str) -> Iterable[tuple[list[str], Mirror]]:
    """`deb [options] uri suite component...` lines that offer `main`."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+(.*?)\s*(?:#.*)?$", line)
        if match and "main" in match[4].split():
            options = dict(option.partition("=")[::2] for option in (match[1] or "").split())
            yield [match[3]], Mirror(match[2], options.get("signed-by"))


def deb822_entries(text: str) -> Iterable[tuple[list[str], Mirror]]:
    """Stanzas of a .sources file that offer binary packages of `main`."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0].isspace():
                fields[name] = fields.get(name, "") + "\n" + line.strip()
            else:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value.strip()
        disabled = fields.get("enabled", "yes").lower() in ("no", "false", "0")
        if (
            disabled
            or "deb" not in fields.get("types", "").split()
            or "main" not in fields.get("components", "").split()
        ):
            continue
        signed_by = fields.get("signed-by", "").strip()
        for uri in fields.get("uris", "").split()[:1]:
            yield (
                fields.get("suites", "").split(),
                Mirror(uri, signed_by if signed_by.startswith("/") else None),
            )


def _keyring(mirror: Mirror) -> str | None:
    """The keyring to check SUITE with. None: those apt trusts anyway. The check is never off."""
    for candidate in _KEYRINGS:
        if os.access(candidate, os.R_OK):
            return candidate
    return mirror.signed_by


def _install(arch: str, mirror: Mirror, progress: Callable[[str], None]) -> Interpreter:
    target = cache_folder() / arch
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{arch}-", dir=target.parent) as temporary:
        work = Path(temporary)
        progress(f"fetching MicroPython ({arch}, about 14 MB) from {mirror.uri}")
        _download(work, arch, mirror)
        image = work / "image"
        _unpack(work / "cache" / "archives", image, arch)
        command = _command(image, arch)
        found = probe(command, "cache")
        relative = [part.replace(str(image), "{folder}") for part in command]
        record = {"command": relative, "version": found.version, "arch": found.arch}
        (image / "interpreter.json").write_text(json.dumps(record), encoding="utf-8")
        _publish(image, target, work)
    installed = cached(arch)
    if installed is None:
        raise InterpreterUnavailable(f"the copy in {target} cannot be used")
    progress(f"MicroPython {installed.version} {installed.arch} is ready in {target}")
    return installed


def _publish(image: Path, target: Path, work: Path) -> None:
    """Moves the finished folder into place; when another process was faster, its copy stands."""
    if target.exists() and cached(target.name) is None:
        target.rename(work / "broken")
    try:
        image.rename(target)
    except OSError as error:
        if cached(target.name) is None:
            raise InterpreterUnavailable(f"cannot install into {target}: {error}") from error


def _download(work: Path, arch: str, mirror: Mirror) -> None:
    for folder in ("parts", "lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    keyring = _keyring(mirror)
    options = f"arch={arch}" + (f" signed-by={keyring}" if keyring else "")
    (work / "sources.list").write_text(f"deb [{options}] {mirror.uri} {SUITE} main\n", encoding="utf-8")
    (work / "apt.conf").write_text(_CONFIGURATION.format(work=work, arch=arch), encoding="utf-8")
    _apt(work, "update")
    _apt(work, "-y", "--download-only", "install", "micropython")


def _apt(work: Path, *arguments: str) -> None:
    command = ["apt-get", "-q", "-c", str(work / "apt.conf"), *arguments]
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=APT_TIMEOUT_S, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterUnavailable(f"apt-get {arguments[0]}: {error}") from error
    output = done.stdout + done.stderr
    if "NO_PUBKEY" in output and ("is not signed" in output or done.returncode):
        raise InterpreterUnavailable(
            f"the signature of Debian {SUITE} cannot be checked with the keys here; "
            "update the package debian-archive-keyring, or set MICROPYTHON"
        )
    # apt-get update ends with 0 even when a list could not be fetched; the next step then fails by name.
    problems = [line for line in output.splitlines() if line.startswith(("E:", "Err:"))]
    if done.returncode or (arguments[0] == "update" and problems):
        raise InterpreterUnavailable(f"apt-get {arguments[0]}: {(problems or ['failed'])[0]}")


def _unpack(archives: Path, image: Path, arch: str) -> None:
    """Unpacks the packages and keeps the interpreter, its licences and its libraries only."""
    full = image.parent / "full"
    for package in sorted(archives.glob("*.deb")):
        done = subprocess.run(
            ["dpkg-deb", "-x", str(package), str(full)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InterpreterUnavailable(f"dpkg-deb {package.name}: {done.stderr.strip()}")
    (image / "bin").mkdir(parents=True)
    libraries = full / "usr" / "lib" / _TRIPLETS[arch]
    try:
        shutil.copy2(full / "usr/bin/micropython", image / "bin/micropython")
        (image / "lib").mkdir()
        for library in libraries.glob("*.so*"):
            shutil.copy2(library, image / "lib" / library.name)
        shutil.copytree(full / "usr/share/doc", image / "doc", symlinks=True)
    except OSError as error:
        raise InterpreterUnavailable(f"unexpected package contents: {error}") from error


def _command(image: Path, arch: str) -> tuple[str, ...]:
    loaders = sorted((image / "lib").glob("ld-linux*.so.*"))
    if not loaders:
        raise InterpreterUnavailable(f"no loader in the {arch} packages")
    return str(loaders[0]), "--library-path", str(image / "lib"), str(image / "bin/micropython")
