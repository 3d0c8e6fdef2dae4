"""A charge point's run as a picture: states, contactors, link, voltage and current with their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from vsecc_sim.canvas import CURVE_HEIGHT, CURVE_TOP, Canvas
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.states import PeccState
from vsecc_sim.pecc.values import Sample

COLOURS = {
    PeccState.STANDBY: "#e9ecef",
    PeccState.CABLE_CHECK: "#ffe08a",
    PeccState.PRE_CHARGE: "#ffc078",
    PeccState.CHARGE: "#8ce99a",
    PeccState.POST_CHARGE: "#ffd8a8",
    PeccState.TRANSITION: "#d0bfff",
    PeccState.INOPERATIVE: "#ff8787",
}
HEIGHT = CURVE_TOP + CURVE_HEIGHT + 50
Piece = tuple[float, str, str]


def render_svg(point: ChargePoint, title: str = "") -> str:
    """The samples of a charge point as an SVG document; dashed lines are targets."""
    samples = list(point.samples)
    zero_s = samples[0].at if samples else 0.0
    end_s = samples[-1].at - zero_s if samples else 0.0
    canvas = Canvas(end_s)
    canvas.text(90, 30, title or f"Charge point {point.number}", size=18)
    bands: tuple[tuple[str, Callable[[Sample], tuple[str, str]]], ...] = (
        ("state", lambda one: (one.state.value, COLOURS[one.state])),
        ("contactors", lambda one: ("closed", "#69db7c") if one.closed else ("open", "#f1f3f5")),
        ("SECC", lambda one: ("connected", "#a5d8ff") if one.linked else ("gone", "#ff8787")),
    )
    for row, (name, look) in enumerate(bands):
        canvas.band(row, name, _pieces(samples, zero_s, look), end_s)
    volts = [max(one.voltage_v, one.target_v) for one in samples]
    amperes = [max(one.current_a, one.target_a) for one in samples]
    canvas.axes(end_s, volts, amperes)
    canvas.curve(_held([(one.at - zero_s, one.target_v) for one in samples]), dashed=True)
    canvas.curve(_held([(one.at - zero_s, one.target_a) for one in samples]), right=True, dashed=True)
    canvas.curve([(one.at - zero_s, one.voltage_v) for one in samples])
    canvas.curve([(one.at - zero_s, one.current_a) for one in samples], right=True)
    return canvas.document(HEIGHT)


def _held(targets: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A target holds until the next one: steps instead of slopes between samples that lie apart."""
    held = list(targets[:1])
    for (_, before), (at_s, target) in pairwise(targets):
        if target != before:
            held.append((at_s, before))
        held.append((at_s, target))
    return held


def _pieces(
    samples: Sequence[Sample], zero_s: float, look: Callable[[Sample], tuple[str, str]]
) -> list[Piece]:
    pieces: list[Piece] = []
    for one in samples:
        label, colour = look(one)
        if not pieces or pieces[-1][1] != label:
            pieces.append((one.at - zero_s, label, colour))
    return pieces
