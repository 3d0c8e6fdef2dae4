"""Pages of the docs with parts that code writes, between `generated: NAME` and `end: NAME` marks."""

from __future__ import annotations

from collections.abc import Mapping


def updated(text: str, parts: Mapping[str, str]) -> str:
    """The page with these parts brought up to date; ValueError where a mark is missing or there twice."""
    for name, content in parts.items():
        begin, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->\n"
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        text = f"{head}{begin}\n{content}\n{end}{tail}"
    return text
