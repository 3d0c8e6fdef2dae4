"""Profiles and scenarios as data: complete, checked, and refused by name when wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vsecc_host.station.values import Phase
from vsecc_sim.ev.misbehave import Do
from vsecc_sim.ev.profiles import ProfileError, load_profile, merge, profile_names
from vsecc_sim.ev.scenario import load_scenario, parse_scenario
from vsecc_sim.ev.values import EvEnd, EvPhase, Step


@pytest.mark.parametrize("name", profile_names(None))
def test_every_profile_is_sound(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.expected_end in list(EvEnd)
    assert profile.checks.trust in ("reported", "measured")
    assert Step(profile.checks.give_up) in (Step.SESSION_STOP, Step.POWER_OFF)
    assert profile.offers("din") or profile.offers("iso2")
    assert set(profile.discovery.security) <= {"tls", "none"}
    assert len(bytes.fromhex(profile.messages.first_session_id)) in (1, 8)
    battery = profile.battery
    voltages = [volts for _, volts in battery.voltage_curve]
    assert voltages == sorted(voltages)
    assert voltages[-1] < battery.max_voltage_v == profile.charging.max_voltage_v
    steps = {str(step) for step in Step}
    for key in profile.think_ms:
        assert key in ("default", "stop") or key.removesuffix("_repeat") in steps, key


def test_the_six_cars_are_there() -> None:
    assert profile_names() == ["audi-q4", "default", "ioniq", "model-x-plaid", "model-y", "polestar-2"]
    assert profile_names("iso2") == ["audi-q4", "iso2", "iso2-tls", "polestar-2"]
    assert profile_names(None) == sorted({*profile_names(), *profile_names("iso2")})


def test_phases_are_the_words_of_the_station() -> None:
    assert {str(phase) for phase in EvPhase} <= {str(phase) for phase in Phase}


def test_changes_reach_into_tables() -> None:
    profile = load_profile("ioniq", {"patience": {"pre_charge_s": 3}})
    assert profile.patience.pre_charge_s == 3.0
    assert profile.patience.no_current_s == 600.5


def test_merge_replaces_lists_and_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}}
    assert merge(base, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}
    assert base == {"a": {"b": 1, "c": [1, 2]}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colour": "red"}, "unknown colour"),
        ({"patience": {"tea_s": 1}}, "unknown tea_s"),
        ({"patience": {"pilot_s": "long"}}, "pilot_s: 'long' must be float"),
        ({"messages": {"conditioning": 1}}, "conditioning: 1 must be bool"),
        ({"patience": 5}, "patience: must be a table"),
        ({"discovery": {"tls": "maybe"}}, "tls: 'maybe' must be one of off, try, insist"),
        ({"checks": {"renegotiation": "never"}}, "must be one of full, short"),
        ({"handshake": [{"namespace": "x"}]}, "missing priority, schema_id, version"),
        ({"handshake": [5]}, "handshake: must be a table"),
        ({"handshake": []}, "handshake: must be a list with something in it"),
        (
            {"handshake": [{"namespace": "x", "version": "two", "schema_id": 1, "priority": 1}]},
            "version: 'two' has not the form",
        ),
        ({"messages": {"first_session_id": "xyz"}}, "first_session_id: 'xyz' has not the form"),
        ({"think_ms": {"default": "long"}}, "default: 'long' must be float"),
        ({"think_ms": [1.0]}, "think_ms: must be a table"),
        ({"checks": {"pre_charge_current_a": ["x"]}}, "pre_charge_current_a: 'x' must be float"),
        ({"battery": {"voltage_curve": [[0, 1, 2]]}}, r"voltage_curve: \[0, 1, 2\] must be 2 values"),
        ({"patience": {"pilot_s": float("nan")}}, "nan is no quantity of a car"),
        ({"patience": {"pilot_s": 10**400}}, "is no quantity of a car"),
    ],
)
def test_a_wrong_profile_is_refused_by_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load_profile("default", changes)


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(ProfileError, match="ioniq"):
        load_profile("trabant")


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "polestar-2"\nwhat = "mine"\n[patience]\npre_charge_s = 20.0\n')
    profile = load_profile(str(path))
    assert (profile.name, profile.what, profile.patience.pre_charge_s) == ("mine", "mine", 20.0)
    assert profile.charging.max_voltage_v == 470.0


def test_a_profile_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.toml"
    path.write_text(f'extends = "{path}"\n')
    with pytest.raises(ProfileError, match="extends itself"):
        load_profile(str(path))


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("what = ")
    with pytest.raises(ProfileError, match=r"broken\.toml"):
        load_profile(str(path))
    with pytest.raises(ProfileError, match=r"broken\.toml"):
        load_scenario(path)


@pytest.mark.parametrize(
    "content", [b"what = '\xff'", b"a = " + b"[" * 100_000, b"extends = 1", b"extends = []"]
)
def test_a_file_that_holds_no_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=r"broken\.toml"):
        load_profile(str(path))
    with pytest.raises(ProfileError):
        load_scenario(path)


def test_a_scenario_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        'profile = "model-y"\nsoc_percent = 30\ncapacity_wh = 900\nunplug_after_s = 12.5\n'
        "[changes.patience]\npre_charge_s = 5.0\n"
        '[[misbehave]]\nat = "current_demand"\nnth = 20\ndo = "stall"\n'
    )
    scenario = load_scenario(path)
    assert scenario.profile.name == "model-y"
    assert scenario.profile.patience.pre_charge_s == 5.0
    assert (scenario.soc_percent, scenario.capacity_wh, scenario.unplug_after_s) == (30, 900, 12.5)
    assert [act.do for act in scenario.misbehave] == [Do.STALL]
    assert load_scenario(path, "ioniq").profile.name == "ioniq"


@pytest.mark.parametrize(
    "table",
    [
        {"soc": 3},
        {"soc_percent": "half"},
        {"soc_percent": float("nan")},
        {"capacity_wh": -1},
        {"stop_after_s": 10**400},
        {"misbehave": 1},
        {"stop_after_s": True},
    ],
)
def test_a_wrong_scenario_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="scenario"):
        parse_scenario(table)
