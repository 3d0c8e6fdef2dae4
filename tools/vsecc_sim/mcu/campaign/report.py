"""Results as a table for a person, as JSON for a program, and as the page of the docs."""

from __future__ import annotations

from typing import Any

from vsecc_sim.mcu.campaign.case import Case
from vsecc_sim.mcu.campaign.judge import Verdict
from vsecc_sim.mcu.campaign.run import Result

_HEAD = """\
# Fault campaign

Every case is data in `tests/campaign/*.toml`: where it starts, what happens when, what must follow within
which bound. `vsecc mcu campaign` runs them with the program of `mcu/` in exact virtual time; a case that
fails prints its timeline. Besides its own demands each case is watched by an observer that knows the car and
the hosts and nothing of the program (`tools/vsecc_sim/mcu/campaign/oracle.py`): a driven relay has a car in C
or D and a live grant behind it, and no output shows what nobody asked for.

`sim` is the program over `hal/sim.py`, `pico` over `hal/pico.py` on the emulated chip (PIO, converter ring,
watchdog); `M` marks the cases that CI runs on a real MicroPython too. Times count from the stimulus named in
the case, in milliseconds of emulated time: measured / bound. This page is generated:
`vsecc mcu campaign --long --write`.
"""


def row(result: Result) -> dict[str, Any]:
    """One result as plain data."""
    return {
        "id": result.case.id,
        "group": result.case.group,
        "title": result.case.title,
        "rules": list(result.case.rules),
        "chip": result.chip,
        "ok": result.ok,
        "took_s": round(result.took_s, 3),
        "checks": result.checks,
        "verdicts": [
            {
                "what": one.what,
                "ok": one.ok,
                "measured": one.measured,
                "bound": one.bound,
                "unit": one.unit,
                "detail": one.detail,
            }
            for one in result.verdicts
        ],
    }


def figure(one: Verdict) -> str:
    """`4.100 / 10 ms`, or what stands in for it."""
    if one.measured is None:
        return "" if one.bound is None else f"- / {one.bound:g}"
    if one.unit == "ms":
        return f"{one.measured:.3f}" + (f" / {one.bound:g}" if one.bound is not None else "")
    return f"{one.measured:g}" + (f" (at least {one.bound:g})" if one.bound else "")


def lines(result: Result, *, verbose: bool = False) -> list[str]:
    """A line for the case, and one for each demand that was not met (or for all)."""
    rules = ",".join(result.case.rules)
    out = [
        f"{'ok  ' if result.ok else 'FAIL'} {result.case.id:<36} {rules:<9} {main_figures(result):<22} "
        f"{result.case.title}"
    ]
    for one in result.verdicts:
        if verbose or not one.ok:
            text = f"       {'ok  ' if one.ok else 'FAIL'} {one.what} {figure(one)}".rstrip()
            out.append(f"{text}  {one.detail}" if one.detail else text)
    return out


def main_figures(result: Result) -> str:
    """The figure nearest to its bound."""
    timed = [one for one in result.verdicts if one.measured is not None and one.bound and one.unit == "ms"]
    if not timed:
        return ""
    return figure(max(timed, key=lambda one: (one.measured or 0) / (one.bound or 1)))


def page(every: list[Case], results: list[Result], before: str) -> str:
    """docs/fault-campaign.md; a case that was not run now keeps the row it had before."""
    rows = {line.split("`")[1]: line for line in before.splitlines() if line.startswith("| `")}
    rows |= {result.case.id: _row(result) for result in results}
    marked = sum(case.micropython for case in every)
    out = [_HEAD, f"{len(every)} cases, {marked} of them on MicroPython."]
    group = ""
    for case in every:
        if case.group != group:
            group = case.group
            out += ["", f"## {group}", ""]
            out += ["| Case | Rules | On | What | Demands and figures |", "|---|---|---|---|---|"]
        out.append(rows.get(case.id, f"| `{case.id}` | not run | | {case.title} | |"))
    return "\n".join(out) + "\n"


def _row(result: Result) -> str:
    case = result.case
    chip = case.chip + (" M" if case.micropython else "")
    demands = "; ".join(_demand(one) for one in result.verdicts if one.what != "no rule broken")
    return f"| `{case.id}` | {' '.join(case.rules)} | {chip} | {case.title} | {demands} |"


def _demand(one: Verdict) -> str:
    text = f"{one.what} {figure(one)}".strip()
    return text if one.ok else f"**not met:** {text}"
