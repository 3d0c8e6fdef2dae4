"""Compares what happened with what a case expects; each demand gives one verdict with its measured figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vsecc_link import messages
from vsecc_sim.mcu.campaign.case import Case, Expectation
from vsecc_sim.mcu.campaign.stage import Stage
from vsecc_sim.mcu.trace import Entry

_STATUS = [field[0] for field in messages.CATALOGUE[messages.STATUS][3]]
_TELEMETRY = [field[0] for field in messages.CATALOGUE[messages.TELEMETRY][3]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One demand: what was asked, whether it was met, what was measured (ms or a count), its bound."""

    what: str
    ok: bool
    measured: float | None = None
    bound: float | None = None
    unit: str = "ms"
    detail: str = ""


def judge(case: Case, stage: Stage, end_us: int) -> list[Verdict]:
    """A verdict for each expectation, then one for the rules that hold in every case."""
    verdicts = [_JUDGES[one.kind](_Scene(case, stage, end_us), one) for one in case.expect]
    broken = stage.oracle.violations
    text = "; ".join(f"{(at - stage.t0_us) / 1000:.3f} ms {rule}: {what}" for at, rule, what in broken[:3])
    verdicts.append(Verdict("no rule broken", not broken, detail=text))
    return verdicts


class _Scene:
    """What a judge may look at."""

    def __init__(self, case: Case, stage: Stage, end_us: int) -> None:
        self.case, self.stage, self.end_us = case, stage, end_us
        self.board = stage.board

    def since(self, one: Expectation) -> int:
        return self.stage.t0_us + self.case.reference_us(one)

    def heard(self, message_id: int, since_us: int = -(1 << 62)) -> list[tuple[int, tuple[Any, ...]]]:
        return [
            (at, value) for at, value in self.stage.host.heard if value[0] == message_id and at >= since_us
        ]

    def newest(self, message_id: int, names: list[str]) -> dict[str, Any]:
        found = self.heard(message_id)
        return dict(zip(names, found[-1][1][1:], strict=True)) if found else {}


def _timed(what: str, at_us: int | None, since_us: int, one: Expectation) -> Verdict:
    """Something that must come within a bound, and not before another."""
    bound, early = one.options.get("within_ms"), one.options.get("not_before_ms", 0)
    if at_us is None:
        return Verdict(what, False, None, bound, detail="did not come")
    took = (at_us - since_us) / 1000
    return Verdict(what, early <= took and (bound is None or took <= bound), took, bound)


def _entry(scene: _Scene, one: Expectation) -> Verdict:
    since = scene.since(one)
    value = one.options.get("value")
    found = scene.board.trace.first_after(since, one.value, value)
    return _timed(f"{one.value} {value}", found.at_us if found else None, since, one)


def _never(scene: _Scene, one: Expectation) -> Verdict:
    since = scene.since(one)
    until = since + round(one.options["until_ms"] * 1000) if "until_ms" in one.options else scene.end_us
    found: Entry | None = None
    for entry in scene.board.trace.entries(one.value):
        wanted = one.options.get("value")
        if since <= entry.at_us <= until and (wanted is None or entry.value == wanted):
            found = entry
            break
    detail = f"came at {(found.at_us - scene.stage.t0_us) / 1000:.3f} ms" if found else ""
    return Verdict(f"no {one.value} {one.options.get('value', '')}".rstrip(), found is None, detail=detail)


def _fault(scene: _Scene, one: Expectation) -> Verdict:
    number = messages.FAULT_NAMES.index(one.value)
    port = one.options.get("port", scene.case.port)
    latched = one.options.get("latched", True)
    since = scene.since(one)
    times = [at for at, value in scene.heard(messages.FAULT, since) if value[2:] == (port, number, latched)]
    what = f"port {port} reports {one.value}" + ("" if latched else " cleared")
    return _timed(what, times[0] if times else None, since, one)


def _no_fault(scene: _Scene, one: Expectation) -> Verdict:
    port = one.options.get("port", scene.case.port)
    since = scene.since(one)
    names = [
        messages.FAULT_NAMES[value[3]]
        for _, value in scene.heard(messages.FAULT, since)
        if value[2] == port and value[4]
    ]
    return Verdict(f"port {port} reports no fault", not names, detail=", ".join(names))


