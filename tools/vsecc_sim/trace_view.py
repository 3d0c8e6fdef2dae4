"""Draws a trace as one SVG picture: phases, pilot, relay, voltage, current, and one flow hop by hop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from vsecc_host.runtime.trace import Frame, Hop, Record
from vsecc_host.station.commands import PowerTarget, PublishView
from vsecc_host.station.events import ChargeTargetRequested, CpStateChanged, PowerMeasured, RelayChanged
from vsecc_host.station.values import CpState, Phase
from vsecc_sim.canvas import LEFT, Canvas

FLOW_TOP = 510
FLOW_STEP = 26
FLOW_ROWS = 16
LINE_LENGTH = 130  # characters that fit behind the hop

PHASE_COLOURS = {
    Phase.CONNECTED: "#cfd8dc",
    Phase.SETUP: "#b3d4fc",
    Phase.CABLE_CHECK: "#ffe08a",
    Phase.PRE_CHARGE: "#ffc078",
    Phase.CHARGING: "#8ce99a",
    Phase.STOPPING: "#ffd8a8",
    Phase.FINISHED: "#e9ecef",
    Phase.FAULTED: "#ff8787",
}
CP_COLOURS = {"A": "#e9ecef", "B": "#a5d8ff", "C": "#69db7c", "D": "#38d9a9", "E": "#ff8787", "F": "#ff8787"}


@dataclass(slots=True)
class Story:
    """What the picture shows of one EVSE; times are seconds since the first record."""

    phases: list[tuple[float, Phase]] = field(default_factory=list)
    pilot: list[tuple[float, str]] = field(default_factory=list)
    relay: list[tuple[float, bool]] = field(default_factory=list)
    curve: list[tuple[float, float, float]] = field(default_factory=list)
    flows: list[tuple[str, list[Record]]] = field(default_factory=list)
    end_s: float = 0.0


def read_story(records: Iterable[Record], evse_id: int) -> Story:
    """Pick what concerns this EVSE out of a trace."""
    kept = list(records)
    story = Story()
    if not kept:
        return story
    zero_s = kept[0].at
    story.end_s = kept[-1].at - zero_s
    for record in kept:
        if isinstance(record, Hop) and getattr(record.what, "evse_id", None) == evse_id:
            _note(story, record.what, record.at - zero_s)
    plugged = _flow_of(
        kept,
        lambda what: isinstance(what, CpStateChanged) and what.evse_id == evse_id and what.state is CpState.B,
        first=True,
    )
    asked = _flow_of(kept, lambda what: isinstance(what, ChargeTargetRequested) and what.evse_id == evse_id)
    story.flows = [("A plug goes in", plugged), ("The car asks for current", asked)]
    return story


def _note(story: Story, what: object, at_s: float) -> None:
    if isinstance(what, PublishView):
        if not story.phases or story.phases[-1][1] != what.view.phase:
            story.phases.append((at_s, what.view.phase))
    elif isinstance(what, CpStateChanged):
        story.pilot.append((at_s, what.state.name))
    elif isinstance(what, RelayChanged):
        story.relay.append((at_s, what.closed))
    elif isinstance(what, PowerMeasured):
        story.curve.append((at_s, what.snapshot.voltage_v, what.snapshot.current_a))


def _flow_of(
    records: Sequence[Record], wanted: Callable[[object], bool], *, first: bool = False
) -> list[Record]:
    """All hops of the first, or else the middle, cause that leads to something wanted."""
    causes = [record.cause for record in records if isinstance(record, Hop) and wanted(record.what)]
    if not causes:
        return []
    cause = causes[0 if first else len(causes) // 2]
    return [record for record in records if record.cause == cause]


def render_svg(records: Iterable[Record], evse_id: int = 1, title: str = "One charging session") -> str:
    """The trace of one EVSE as an SVG document."""
    story = read_story(records, evse_id)
    canvas = Canvas(story.end_s)
    canvas.text(LEFT, 30, title, size=18)
    canvas.band(
        0,
        "phase",
        [(at, phase.value, PHASE_COLOURS.get(phase, "#fff")) for at, phase in story.phases],
        story.end_s,
    )
    canvas.band(
        1, "pilot", [(at, name, CP_COLOURS.get(name, "#fff")) for at, name in story.pilot], story.end_s
    )
    relay = [
        (at, "closed" if closed else "open", "#69db7c" if closed else "#f1f3f5") for at, closed in story.relay
    ]
    canvas.band(2, "safety relay", relay, story.end_s)
    canvas.axes(story.end_s, [v for _, v, _ in story.curve], [a for _, _, a in story.curve])
    canvas.curve([(at, v) for at, v, _ in story.curve])
    canvas.curve([(at, a) for at, _, a in story.curve], right=True)
    height = FLOW_TOP
    for name, flow in story.flows:
        height = _flow(canvas, name, flow, height)
    return canvas.document(height)


def _flow(canvas: Canvas, name: str, flow: Sequence[Record], top: int) -> int:
    """The hops of one cause id as rows below `top`; returns where the next flow may begin."""
    shown = [
        record for record in flow if not (isinstance(record, Hop) and isinstance(record.what, PublishView))
    ][:FLOW_ROWS]
    if not shown:
        return top
    canvas.text(LEFT, top - 14, f"{name}: every hop of cause {shown[0].cause}", size=15)
    zero_s = shown[0].at
    for row, record in enumerate(shown):
        y = top + row * FLOW_STEP
        canvas.box(LEFT, y, 4, FLOW_STEP - 6, "#1c7ed6" if isinstance(record, Frame) else "#2f9e44")
        canvas.text(LEFT - 8, y + 13, f"{(record.at - zero_s) * 1e6:.0f} us", anchor="end", size=11)
        canvas.text(LEFT + 14, y + 13, _describe(record), size=12)
    return top + len(shown) * FLOW_STEP + 50


def _describe(record: Record) -> str:
    if isinstance(record, Frame):
        return f"{record.layer} {record.direction}, {len(record.raw)} bytes: {record.raw[:40].hex()}"
    if isinstance(record.what, (ChargeTargetRequested, PowerTarget)):
        what = record.what
        return f"{record.layer}: {type(what).__name__} {what.voltage_v:.1f} V, {what.current_a:.1f} A"
    details = repr(record.what).partition("(")[2].rstrip(")")
    return f"{record.layer}: {type(record.what).__name__} {details}"[:LINE_LENGTH]
