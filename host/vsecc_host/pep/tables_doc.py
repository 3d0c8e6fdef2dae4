"""Writes the tables of docs/pep.md: `python -m vsecc_host.pep.tables_doc docs/pep.md`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from vsecc_host import generated_parts
from vsecc_host.pep import times
from vsecc_host.pep.messages import ERROR_FIELDS, LAYOUTS, MAX_NUMBER, Field, Layout, MessageType, Shape
from vsecc_host.pep.versions import FEATURES, Feature, PepVersion

_CONSTANT = re.compile(r"^([A-Z_]+_S) = ([\d.]+)(?: +# (.*))?$")
_ENDS = {"secc": "SECC to PECC", "pecc": "PECC to SECC"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def versions() -> str:
    """Which version knows what."""
    rows = ([feature.value, *_known(feature)] for feature in FEATURES)
    return table(["", *(version.text for version in PepVersion)], rows)


def _known(feature: Feature) -> list[str]:
    return ["x" if version.has(feature) else "" for version in PepVersion]


def overview() -> str:
    """Every message once."""
    return table(
        ["message", "from", "since", "payload", "remark"],
        ([f"{x.type} `{x.kind}`", _ENDS[x.sender], _since(x), _names(x), x.note] for x in LAYOUTS),
    )


def _since(item: Layout | Field) -> str:
    return FEATURES[item.feature].first.text


def _names(layout: Layout) -> str:
    return f"{len(layout.fields)} members" if layout.fields else "`{}`"


def payloads() -> str:
    """Every member of every payload."""
    rows = [_member(f"{x.type} `{x.kind}`", member) for x in LAYOUTS for member in x.fields]
    rows += [_member(str(MessageType.ERROR), member) for member in ERROR_FIELDS]
    head = "message,member,type,unit,range or values,required,since,as integer,remark"
    return table(head.split(","), rows)


def _member(of: str, member: Field) -> list[str]:
    is_number = member.shape is Shape.NUMBER
    return [
        of,
        f"`{member.name}`",
        member.shape.value,
        member.unit,
        _range(member),
        "yes" if member.required else "",
        _since(member),
        member.rounding.value if is_number else "",
        member.note,
    ]


def _range(member: Field) -> str:
    if member.values is not None:
        return " ".join(f"`{value}`" + _until(member, value) for value in member.values)
    if member.shape is not Shape.NUMBER or member.low is None or member.high is None:
        return "any" if member.shape is Shape.NUMBER else ""
    return f"{_bound(member.low)}..{_bound(member.high)}"


def _until(member: Field, value: str) -> str:
    feature = member.value_features.get(value)
    last = FEATURES[feature].last if feature is not None else None
    return f" (to {last.text})" if last is not None else ""


def _bound(value: float) -> str:
    return {MAX_NUMBER: "2³¹-1", -MAX_NUMBER: "-(2³¹-1)"}.get(int(value), f"{value:g}")


def timers() -> str:
    """Every time of the protocol, as written beside it in the code."""
    found = (_CONSTANT.match(line) for line in inspect.getsource(times).splitlines())
    return table(
        ["constant", "seconds", "meaning"],
        ([f"`{x[1]}`", f"{float(x[2]):g}", x[3] or ""] for x in found if x is not None),
    )


def updated(text: str) -> str:
    """The document with its generated parts brought up to date."""
    parts = {"versions": versions(), "overview": overview(), "payloads": payloads(), "timers": timers()}
    return generated_parts.updated(text, parts)


def main() -> None:
    """Rewrite the file named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
