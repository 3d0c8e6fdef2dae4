"""`vsecc bench trip` in small: it measures, it can fail, it draws."""

import json

import pytest

from vsecc_bench import trip
from vsecc_bench.histogram import histogram_svg
from vsecc_cli.main import main


def test_every_way_to_leave_c_is_measured_and_bounded():
    values = list(trip.sweep(trip.WAYS[0], 500, None))
    assert len(values) == 2 * 2 * len(trip.LETTERS)  # both phases, both ports
    assert all(2.0 < value <= 3.5 for value in values), values


def test_a_longer_collection_than_allowed_is_seen(monkeypatch):
    monkeypatch.setattr(trip, "COLLECT_US", 8000)
    monkeypatch.setattr(trip, "LETTERS", ("B",))
    monkeypatch.setattr(trip, "PLACES", (0, 1))
    assert max(trip.sweep(trip.WAYS[2], 200, None)) > trip.LIMIT_MS


def test_command_writes_figures_and_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trip, "WAYS", trip.WAYS[:1])
    monkeypatch.setattr(trip, "LETTERS", ("A", "B"))
    assert (
        main(["bench", "trip", "--cpython", "--step-us", "250", "--json", "--svg", str(tmp_path / "t.svg")])
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["goals_met"]["P6 worst case"] and report["rows"][0]["samples"] == 16
    text = (tmp_path / "t.svg").read_text()
    assert text.startswith("<svg") and "limit 10 ms" in text and text.count("<rect") > 1


@pytest.mark.parametrize("values", [[0.1], [1.0, 2.0, 19.5]])
def test_histogram_has_room_for_everything(values):
    text = histogram_svg("a < b", {"x & y": values}, limit=10.0)
    assert "a &lt; b" in text and "x &amp; y" in text
