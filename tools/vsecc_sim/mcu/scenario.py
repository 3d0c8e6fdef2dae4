"""Scenario files of the MCU emulator: timed states of the car's end, faults and inputs. TOML or JSON."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from vsecc_sim.mcu import commands
from vsecc_sim.mcu.faults import FAULTS, check_target

Step = dict[str, Any]

_KEYS = {"at_s", "ev", "port", "ohm", "fault", "active", "value", "inputs"}
_ACTIONS = ("ev", "ohm", "fault", "inputs")
_LARGEST = 1e9  # seconds, ohms or whatever a fault is measured in


class ScenarioError(ValueError):
    """What is wrong with a scenario, with the place."""


def load_scenario(path: Path) -> list[Step]:
    """Steps sorted by `at_s`; ScenarioError names file and place, OSError as it comes."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return parse_scenario(data)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse_scenario(data: Any) -> list[Step]:
    """Steps of its table sorted by `at_s`; TOML has them as [[step]], JSON as {"step": [...]}."""
    steps = data.get("step") if isinstance(data, dict) else None
    if not isinstance(steps, list):
        raise ScenarioError("no list of steps named `step`")
    for number, step in enumerate(steps, 1):
        try:
            _check(step)
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"step {number}: {error}") from error
    return sorted(steps, key=lambda step: float(step["at_s"]))


def _check(step: Any) -> None:
    """ValueError names the first thing that is wrong."""
    if not isinstance(step, dict) or not _is_number(step.get("at_s")) or step["at_s"] < 0:
        raise ValueError("needs `at_s`, a number of seconds")
    unknown = sorted(set(step) - _KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}")
    if sum(action in step for action in _ACTIONS) != 1:
        raise ValueError(f"needs exactly one of {', '.join(_ACTIONS)}")
    _check_options(step)
    port = step.get("port", 1)
    if "fault" in step:
        _check_fault(step["fault"], port)
    elif port not in (1, 2):
        raise ValueError(f"no port {port}")
    if "ev" in step:
        commands.ev(port, state=step["ev"])
    if "inputs" in step:
        commands.inputs(step["inputs"])


def _check_options(step: Step) -> None:
    if type(step.get("port", 1)) is not int:
        raise ValueError(f"no port {step['port']!r}")
    if not isinstance(step.get("active", True), bool):
        raise ValueError("`active` is true or false")
    for name in ("ohm", "value"):
        if step.get(name) is not None and not _is_number(step[name]):
            raise ValueError(f"`{name}` is a number")


def _check_fault(name: Any, target: int) -> None:
    if not isinstance(name, str) or name not in FAULTS:
        raise ValueError(f"no fault {name}; there are {', '.join(sorted(FAULTS))}")
    check_target(name, target)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST
