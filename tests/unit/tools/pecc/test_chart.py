"""The picture of a run shows its states, its curves and its targets."""

from __future__ import annotations

from xml.etree import ElementTree

from unit.tools.pecc.rig import Rig

from vsecc_sim.pecc.chart import _held, render_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_a_session_as_a_picture():
    rig = Rig().connect()
    rig.charge(100)
    rig.stop()
    rig.point.disconnected(rig.now)
    root = ElementTree.fromstring(render_svg(rig.point, "a <title>"))
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"a <title>", "cableCheck", "closed", "connected", "charge", "500", "100"} <= set(words)
    curves = [element.attrib["points"].split() for element in root.iter(f"{SVG}polyline")]
    assert len(curves) == 4
    targets, measured = curves[:2], curves[2:]
    assert all(len(points) == len(rig.point.samples) for points in measured)
    assert all(len(points) > len(rig.point.samples) for points in targets)  # steps


def test_nothing_happened_yet():
    ElementTree.fromstring(render_svg(Rig().point))


def test_samples_are_bounded():
    assert Rig().point.samples.maxlen == 100_000


def test_a_target_is_drawn_as_a_step_where_it_changes() -> None:
    assert _held([(0.0, 0.0), (5.0, 0.0), (6.0, 400.0), (9.0, 0.0)]) == [
        (0.0, 0.0), (5.0, 0.0), (6.0, 0.0), (6.0, 400.0), (9.0, 400.0), (9.0, 0.0),
    ]  # fmt: skip
    assert _held([]) == []
