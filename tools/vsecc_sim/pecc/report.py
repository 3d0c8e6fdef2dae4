"""What came out of a run: broken rules with their clauses and frames, state of the outlets; text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.rules import RULES, Weight


def state_of(points: Sequence[ChargePoint]) -> dict[str, Any]:
    """Body of GET /sim/state."""
    return {"charge_points": [_point_state(point) for point in points]}


def _point_state(point: ChargePoint) -> dict[str, Any]:
    stage = point.stage
    return {
        "charge_point": point.number,
        "linked": point.linked,
        "version": point.version.text if point.linked else None,
        "state": point.state.value,
        "supervision": point.supervised,
        "contactors_closed": stage.closed,
        "isolation": stage.isolation.value,
        "voltage_v": round(stage.voltage_v, 2),
        "current_a": round(stage.current_a, 2),
        "temperature_c": round(stage.temperature_c, 1),
        "faults": point.faults.names(),
        "told": dict(point.told),
        "broken_rules": sum(one.weight is Weight.RULE for one in point.conduct.findings),
    }


def report_of(points: Sequence[ChargePoint]) -> dict[str, Any]:
    """The report at the end; `ok` is the exit status."""
    return {
        "ok": all(point.conduct.verdict() for point in points),
        "charge_points": [
            {
                "charge_point": point.number,
                "messages": point.conduct.messages,
                "sessions": point.conduct.sessions,
                "worst_contactor_opening_a": round(point.stage.worst_opening_a, 1),
                "broken": {
                    name: count
                    for name, count in sorted(point.conduct.counts.items())
                    if RULES[name].weight is Weight.RULE
                },
                "advice": {
                    name: count
                    for name, count in sorted(point.conduct.counts.items())
                    if RULES[name].weight is Weight.ADVICE
                },
                "findings": [one.as_json(point.switched_on_at) for one in point.conduct.findings],
            }
            for point in points
        ],
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for point in report["charge_points"]:
        lines.append(
            f"charge point {point['charge_point']}: {point['messages']} messages, "
            f"{point['sessions']} sessions, "
            f"{sum(point['broken'].values())} broken rules, {sum(point['advice'].values())} pieces of advice"
        )
        seen: set[str] = set()
        for finding in point["findings"]:
            if finding["rule"] in seen:
                continue
            seen.add(finding["rule"])
            count = {**point["broken"], **point["advice"]}[finding["rule"]]
            lines.append(f"  {finding['weight']} {finding['rule']} ({count}x): {finding['says']}")
            lines.append(f"    {finding['clause']}; first at {finding['at_s']:.3f} s: {finding['found']}")
            lines += [f"    {frame}" for frame in finding["frames"]]
    lines.append("the SECC kept the rules" if report["ok"] else "the SECC broke rules")
    return "\n".join(lines)
