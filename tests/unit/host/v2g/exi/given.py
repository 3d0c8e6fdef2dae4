"""Reference data of the codec tests and random messages drawn from the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from shared_data import SHARED

from vsecc_host.v2g.exi import Protocol, codec_for
from vsecc_host.v2g.exi.grammar import REFUSED, Branch, Complex, Item, Simple

PROTOCOLS = {
    "app_protocol": Protocol.SAP,
    "din70121": Protocol.DIN,
    "iso15118_2": Protocol.ISO2,
    "iso15118_20_common": Protocol.ISO20_COMMON,
    "iso15118_20_dc": Protocol.ISO20_DC,
    "iso15118_20_ac": Protocol.ISO20_AC,
}
MESSAGE_PROTOCOLS = list(PROTOCOLS.values())


def vectors(name: str) -> list[dict[str, Any]]:
    """One file of the reference vectors; skips the test where they are not at hand."""
    path = SHARED / "vectors" / "exi" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no reference vectors at {path}")
    entries: list[dict[str, Any]] = json.loads(path.read_text())
    return entries


def golden() -> list[dict[str, Any]]:
    """The few vectors that live in the repository."""
    entries: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden.json").read_text())
    return entries


def protocol_of(vector: dict[str, Any]) -> tuple[Protocol, bool]:
    """Schema set of a vector, and whether it is a fragment."""
    if vector["kind"] == "xmldsig_fragment":
        return Protocol.XMLDSIG, True
    return PROTOCOLS[vector["protocol"]], vector["kind"] == "fragment"


def messages(protocol: Protocol, fragment: bool = False) -> st.SearchStrategy[Any]:
    """Random valid messages of a protocol."""
    codec = codec_for(protocol)
    names = sorted({root.type for root in codec.roots(fragment)})
    return st.sampled_from(names).flatmap(lambda name: _complex(protocol, codec.grammar.types[name]))


def _complex(protocol: Protocol, kind: Complex) -> st.SearchStrategy[Any]:
    return st.composite(lambda draw: _draw_complex(draw, protocol, kind))()


def _draw_complex(draw: Any, protocol: Protocol, kind: Complex) -> Any:
    fields: list[Any] = [None] * kind.fields
    for item in kind.items:
        branches = [branch for branch in item.branches if branch.field != REFUSED]
        if branches and item.high == 1:
            if item.low or draw(st.booleans()):
                branch = draw(st.sampled_from(branches))
                fields[branch.field] = draw(_value(protocol, branch))
        elif branches:
            for branch in branches:
                fields[branch.field] = ()
            branch = draw(st.sampled_from(branches))
            fields[branch.field] = tuple(_draw_list(draw, protocol, item, branch))
    return fields[0] if kind.cls is None else tuple.__new__(kind.cls, fields)


def _draw_list(draw: Any, protocol: Protocol, item: Item, branch: Branch) -> list[Any]:
    most = min(item.high or 4, 4) if isinstance(branch.type, str) else min(item.high or 40, 40)
    return [draw(_value(protocol, branch)) for _ in range(draw(st.integers(item.low, most)))]


def _value(protocol: Protocol, branch: Branch) -> st.SearchStrategy[Any]:
    kind = branch.type
    if isinstance(kind, str):
        return _complex(protocol, codec_for(protocol).grammar.types[kind])
    return simple(kind)


def simple(kind: Simple) -> st.SearchStrategy[Any]:
    """Random values of a simple type, a little longer than fits one length octet at most."""
    if kind.kind == "bool":
        return st.booleans()
    if kind.kind == "enum":
        assert kind.enum
        return st.sampled_from(kind.enum)
    if kind.kind == "int":
        return st.integers(kind.low, kind.high)
    most = min(kind.high, max(kind.low, 150))
    if kind.kind == "text":
        alphabet = st.characters(exclude_categories=["Cs"])
        return st.text(alphabet, min_size=kind.low, max_size=most)
    return st.binary(min_size=kind.low, max_size=most)
