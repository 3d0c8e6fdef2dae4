"""The marked tenth of the fault campaign with the program on a real MicroPython, over hal/pico.py."""

from __future__ import annotations

import pytest

from vsecc_sim.mcu.campaign import case as cases
from vsecc_sim.mcu.campaign import report
from vsecc_sim.mcu.campaign.run import run_case
from vsecc_sim.mcu.campaign.timeline import timeline
from vsecc_sim.mcu.interpreter import find_micropython

MARKED = [case for case in cases.load() if case.micropython]


@pytest.mark.parametrize("case", MARKED, ids=lambda case: case.id)
def test_case_on_micropython(case: cases.Case) -> None:
    micropython = find_micropython()
    if micropython is None:
        pytest.skip("no MicroPython here: `vsecc sim interpreter --fetch` gets one")
    result = run_case(case, "pico", micropython)
    assert result.ok, "\n".join([*report.lines(result, verbose=True), timeline(result)])
