"""The examples of the documentation are ones the simulator understands."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

from vsecc_cli import sim_ev
from vsecc_sim.ev.misbehave import read_act
from vsecc_sim.ev.scenario import parse_scenario

DOCS = (Path(__file__).parents[4] / "docs" / "ev-simulator.md").read_text("utf-8")


def test_the_options_of_the_examples_exist() -> None:
    parser = argparse.ArgumentParser()
    sim_ev.add_parser(parser.add_subparsers())
    lines = re.findall(r"`(--[a-z][^`]*)`", DOCS)
    examples = [line for line in lines if " " in line and "|" not in line and "FILE" not in line]
    assert len(examples) >= 9
    for line in examples:
        parser.parse_args(["ev", "--connect", "sdp://[::1]:1", *line.split()])


def test_the_acts_of_the_examples_are_understood() -> None:
    acts = re.findall(r"--misbehave ([a-z_]+:\S+?)[` \n]", DOCS)
    assert len(acts) >= 5
    for act in acts:
        read_act(act)


def test_the_scenario_is_understood() -> None:
    (text,) = re.findall(r"```toml\n(profile = .*?)```", DOCS, re.S)
    scenario = parse_scenario(tomllib.loads(text))
    assert (scenario.protocol, scenario.tls, scenario.misbehave[0].nth) == ("iso2", "insist", 20)
