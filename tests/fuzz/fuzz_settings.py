"""Settings files: factory defaults, configuration, what a running station wrote; and what is made of values.

Reading raises SettingsError only; wiring a station with what was taken raises a ValueError at most.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from fuzz import engine

from vsecc_host import wiring
from vsecc_host.settings.files import OVERRIDES
from vsecc_host.settings.store import Settings, SettingsError

JSON = True
MAX_LEN = 8192
FOLDER = engine.scratch()
FILE = FOLDER / "file"


def seeds() -> Iterator[bytes]:
    """Every setting at its default, and the ways to write a configuration."""
    rows = Settings().export()
    for at in range(0, len(rows), 20):
        yield json.dumps(rows[at : at + 20]).encode()
    yield b'[Plc]\nUrl = "iface://eth1"\n[evse.2.Plc]\nUrl = "sim://"\n'
    yield b'[SecurityCtrlr]\n"BasicAuthPassword#1" = "x"\n[Component.Instance]\nVariable = 1.5\n'


def one_input(data: bytes) -> None:
    """As each of the three files; what is kept can be read again."""
    FILE.write_bytes(data)
    for given in ({"factory": FILE}, {"config": FILE}):
        try:
            settings = Settings.load(**given)
        except SettingsError as error:
            assert error.problems
            assert all(problem.strip() for problem in error.problems)
            continue
        _wire(settings)
        FILE.with_suffix(".json").write_text(json.dumps(settings.export()), encoding="utf-8")
        assert Settings.load(factory=FILE.with_suffix(".json")).export() == settings.export()
    overrides = FOLDER / OVERRIDES
    overrides.write_bytes(data)
    settings = Settings.load(state_dir=FOLDER)
    assert overrides.exists() or settings.problems


def _wire(settings: Settings) -> None:
    """Each part as the station starts it."""
    for part in (
        wiring.v2g_config,
        wiring.slac_config,
        wiring.pep_config,
        wiring.power_config,
        wiring.evse_config,
    ):
        with contextlib.suppress(ValueError):
            part(settings, 1)
    with contextlib.suppress(ValueError):
        wiring.emergency_input(settings)
