"""Misbehaviour on demand, as data: what a scenario makes the car do wrong, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.values import Intent, Step, Wrong


class Do(StrEnum):
    """Kinds of misbehaviour."""

    STALL = "stall"  # say nothing for `for_s`, for good without it
    SKIP = "skip"  # go to step `to` instead
    WRONG_SESSION_ID = "wrong_session_id"
    WRONG_SCHEDULE = "wrong_schedule"  # a schedule nobody offered (ISO 15118-2)
    WRONG = "wrong"  # one request that says `what` it must not
    BEYOND = "beyond"  # from here on ask for `current_a`, `voltage_v` or `power_w`, whatever the limits
    GARBAGE = "garbage"  # send `hex` instead of the request, by default a frame of nonsense EXI
    TWICE = "twice"  # send the request two times at once
    DISCONNECT = "disconnect"  # close TCP, by RST when `reset`
    ONE_BYTE = "one_byte"  # from here on one byte every `interval_s`
    NEVER_READ = "never_read"  # from here on leave the answers in the socket


MAX_NUMBER = 1e9  # s, A, V or W: whatever a car may claim
GARBAGE_FRAME = "01fe80010000000880ffffffffffffff"  # V2GTP header, EXI header, a root that does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Misbehave at the `nth` request of step `at`."""

    at: Step
    do: Do
    nth: int = 1
    for_s: float | None = None
    to: Step | None = None
    hex: str = GARBAGE_FRAME
    reset: bool = False
    interval_s: float = 0.01
    current_a: float | None = None
    voltage_v: float | None = None
    power_w: float | None = None
    what: Wrong | None = None


class Script:
    """Acts of one session; each is handed out once."""

    def __init__(self, acts: Iterable[Act] = ()) -> None:
        self._acts = list(acts)

    def add(self, act: Act) -> None:
        """One more, while the session runs."""
        self._acts.append(act)

    def due(self, step: Step, nth: int) -> list[Act]:
        """Acts for the `nth` request of `step`."""
        due = [act for act in self._acts if act.at is step and act.nth == nth]
        self._acts = [act for act in self._acts if act not in due]
        return due


def falsify(intent: Intent, act: Act) -> Intent:
    """What one request says wrongly."""
    if act.do is Do.WRONG_SESSION_ID:
        return intent._replace(session_id=bytes(byte ^ 0xFF for byte in intent.session_id))
    if act.do is Do.WRONG_SCHEDULE:
        return intent._replace(schedule_id=intent.schedule_id % 255 + 1)
    if act.do is Do.WRONG:
        return intent._replace(wrong=act.what)
    return intent


def exceed(intent: Intent, act: Act) -> Intent:
    """Targets as the scenario wants them; a car that wants no current keeps that wish."""
    if act.voltage_v is not None and intent.target_voltage_v > 0:
        intent = intent._replace(target_voltage_v=act.voltage_v)
    current_a = act.current_a
    if act.power_w is not None:
        intent = intent._replace(plan=tuple((start_s, act.power_w) for start_s, _ in intent.plan))
        current_a = act.power_w / max(1.0, intent.target_voltage_v)
    if current_a is not None and intent.target_current_a > 0:
        intent = intent._replace(target_current_a=current_a)
    return intent


def _flag(value: object) -> bool:
    """A truth value of a table or of a command line."""
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError(f"{value!r} is neither true nor false")
    return words[str(value).lower()]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no number")
    number = float(value)
    if not abs(number) <= MAX_NUMBER:
        raise ValueError(f"{value!r} is too large")
    return number


def _count(value: object) -> int:
    number = _number(value)
    if number != int(number) or number < 1:
        raise ValueError(f"{value!r} is no count from 1 on")
    return int(number)


_CONVERT: dict[str, Callable[[Any], object]] = {
    "at": Step,
    "do": Do,
    "to": Step,
    "what": Wrong,
    "nth": _count,
    "hex": str,
    "reset": _flag,
    **dict.fromkeys(("for_s", "interval_s", "current_a", "voltage_v", "power_w"), _number),
}


def parse_acts(entries: Iterable[Mapping[str, Any]]) -> tuple[Act, ...]:
    """Acts from the `[[misbehave]]` tables of a scenario; ProfileError names what is wrong."""
    return tuple(parse_act(entry, f"misbehave {number}") for number, entry in enumerate(entries, 1))


def parse_act(entry: Mapping[str, Any], where: str = "misbehave") -> Act:
    """One act from a table; ProfileError names what is wrong in `where`."""
    if not isinstance(entry, Mapping):
        raise ProfileError(f"{where}: must be a table")
    values = dict(entry)
    try:
        for key, convert in _CONVERT.items():
            if key in values:
                values[key] = convert(values[key])
        act = Act(**values)
        bytes.fromhex(act.hex)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProfileError(f"{where}: {error}") from None
    if act.do is Do.SKIP and act.to is None:
        raise ProfileError(f"{where}: skip needs to")
    if act.do is Do.WRONG and act.what is None:
        raise ProfileError(f"{where}: wrong needs what: {', '.join(Wrong)}")
    if act.do is Do.BEYOND and act.current_a is act.voltage_v is act.power_w is None:
        raise ProfileError(f"{where}: beyond needs current_a, voltage_v or power_w")
    return act


def read_act(text: str) -> Act:
    """One act as written on a command line, `STEP:DO[,KEY=VALUE...]`; ProfileError."""
    where = f"misbehave {text!r}"
    begin, *settings = text.split(",")
    step, colon, do = begin.partition(":")
    if not colon or not all("=" in setting for setting in settings):
        raise ProfileError(f"{where}: expected STEP:DO or STEP:DO,KEY=VALUE,...")
    given = {key: value for key, _, value in (setting.partition("=") for setting in settings)}
    return parse_act({"at": step, "do": do, **given}, where)
