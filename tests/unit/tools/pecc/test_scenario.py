"""Scenario files: what is written is what is run; whatever does not belong there is refused by name."""

from __future__ import annotations

import json
import random

import pytest

from vsecc_sim.pecc.faults import FAULTS
from vsecc_sim.pecc.scenario import ScenarioError, load_scenario, parse_scenario
from vsecc_sim.pecc.states import PeccState

WHOLE = """
name = "hot afternoon"
supervision = "ev-state"

[power]
max_power_w = 60000
ambient_c = 40

[manners]
float_values = false
versions = ["1.2", "1.8"]
seed = 7

[discharge]
max_current_a = -30

[load]
kind = "battery"
profile = "ioniq"
soc_percent = 50

[[step]]
at_state = "charge"
after_s = 2.5
fault = "derated"
value = 0.5
for_s = 10

[[step]]
at_s = 30
charge_point = 2
request = "getInput"
payload = { inputIdentifiers = ["d1"] }
"""


def test_toml_and_json_say_the_same(tmp_path):
    toml = tmp_path / "one.toml"
    toml.write_text(WHOLE)
    scenario = load_scenario(toml)
    assert scenario.config.power.max_power_w == 60_000.0
    assert scenario.config.manners.versions == ("1.2", "1.8")
    assert scenario.config.discharge is not None and scenario.config.discharge.max_current_a == -30.0
    first, second = scenario.steps
    assert (first.at_state, first.for_s) == (PeccState.CHARGE, 10.0)
    assert first.fault is not None and first.fault.value == 0.5
    assert second.charge_point == 2
    import tomllib

    twin = tmp_path / "one.json"
    twin.write_text(json.dumps(tomllib.loads(WHOLE)))
    assert load_scenario(twin) == scenario


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ([], "must be a table"),
        ({"speed": 1}, "unknown speed; there are power"),
        ({"power": {"max_power": 1}}, "power: unknown max_power"),
        ({"power": {"max_power_w": "much"}}, "power.max_power_w: 'much' is no number"),
        ({"power": {"max_power_w": True}}, "is no number"),
        ({"power": {"max_power_w": -1}}, "is negative"),
        ({"power": {"max_power_w": float("nan")}}, "is no number"),
        ({"power": {"min_voltage_v": 900, "max_voltage_v": 100}}, "a minimum is above"),
        ({"power": {"step_s": 0}}, "periods must be above 0"),
        ({"power": 3}, "power must be a table"),
        ({"manners": {"versions": "1.2"}}, "no list of strings"),
        ({"manners": {"versions": ["3.0"]}}, "no PEP version 3.0"),
        ({"manners": {"seed": 1.5}}, "seed: 1.5 is no int"),
        ({"manners": {"float_values": 1}}, "float_values: 1 is no bool"),
        ({"discharge": {"max_current_a": 30}}, "zero or negative"),
        ({"load": {"kind": "toaster"}}, "load.kind: 'toaster' is not one of"),
        ({"load": {"kind": "resistor", "resistance_ohm": 0}}, "must be above 0"),
        ({"supervision": "maybe"}, "supervision: 'maybe'"),
        ({"name": 3}, "name must be a string"),
        ({"step": {}}, "step must be a list"),
        ({"step": [3]}, "step 1 must be a table"),
        ({"step": [{"fault": "silent"}]}, "needs at_s or at_state"),
        ({"step": [{"at_s": 1}]}, "needs exactly one of"),
        ({"step": [{"at_s": 1, "fault": "silent", "request": "getInput"}]}, "needs exactly one of"),
        ({"step": [{"at_s": -1, "fault": "silent"}]}, "at least 0"),
        ({"step": [{"at_s": 1, "fault": "fire"}]}, "step 1: no fault fire; there are binary"),
        ({"step": [{"at_s": 1, "fault": "silent", "value": 2}]}, "silent takes no value"),
        ({"step": [{"at_s": 1, "fault": "flood", "value": -2}]}, "is not between"),
        ({"step": [{"at_state": "party", "fault": "silent"}]}, "no state 'party'"),
        ({"step": [{"at_s": 1, "limits": {}}]}, "limits must be a table"),
        ({"step": [{"at_s": 1, "limits": {"volts": 3}}]}, "unknown volts"),
        ({"step": [{"at_s": 1, "request": "reset"}]}, "no request 'reset'"),
        ({"step": [{"at_s": 1, "fault": "silent", "charge_point": 0}]}, "counts from 1"),
        ({"step": [{"at_s": 1, "fault": "silent", "colour": 0}]}, "step 1: unknown colour"),
    ],
)
def test_what_does_not_belong_there_is_refused_by_name(table, text):
    with pytest.raises(ScenarioError, match=text.replace("(", r"\(")):
        parse_scenario(table)


def test_a_file_that_is_no_scenario_is_named(tmp_path):
    for name, content in (
        ("bad.toml", b"= ="),
        ("bad.json", b"[" * 100_000),
        ("latin.toml", b"name = '\xff'"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ScenarioError, match=name):
            load_scenario(path)


def test_whatever_json_comes_is_a_scenario_or_an_error():
    source = random.Random(5)
    words = ["power", "manners", "step", "load", "at_s", "fault", "silent", "limits", "versions", "kind"]

    def anything(depth: int) -> object:
        choice = source.randrange(7 if depth else 5)
        if choice == 5:
            return {source.choice(words): anything(depth - 1) for _ in range(source.randrange(4))}
        if choice == 6:
            return [anything(depth - 1) for _ in range(source.randrange(3))]
        return [None, True, source.choice(words), source.uniform(-1e10, 1e10), source.randrange(100)][choice]

    refused = 0
    for _ in range(5000):
        try:
            parse_scenario({source.choice(words): anything(3)})
        except ScenarioError:
            refused += 1
    assert refused > 3000


def test_every_fault_says_what_it_does():
    assert all(kind.what for kind in FAULTS.values())
    assert all(name == name.lower() and " " not in name for name in FAULTS)
