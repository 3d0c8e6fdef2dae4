"""Draws a trace as one SVG picture: phases, pilot, relay, voltage, current, and one flow hop by hop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from vsecc_host.runtime.trace import Frame, Hop, Record
from vsecc_host.station.commands import PowerTarget, PublishView
from vsecc_host.station.events import ChargeTargetRequested, CpStateChanged, PowerMeasured, RelayChanged
from vsecc_host.station.values import CpState, Phase

WIDTH = 1080
LEFT, RIGHT = 90, 60
PLOT_WIDTH = WIDTH - LEFT - RIGHT
BAND_TOP, BAND_HEIGHT, BAND_STEP = 60, 26, 38
CURVE_TOP, CURVE_HEIGHT = 190, 230
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


class _Canvas:
    def __init__(self, end_s: float) -> None:
        self.parts: list[str] = []
        self._scale = PLOT_WIDTH / max(end_s, 0.001)

    def x(self, at_s: float) -> float:
        return LEFT + at_s * self._scale

    def text(
        self, x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", fill: str = "#222"
    ) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">'
            f"{escape(text)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#ced4da") -> None:
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height}" fill="{colour}"/>'
        )

    def band(self, row: int, name: str, pieces: Sequence[tuple[float, str, str]], end_s: float) -> None:
        """One row of coloured stretches: (start_s, label, colour)."""
        top = BAND_TOP + row * BAND_STEP
        self.text(LEFT - 8, top + 17, name, anchor="end")
        for index, (start_s, label, colour) in enumerate(pieces):
            stop_s = pieces[index + 1][0] if index + 1 < len(pieces) else end_s
            x, width = self.x(start_s), self.x(stop_s) - self.x(start_s)
            self.box(x, top, width, BAND_HEIGHT, colour)
            size = 11 if width > 7 * len(label) + 6 else 9
            if width > 0.6 * size * len(label):
                self.text(x + width / 2, top + 17, label, anchor="middle", size=size)

    def curve(self, points: Sequence[tuple[float, float]], top_value: float, colour: str) -> None:
        """A line over the plot area; `top_value` is its upper edge."""
        path = " ".join(
            f"{self.x(at_s):.1f},{CURVE_TOP + CURVE_HEIGHT * (1 - value / top_value):.1f}"
            for at_s, value in points
        )
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')


def render_svg(records: Iterable[Record], evse_id: int = 1, title: str = "One charging session") -> str:
    """The trace of one EVSE as an SVG document."""
    story = read_story(records, evse_id)
    canvas = _Canvas(story.end_s)
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
    _curves(canvas, story)
    height = FLOW_TOP
    for name, flow in story.flows:
        height = _flow(canvas, name, flow, height)
    body = "\n".join(canvas.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _curves(canvas: _Canvas, story: Story) -> None:
    top_v = _nice_top(max((v for _, v, _ in story.curve), default=0.0))
    top_a = _nice_top(max((a for _, _, a in story.curve), default=0.0))
    bottom = CURVE_TOP + CURVE_HEIGHT
    for step in range(6):
        y = bottom - CURVE_HEIGHT * step / 5
        canvas.line(LEFT, y, LEFT + PLOT_WIDTH, y)
        canvas.text(LEFT - 8, y + 4, f"{top_v * step / 5:.0f}", anchor="end", size=11, fill="#1c7ed6")
        canvas.text(LEFT + PLOT_WIDTH + 8, y + 4, f"{top_a * step / 5:.0f}", size=11, fill="#d9480f")
    canvas.text(LEFT - 8, CURVE_TOP - 8, "V", anchor="end", fill="#1c7ed6")
    canvas.text(LEFT + PLOT_WIDTH + 8, CURVE_TOP - 8, "A", fill="#d9480f")
    canvas.curve([(at, v) for at, v, _ in story.curve], top_v, "#1c7ed6")
    canvas.curve([(at, a) for at, _, a in story.curve], top_a, "#d9480f")
    step_s = _nice_top(story.end_s / 12)
    for tick in range(int(story.end_s / step_s) + 1):
        canvas.text(canvas.x(tick * step_s), bottom + 18, f"{tick * step_s:g} s", anchor="middle", size=11)


def _nice_top(value: float) -> float:
    for top in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500):
        if value <= top:
            return float(top)
    return value


def _flow(canvas: _Canvas, name: str, flow: Sequence[Record], top: int) -> int:
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
