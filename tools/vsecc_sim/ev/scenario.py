"""Scenario files: a profile, changes to it, a battery's start, and what goes wrong when."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsecc_sim.ev.misbehave import MAX_NUMBER, Act, parse_acts
from vsecc_sim.ev.profiles import Profile, ProfileError, load_profile

_KEYS: dict[str, type | tuple[type, ...]] = {
    "profile": str,
    "protocol": str,
    "tls": str,
    "changes": dict,
    "soc_percent": (int, float),
    "target_soc_percent": (int, float),
    "capacity_wh": (int, float),
    "stop_after_s": (int, float),
    "unplug_after_s": (int, float),
    "pause_after_s": (int, float),
    "resume_after_s": (int, float),
    "renegotiate_after_s": (int, float),
    "misbehave": list,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One plug-in as data; times count from the start of the run."""

    profile: Profile
    protocol: str | None = None  # instead of what the profile offers
    tls: str | None = None  # instead of what the profile asks for
    soc_percent: float = 50.0
    target_soc_percent: float | None = None
    capacity_wh: float | None = None  # a smaller battery makes a shorter session
    stop_after_s: float | None = None
    unplug_after_s: float | None = None
    pause_after_s: float | None = None
    resume_after_s: float | None = None
    renegotiate_after_s: float | None = None
    misbehave: tuple[Act, ...] = ()


def load_scenario(path: str | Path, profile: str | None = None) -> Scenario:
    """Scenario from a TOML file, `profile` over the one it names; ProfileError, OSError."""
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: {error}") from None
    return parse_scenario(table, profile)


def parse_scenario(table: Mapping[str, Any], profile: str | None = None) -> Scenario:
    """Scenario from its table; ProfileError names what does not belong there."""
    values = dict(table)
    for key, value in values.items():
        if key not in _KEYS or isinstance(value, bool) or not isinstance(value, _KEYS[key]):
            raise ProfileError(f"scenario: {key} = {value!r}: known are {', '.join(_KEYS)}")
        if isinstance(value, (int, float)) and not 0 <= value <= MAX_NUMBER:
            raise ProfileError(f"scenario: {key} = {value!r}: not from 0 to {MAX_NUMBER:g}")
    name = profile or values.pop("profile", "default")
    values.pop("profile", None)
    chosen = load_profile(name, values.pop("changes", {}))
    acts = parse_acts(values.pop("misbehave", []))
    return Scenario(profile=chosen, misbehave=acts, **values)
