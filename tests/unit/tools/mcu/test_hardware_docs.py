"""The tables of docs/hardware.md are those of the board files."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def generator():
    spec = importlib.util.spec_from_file_location("generate_hardware", ROOT / "docs" / "generate_hardware.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_current():
    made = generator()
    text = made.PAGE.read_text(encoding="utf-8")
    assert made.renewed(text) == text, "run python docs/generate_hardware.py"


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