def _device_fault(scene: _Scene, one: Expectation) -> Verdict:
    number = messages.DEVICE_FAULT_NAMES.index(one.value)
    since = scene.since(one)
    times = [at for at, value in scene.heard(messages.DEVICE_FAULT, since) if value[2:] == (number, True)]
    return _timed(f"device reports {one.value}", times[0] if times else None, since, one)


def _reason(scene: _Scene, one: Expectation) -> Verdict:
    number = messages.OPEN_NAMES.index(one.value)
    relay = one.options.get("port", scene.case.port)
    since = scene.since(one)
    times = [
        at
        for at, value in scene.heard(messages.RELAY_STATE, since)
        if value[2] == relay and value[4] == number
    ]
    return _timed(f"relay {relay} open: {one.value}", times[0] if times else None, since, one)


def _final(scene: _Scene, one: Expectation) -> Verdict:
    board, status = scene.board, scene.newest(messages.STATUS, _STATUS)
    wrong = []
    for name, wanted in one.value.items():
        seen: Any
        if name.startswith("relay"):
            seen = board.relays[int(name[5])].driven
        elif name.startswith("duty"):
            seen = board.ports[int(name[4])].duty_permille
        elif name.startswith("faults"):
            bits = status.get(f"cp{name[6]}_faults", 0)
            seen = [text for bit, text in enumerate(messages.FAULT_NAMES) if bits >> bit & 1]
        elif name.startswith("cp"):
            seen = messages.CP_NAMES[status.get(f"cp{name[2]}_state", 0)]
        elif name == "up":
            seen = scene.stage.host.link.up
        elif name == "outputs":
            seen = board.terminals.digital_outputs
        else:
            seen = board.locks[int(name[4])].locked
        if seen != wanted:
            wrong.append(f"{name} is {seen}")
    what = ", ".join(f"{name} {wanted}" for name, wanted in one.value.items())
    return Verdict("at the end " + what, not wrong, detail=", ".join(wrong))


def _counter(scene: _Scene, one: Expectation) -> Verdict:
    values = [dict(zip(_TELEMETRY, value[1:], strict=True)) for _, value in scene.heard(messages.TELEMETRY)]
    before = [value for at, value in scene.heard(messages.TELEMETRY) if at <= scene.stage.t0_us]
    first = dict(zip(_TELEMETRY, before[-1][1:], strict=True)).get(one.value, 0) if before else 0
    grown = (values[-1][one.value] - first) & 0xFFFF if values else 0
    least, most = one.options.get("at_least", 0), one.options.get("at_most", 0xFFFF)
    return Verdict(f"{one.value} grows", bool(values) and least <= grown <= most, grown, least, "")


def _refused(scene: _Scene, one: Expectation) -> Verdict:
    number = next(number for number, row in messages.CATALOGUE.items() if row[0] == one.value)
    count = sum(1 for _, value in scene.heard(messages.REFUSED) if value[1] == number)
    least = one.options.get("at_least", 1)
    return Verdict(f"{one.value} is refused", count >= least, count, least, "")


def _sessions(scene: _Scene, one: Expectation) -> Verdict:
    seen = scene.stage.host.sessions
    return Verdict(f"{one.value} sessions of this host", seen == one.value, seen, one.value, "")


def _foreign(scene: _Scene, one: Expectation) -> Verdict:
    said = [text for text in scene.stage.host.foreign if one.value in text]
    return Verdict(
        f"refused by name: {one.value}", bool(said), detail="; ".join(scene.stage.host.foreign[:2])
    )


def _reset_cause(scene: _Scene, one: Expectation) -> Verdict:
    hello = scene.stage.host.hello
    seen = messages.RESET_NAMES[hello[9]] if hello else "no hello"
    return Verdict(f"says it was reset by {one.value}", seen == one.value, detail=seen)


_JUDGES: dict[str, Callable[[_Scene, Expectation], Verdict]] = {
    "entry": _entry,
    "never": _never,
    "fault": _fault,
    "no_fault": _no_fault,
    "device_fault": _device_fault,
    "reason": _reason,
    "final": _final,
    "counter": _counter,
    "refused": _refused,
    "sessions": _sessions,
    "foreign": _foreign,
    "reset_cause": _reset_cause,
}
