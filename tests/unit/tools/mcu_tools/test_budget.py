"""The budget table: current, made from a real compile, and the program inside its limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsecc_mcu import budget
from vsecc_mcu.build import build, sources
from vsecc_sim.mcu.interpreter import find_micropython

PAGE = Path(__file__).resolve().parents[4] / "docs" / "mcu-budget.md"
HINT = "python -m vsecc_mcu.budget > docs/mcu-budget.md"


# A collector that takes numbers for pointers now and then keeps an object that nobody needs.
HEAP_SLACK_BYTES = 512
HEAP_SLACK_SHARE = 0.05


def cells(text: str) -> dict[str, list[str]]:
    """Module: its sizes as written, flash of each chip, heap."""
    rows = (line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `"))
    return {name.strip(): [cell.strip() for cell in sizes] for name, *sizes in rows}


def test_page_is_what_compiler_and_interpreter_say_today() -> None:
    """Flash to the byte, since the compiler is pinned; heap, where the interpreter is the page's, nearly."""
    found = find_micropython()
    page = PAGE.read_text(encoding="utf-8")
    table = budget.rows(found)
    today = budget.document(table, found)
    written, counted = cells(page), cells(today)
    assert {name: sizes[:-1] for name, sizes in written.items()} == {
        name: sizes[:-1] for name, sizes in counted.items()
    }, HINT
    if budget.made_by(found) not in page:
        return
    for name, sizes in counted.items():
        if "-" in (sizes[-1], written[name][-1]):
            assert sizes[-1] == written[name][-1], (name, HINT)
            continue
        heap, before = int(sizes[-1]), int(written[name][-1])
        assert abs(heap - before) <= HEAP_SLACK_BYTES + HEAP_SLACK_SHARE * before, (name, heap, before, HINT)


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
