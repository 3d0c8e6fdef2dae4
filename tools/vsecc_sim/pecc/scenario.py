"""Scenario files: a charge point's ratings and manners, its load, and what happens when. TOML or JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from vsecc_host.pep.messages import Kind
from vsecc_host.pep.versions import version_of
from vsecc_host.power.config import PowerConfig
from vsecc_sim.pecc.config import Discharge, PeccConfig, PeccManners
from vsecc_sim.pecc.faults import Fault, UnknownFault
from vsecc_sim.pecc.states import PeccState

LOADS = ("ideal", "resistor", "battery")
SUPERVISION = ("closed", "open", "ev-state")
LIMITS = ("min_voltage_v", "max_voltage_v", "min_current_a", "max_current_a", "max_power_w")
REQUESTS = {kind.value: kind for kind in (Kind.GET_INPUT, Kind.SET_OUTPUT, Kind.STOP_CHARGING)}
_TABLES = ("power", "manners", "discharge", "load", "supervision", "step", "name")
_ACTIONS = ("fault", "limits", "supervision", "request")
_STEP_KEYS = (
    "at_s", "at_state", "after_s", "for_s", "charge_point", "fault", "active", "value", "limits",
    "supervision", "request", "payload",
)  # fmt: skip


class ScenarioError(ValueError):
    """What is wrong with a scenario, with the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadData:
    """What hangs at the outlet where no simulated car is wired to it."""

    kind: str = "ideal"  # or resistor, battery
    resistance_ohm: float = 10.0  # resistor
    profile: str = "default"  # battery: of which car
    soc_percent: float = 30.0
    capacity_wh: float = 0.0  # 0: as the profile has it


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStep:
    """Something that happens at a time, or when a charge point enters a state."""

    at_s: float | None = None  # from the start of the run
    at_state: PeccState | None = None
    after_s: float = 0.0  # later than the state
    for_s: float | None = None  # then the fault is healed
    charge_point: int | None = None  # None: each
    fault: Fault | None = None
    limits: Mapping[str, float] | None = None
    supervision: bool | None = None
    request: Kind | None = None
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run of the simulator as data."""

    name: str = ""
    config: PeccConfig = field(default_factory=PeccConfig)
    load: LoadData = LoadData()
    supervision: str = "closed"
    steps: tuple[ScenarioStep, ...] = ()


def load_scenario(path: Path) -> Scenario:
    """Scenario of a file; ScenarioError names file and place, OSError as it comes."""
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return parse_scenario(table)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse_scenario(table: Any) -> Scenario:
    """Scenario of its table; ScenarioError for what does not belong there."""
    if not isinstance(table, dict):
        raise ScenarioError("must be a table")
    _known("scenario", table, _TABLES)
    config = PeccConfig(
        power=_filled(PowerConfig(), "power", table.get("power", {})),
        manners=_filled(PeccManners(), "manners", table.get("manners", {})),
        discharge=_filled(Discharge(), "discharge", table["discharge"]) if "discharge" in table else None,
    )
    _check(config)
    supervision = table.get("supervision", "closed")
    if supervision not in SUPERVISION:
        raise ScenarioError(f"supervision: {supervision!r} is not one of {', '.join(SUPERVISION)}")
    name = table.get("name", "")
    if not isinstance(name, str):
        raise ScenarioError("name must be a string")
    return Scenario(
        name=name,
        config=config,
        load=_load(table.get("load", {})),
        supervision=supervision,
        steps=_steps(table.get("step", [])),
    )


def _known(where: str, table: Mapping[str, Any], names: Any) -> None:
    unknown = sorted(set(table) - set(names))
    if unknown:
        raise ScenarioError(f"{where}: unknown {', '.join(unknown)}; there are {', '.join(names)}")


def _filled(default: Any, where: str, table: Any) -> Any:
    """The dataclass with the values of the table, each of the declared type."""
    if not isinstance(table, dict):
        raise ScenarioError(f"{where} must be a table")
    hints = get_type_hints(type(default))
    _known(where, table, [one.name for one in fields(default)])
    values = {name: _typed(f"{where}.{name}", hints[name], value) for name, value in table.items()}
    return replace(default, **values)


def _typed(where: str, kind: Any, value: Any) -> Any:
    if kind is float:
        return _number(where, value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if kind not in (int, bool, str) and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    wanted = kind.__name__ if kind in (int, bool, str) else "list of strings"
    raise ScenarioError(f"{where}: {value!r} is no {wanted}")


def _number(where: str, value: Any, low: float = -1e9) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1e9:
        raise ScenarioError(f"{where}: {value!r} is no number{' of at least 0' if low == 0 else ''}")
    return float(value)


def _check(config: PeccConfig) -> None:
    power = config.power
    for one in fields(power):
        value = getattr(power, one.name)
        if value < 0 and not one.name.endswith("_c"):
            raise ScenarioError(f"power.{one.name}: {value:g} is negative")
    if power.min_voltage_v > power.max_voltage_v or power.min_current_a > power.max_current_a:
        raise ScenarioError("power: a minimum is above its maximum")
    if power.step_s <= 0 or power.status_period_s <= 0 or config.manners.status_period_s <= 0:
        raise ScenarioError("power, manners: periods must be above 0")
    try:
        for text in config.manners.versions:
            version_of(text)
    except ValueError as error:
        raise ScenarioError(f"manners.versions: {error}") from error
    discharge = config.discharge
    if discharge is not None and any(getattr(discharge, one.name) > 0 for one in fields(discharge)):
        raise ScenarioError("discharge: numbers are zero or negative")


def _load(table: Any) -> LoadData:
    load: LoadData = _filled(LoadData(), "load", table)
    if load.kind not in LOADS:
        raise ScenarioError(f"load.kind: {load.kind!r} is not one of {', '.join(LOADS)}")
    if load.resistance_ohm <= 0:
        raise ScenarioError("load.resistance_ohm must be above 0")
    return load


def _steps(steps: Any) -> tuple[ScenarioStep, ...]:
    if not isinstance(steps, list):
        raise ScenarioError("step must be a list of tables")
    return tuple(_step(f"step {number}", step) for number, step in enumerate(steps, 1))


def _step(where: str, step: Any) -> ScenarioStep:
    if not isinstance(step, dict):
        raise ScenarioError(f"{where} must be a table")
    _known(where, step, _STEP_KEYS)
    if ("at_s" in step) == ("at_state" in step):
        raise ScenarioError(f"{where}: needs at_s or at_state")
    if sum(action in step for action in _ACTIONS) != 1:
        raise ScenarioError(f"{where}: needs exactly one of {', '.join(_ACTIONS)}")
    times = {
        name: _number(f"{where}.{name}", step[name], 0.0)
        for name in ("at_s", "after_s", "for_s")
        if name in step
    }
    point = step.get("charge_point")
    if point is not None and (isinstance(point, bool) or not isinstance(point, int) or point < 1):
        raise ScenarioError(f"{where}: charge_point counts from 1")
    return ScenarioStep(
        **times,
        at_state=_state(where, step["at_state"]) if "at_state" in step else None,
        charge_point=point,
        fault=_fault(where, step) if "fault" in step else None,
        limits=_limits(where, step["limits"]) if "limits" in step else None,
        supervision=_typed(f"{where}.supervision", bool, step["supervision"])
        if "supervision" in step
        else None,
        request=_request(where, step["request"]) if "request" in step else None,
        payload=step.get("payload"),
    )


def _state(where: str, name: Any) -> PeccState:
    try:
        return PeccState(name)
    except ValueError:
        raise ScenarioError(f"{where}: no state {name!r}; there are {', '.join(PeccState)}") from None


def _fault(where: str, step: Mapping[str, Any]) -> Fault:
    active = _typed(f"{where}.active", bool, step.get("active", True))
    value = _number(f"{where}.value", step["value"]) if "value" in step else None
    try:
        return Fault(str(step["fault"]), active, value)
    except UnknownFault as error:
        raise ScenarioError(f"{where}: {error}") from error


def _limits(where: str, table: Any) -> Mapping[str, float]:
    if not isinstance(table, dict) or not table:
        raise ScenarioError(f"{where}: limits must be a table")
    _known(f"{where}.limits", table, LIMITS)
    return {name: _number(f"{where}.limits.{name}", value, 0.0) for name, value in table.items()}


def _request(where: str, name: Any) -> Kind:
    if name not in REQUESTS:
        raise ScenarioError(f"{where}: no request {name!r}; there are {', '.join(REQUESTS)}")
    return REQUESTS[name]
