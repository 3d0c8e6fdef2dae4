"""Command line of the emulator: scenario files and their mistakes."""

import argparse
import json
from pathlib import Path

import pytest

from vsecc_cli import sim_mcu
from vsecc_cli.errors import CommandError
from vsecc_sim.mcu.scenario import ScenarioError, load_scenario

GOOD = """
[[step]]
at_s = 2
fault = "relay-weld"
port = 3
[[step]]
at_s = 0.5
ev = "B"
[[step]]
at_s = 1.0
inputs = { d1 = true, a1 = 5.0 }
"""


def test_scenario_is_sorted_by_time(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(GOOD)
    assert [step["at_s"] for step in load_scenario(path)] == [0.5, 1.0, 2]


def test_json_scenario(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"step": [{"at_s": 1, "ohm": 1500.0, "port": 2}]}))
    assert load_scenario(path)[0]["ohm"] == 1500.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "list of steps"),
        ("[[step]]\nev = 'B'", "at_s"),
        ("[[step]]\nat_s = 1", "exactly one of"),
        ("[[step]]\nat_s = 1\nev = 'B'\nfault = 'cp-short'", "exactly one of"),
        ("[[step]]\nat_s = 1\nev = 'Q'", "A, B, C, D"),
        ("[[step]]\nat_s = 1\nfault = 'q'", "no fault q"),
        ("[[step]]\nat_s = 1\nev = 'B'\nport = 3", "no port 3"),
        ("[[step]]\nat_s = 1\nev = 'B'\nprot = 1", "unknown key prot"),
        ("[[step]]\nat_s = 1\ninputs = { q = 1 }", "no input q"),
        ("[[step]", "a.toml"),
        ("step = [1]", "step 1: needs `at_s`"),
        ("[[step]]\nat_s = nan\nev = 'B'", "at_s"),
        ("[[step]]\nat_s = -1\nev = 'B'", "at_s"),
        ("[[step]]\nat_s = true\nev = 'B'", "at_s"),
        ("[[step]]\nat_s = 1\nev = ['B']", "EV state"),
        ("[[step]]\nat_s = 1\nfault = ['cp-short']", "no fault"),
        ("[[step]]\nat_s = 1\nfault = 'cp-short'\nport = 3", "target 3"),
        ("[[step]]\nat_s = 1\nfault = 'cp-short'\nactive = 'no'", "true or false"),
        ("[[step]]\nat_s = 1\nfault = 'cp-noise'\nvalue = 'much'", "`value` is a number"),
        ("[[step]]\nat_s = 1\nohm = 'much'", "`ohm` is a number"),
        ("[[step]]\nat_s = 1\nev = 'B'\nport = true", "no port True"),
        ("[[step]]\nat_s = 1\ninputs = 5", "terminals with their values"),
        ("[[step]]\nat_s = 1\ninputs = { t1 = ['open'] }", "input t1"),
        ("a = " + "[" * 100_000, "a.toml"),
    ],
)
def test_mistakes_are_told_with_step_and_choice(tmp_path, text, problem):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=problem):
        load_scenario(path)


def test_missing_file_is_told():
    with pytest.raises(OSError, match="absent"):
        load_scenario(Path("absent.toml"))


def arguments(*words):
    parser = argparse.ArgumentParser()
    sim_mcu.add_parser(parser.add_subparsers())
    return parser.parse_args(["mcu", *words])


def test_runs_a_scenario_and_tells_what_happens(tmp_path, capfd):
    path = tmp_path / "a.toml"
    path.write_text('[[step]]\nat_s = 0.05\nev = "B"\n')
    args = arguments("--listen", "tcp://127.0.0.1:0", "--scenario", str(path), "--json", "--duration", "0.5")
    assert args.run(args) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[0]["listen"].startswith("tcp://127.0.0.1:")
    assert ("ev1", "B") in [(line.get("name"), line.get("value")) for line in lines]


def test_bad_address_is_one_line():
    args = arguments("--listen", "ftp://x")
    with pytest.raises(CommandError, match="neither"):
        args.run(args)
