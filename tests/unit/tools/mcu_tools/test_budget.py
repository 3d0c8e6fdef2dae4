"""The budget table: current, made from a real compile, and the program inside its limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsecc_mcu import budget
from vsecc_mcu.build import build, sources
from vsecc_sim.mcu.interpreter import find_micropython

PAGE = Path(__file__).resolve().parents[4] / "docs" / "mcu-budget.md"
HINT = "python -m vsecc_mcu.budget > docs/mcu-budget.md"


def columns(text: str, count: int) -> list[list[str]]:
    """The first cells of every table row."""
    return [line.split("|")[1 : count + 1] for line in text.splitlines() if line.startswith("| `")]


def test_page_is_what_compiler_and_interpreter_say_today() -> None:
    """The compiler is pinned. Another interpreter may count another heap: then flash alone is compared."""
    found = find_micropython()
    page = PAGE.read_text(encoding="utf-8")
    table = budget.rows(found)
    today = budget.document(table, found)
    if budget.made_by(found) in page:
        assert today == page, HINT
    else:
        assert columns(today, 3) == columns(page, 3), HINT


def test_program_fits_both_chips_twice() -> None:
    table = budget.rows(None)
    for arch, limit in budget.FLASH_BYTES.items():
        assert budget.slots_bytes(table, arch) < limit // 2


def test_modules_are_imported_after_what_they_need() -> None:
    order = budget.import_order(sources())
    assert set(order) == set(sources()) and len(order) == len(set(order))
    for first, second in (
        ("mcu/__init__.py", "mcu/ticks.py"),
        ("mcu/ticks.py", "mcu/control.py"),
        ("mcu/safety.py", "mcu/main.py"),
        ("vsecc_link/messages.py", "mcu/host_link.py"),
        ("vsecc_link/frame.py", "vsecc_link/link.py"),
        ("mcu/boards/common.py", "mcu/boards/reference.py"),
    ):
        assert order.index(first) < order.index(second), (first, second)


@pytest.mark.parametrize("arch", ["armv6m", "armv7emsp"])
def test_same_sources_make_the_same_image(arch: str) -> None:
    first, second = build(arch), build(arch)
    assert first.digest() == second.digest() and first.files == second.files
    assert set(first.root) == {"boot.py", "main.py"}
    assert not {"mcu/boot.mpy", "mcu/start.mpy", "mcu/hal/sim.mpy"} & set(first.files)
    assert {"mcu/main.mpy", "mcu/hal/pico.mpy", "vsecc_link/viper.mpy"} <= set(first.files)
