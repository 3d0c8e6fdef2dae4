"""Where the firmware and the packages it shares with the host lie, and its pin table."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

# The unix build tells no board name; the firmware then takes its reference board.
MACHINE_NAME = "emulated"
SHIMS = Path(__file__).with_name("shims")


def search_path() -> list[str]:
    """Folders from which `mcu` and `vsecc_link` can be imported."""
    folders = []
    for name in ("mcu", "vsecc_link"):
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"package {name} is not installed")
        folder = str(Path(next(iter(spec.submodule_search_locations))).resolve().parent)
        if folder not in folders:
            folders.append(folder)
    return folders


def pin_table() -> ModuleType:
    """Pins and dividers of the emulated board."""
    table: ModuleType = importlib.import_module("mcu.boards").choose(MACHINE_NAME)
    return table


def calibration_of(table: ModuleType) -> bytes:
    """Calibration file of a board that measures exactly what its drawing says."""
    calibration = importlib.import_module("mcu.calibration")
    content: bytes = calibration.pack(calibration.defaults(table), table.NAME)
    return content
