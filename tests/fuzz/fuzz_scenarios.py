"""Scenario files of the simulated car, the PECC, the MCU emulator and the fault campaign, TOML and JSON."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fuzz import engine

from vsecc_sim.ev.misbehave import read_act
from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.scenario import load_scenario as load_ev
from vsecc_sim.mcu.campaign.case import CaseError
from vsecc_sim.mcu.campaign.case import load_file as load_campaign
from vsecc_sim.mcu.scenario import ScenarioError as McuScenarioError
from vsecc_sim.mcu.scenario import load_scenario as load_mcu
from vsecc_sim.pecc.scenario import ScenarioError
from vsecc_sim.pecc.scenario import load_scenario as load_pecc

JSON = True
FOLDER = engine.scratch()
CASES = Path(__file__).parents[1] / "campaign"
_EXAMPLES = (
    b"""
profile = "ioniq"
protocol = "din"
soc_percent = 30
stop_after_s = 5.0
[changes.charging]
max_current_a = 50.0
[[misbehave]]
at = "current_demand"
do = "stall"
for_s = 3
""",
    b"""
name = "x"
supervision = "ev-state"
[power]
max_voltage_v = 500.0
[manners]
versions = ["1.8"]
[load]
kind = "battery"
[[step]]
at_state = "charge"
after_s = 1
fault = "silent"
[[step]]
at_s = 2
limits = { max_power_w = 1000 }
""",
    b"""
[[step]]
at_s = 0.5
ev = "B"
[[step]]
at_s = 1
inputs = { d1 = true, a1 = 5.0, t1 = "open" }
""",
    b'{"step": [{"at_s": 1, "ohm": 1500.0, "port": 2}, {"at_s": 2, "fault": "relay-weld", "port": 3}]}',
)


def seeds() -> Iterator[bytes]:
    """The campaign's cases and one of everything for each simulator."""
    for path in sorted(CASES.glob("*.toml")):
        yield path.read_bytes()[:3000]
    yield from _EXAMPLES
    yield b"current_demand:stall,nth=2,for_s=3"


def one_input(data: bytes) -> None:
    """Each reader refuses in its own words or takes it."""
    for suffix in (".toml", ".json"):
        path = FOLDER / f"scenario{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(ScenarioError):
            load_pecc(path)
        with contextlib.suppress(McuScenarioError):
            load_mcu(path)
    path = FOLDER / "scenario.toml"
    with contextlib.suppress(ProfileError):
        load_ev(path)
    with contextlib.suppress(CaseError):
        load_campaign(path)
    with contextlib.suppress(ProfileError):
        read_act(data.decode("latin-1"))
