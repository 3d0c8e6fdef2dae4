"""The tables and drawings of docs/hardware.md are those of the board files."""

import importlib.util
import types
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[4]
RECT = "{http://www.w3.org/2000/svg}rect"


def generator():
    spec = importlib.util.spec_from_file_location("generate_hardware", ROOT / "docs" / "generate_hardware.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_current():
    made = generator()
    text = made.PAGE.read_text(encoding="utf-8")
    assert made.renewed(text) == text, "run python docs/generate_hardware.py"


def test_drawings_are_current_and_shown():
    made = generator()
    text = made.PAGE.read_text(encoding="utf-8")
    for path, drawn in made.drawings().items():
        assert path.read_text(encoding="utf-8") == drawn, "run python docs/generate_hardware.py"
        assert f"]({path.name})" in text


def test_drawings_follow_the_board_and_stay_inside_their_sheet():
    made = generator()
    for drawn in made.drawings().values():
        root = ElementTree.fromstring(drawn)
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        corners = ("x", "y", "width", "height")
        boxes = [
            [float(one.attrib[name]) for name in corners] for one in root.iter(RECT) if "x" in one.attrib
        ]
        assert len(boxes) > 15
        for x, y, wide, high in boxes:
            assert x >= 0 and x + wide <= width and y >= 0 and y + high <= height
    board = types.SimpleNamespace(**{**vars(made.reference), "RELAY_PUMP": (31, 32, 33)})
    assert "GPIO 31, 32, 33" in made.board_blocks(board) and "GPIO 6, 7, 8" not in made.board_blocks(board)


def test_a_page_without_marks_is_an_error():
    with pytest.raises(ValueError, match="fitted"):
        generator().renewed("# nothing")


def test_every_divider_is_within_half_a_percent_of_its_full_scale():
    made = generator()
    spans = {"PP": "PROXIMITY", "analog": "ANALOG", "supply": "SUPPLY", "CC1": "CC1"}
    for kind, name in spans.items():
        upper, lower = made.DIVIDERS[kind]
        span_mv = getattr(made.reference, f"{name}_SPAN_MV")
        assert abs(made.REFERENCE_V * 1000 * (1 + upper / lower) / span_mv - 1) < 0.005, kind
